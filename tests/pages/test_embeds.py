"""The widget's pages, as the server answers them."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.signing import TimestampSigner
from django.test import Client

from bookings.models import Booking
from scheduling.models import Reservation, Session, Venue
from tests.factories import make_activity, make_session, make_venue

pytestmark = pytest.mark.django_db

HOST = "https://venue.example"


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def strict() -> Client:
    """A client that would be refused without a CSRF token, as browsers are."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def session() -> Session:
    return make_session(make_activity(make_venue(allowed_embed_origins=[HOST])))


def ancestors(response: Any) -> str:
    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    return str(policy["frame-ancestors"])


def field(response: Any) -> str:
    return str(response.content.decode().split('name="embed_token" value="')[1].split('"')[0])


def single(session: Session) -> str:
    return f"/embed?widget=singlegame&activityId={session.activity_id}"


def hold_path(session: Session) -> str:
    return f"/embed/{session.activity_id}/{session.id}/"


def one_adult(session: Session, **more: str) -> dict[str, Any]:
    return {f"unit-{session.activity.units.get().id}": 1, **more}


def test_a_place_is_booked_without_any_cookie(strict: Client, session: Session) -> None:
    party = strict.get(hold_path(session))
    held = strict.post(hold_path(session), one_adult(session, embed_token=field(party)))
    details = strict.get(held["Location"])
    booked = strict.post(
        held["Location"], {"name": "Anna", "email": "a@example.org", "embed_token": field(details)}, follow=True
    )
    assert "You are booked" in booked.content.decode()
    assert strict.cookies == {}
    assert Booking.objects.get().events.get(kind="booking_confirmed").channel == "widget"
    responses = [strict.get(single(session)), party, held, details, booked]
    assert [ancestors(response) for response in responses] == [HOST] * 5
    assert ["X-Frame-Options" in response for response in responses] == [False] * 5


def test_only_the_venues_own_list_may_frame(client: Client, session: Session) -> None:
    Venue.objects.update(allowed_embed_origins=[])
    assert ancestors(client.get(single(session))) == "'none'"
    assert ancestors(client.get("/")) == "'none'"


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_a_form_from_elsewhere_is_refused(strict: Client, session: Session, headers: dict[str, str]) -> None:
    token = field(strict.get(hold_path(session)))
    response = strict.post(hold_path(session), one_adult(session, embed_token=token), headers=headers)
    assert response.status_code == 403
    assert not Reservation.objects.exists()


def test_a_form_without_a_fresh_token_is_refused(
    strict: Client, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = field(strict.get(hold_path(session)))
    for wrong in ("", "x", token[:-1], TimestampSigner(salt="other").sign("x")):
        assert strict.post(hold_path(session), one_adult(session, embed_token=wrong)).status_code == 403
    monkeypatch.setattr("config.kit.embedding.SECONDS", -1)
    late = strict.post(hold_path(session), one_adult(session, embed_token=token))
    assert (late.status_code, "lay open for too long" in late.content.decode()) == (403, True)
    assert not Reservation.objects.exists()


@pytest.mark.parametrize(
    "query", ["", "?widget=singlegame", "?widget=singlegame&activityId=x", "?widget=calendar&key=x", "?widget=other"]
)
def test_what_is_not_published_cannot_be_framed(client: Client, query: str) -> None:
    assert client.get(f"/embed{query}").status_code == 404


def test_a_draft_cannot_be_framed_and_a_basket_opens_by_its_token_alone(client: Client, session: Session) -> None:
    draft = make_activity(status="draft")
    assert client.get(f"/embed?widget=singlegame&activityId={draft.id}").status_code == 404
    party = client.get(hold_path(session))
    held = client.post(hold_path(session), one_adult(session, embed_token=field(party)))
    basket = Reservation.objects.get().basket
    assert client.get(held["Location"]).status_code == 200
    assert client.get(f"/embed/checkout/{basket}/wrong/").status_code == 404


def test_the_host_pages_script_is_small() -> None:
    source = Path(__file__).resolve().parents[2] / "static" / "embed" / "embed.js"
    assert len(gzip.compress(source.read_bytes())) <= 6 * 1024
