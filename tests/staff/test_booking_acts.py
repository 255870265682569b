"""What staff do to somebody's booking: the same guards as for everybody, a reason always, seen before it is done."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.asserts import assertContains, assertNotContains

from bookings.models import Booking, BookingEvent
from scheduling.models import Session
from tests.concurrency.races import Places, places_of
from tests.factories import book, hold, make_activity, make_session, shift_session
from tests.staff.admin_site import messages_of, page_address
from tests.staff.conftest import SignIn

pytestmark = pytest.mark.django_db

SOON = timedelta(days=3)
ACTS = ("cancel", "move", "party", "hand-over")
NOT_YOURS = 403


@pytest.fixture
def session() -> Session:
    terms: dict[str, Any] = {
        "customers_may_change": False,
        "customers_may_cancel": False,
        "late_cancel_fee_percent": 50,
    }
    return make_session(make_activity(price_minor=1000, **terms), capacity=4, starts_in=SOON)


@pytest.fixture
def booking(session: Session) -> Booking:
    return book(session, party_size=2)


def address(booking: Booking, act: str, query: str = "") -> str:
    return page_address(booking).replace("/change/", f"/{act}/") + query


def fields(booking: Booking, session: Session, act: str) -> dict[str, Any]:
    """Return a form that is filled in well."""
    unit = session.activity.units.get().id
    other = Session.objects.exclude(id=session.id).filter(activity=session.activity).first()
    own: dict[str, dict[str, Any]] = {
        "cancel": {"lines": [str(booking.lines.get().id)]},
        "move": {"session": str(other.id) if other else ""},
        "party": {f"unit-{unit}": 3},
        "hand-over": {"name": "Ben", "email": "Ben@example.org"},
    }
    return {"reason": "called us", "version": booking.version, **own[act]}


def day_of(session: Session) -> str:
    return f"?day={session.starts_at.astimezone(session.activity.venue.zone).date()}"


@pytest.fixture
def other(session: Session) -> Session:
    return make_session(session.activity, capacity=4, starts_in=SOON + timedelta(days=1))


@pytest.mark.parametrize("act", ACTS)
def test_an_act_is_seen_first_then_done_and_its_fact_says_who_and_why(
    sign_in: SignIn, booking: Booking, session: Session, other: Session, act: str
) -> None:
    client = sign_in(session.organization, "reception")
    here = address(booking, act, day_of(other))
    form = fields(booking, session, act)
    assertContains(client.get(page_address(booking)), f"../{act}/")
    assertContains(client.post(here, {**form, "preview": ""}), "What this comes to")
    assert BookingEvent.objects.count() == 2

    done = client.post(here, {**form, "do": ""}, follow=True)

    assert messages_of(done) == [f"Done: booking {booking.number}."]
    fact = booking.events.order_by("seq").last()
    assert fact is not None
    assert (fact.actor_kind, fact.channel, fact.detail.note) == ("staff", "admin", "called us")
    assert str(fact.actor_id) == client.session["_auth_user_id"]


@pytest.mark.parametrize("act", ACTS)
def test_without_a_reason_or_with_an_old_version_nothing_is_done(
    sign_in: SignIn, booking: Booking, session: Session, other: Session, act: str
) -> None:
    client = sign_in(session.organization)
    here, form = address(booking, act, day_of(other)), fields(booking, session, act)
    assertContains(client.post(here, {**form, "reason": " ", "do": ""}), "Say why", status_code=422)
    answer = client.post(here, {**form, "version": booking.version - 1, "do": ""})
    assertContains(answer, "has changed since you looked at it", status_code=412)
    assert BookingEvent.objects.count() == 2


@pytest.mark.parametrize(
    ("act", "words"), [("move", "Only 1 of these places is left."), ("party", "This session is full.")]
)
def test_the_guards_are_those_of_everybody(
    sign_in: SignIn, booking: Booking, other: Session, act: str, words: str
) -> None:
    session = booking.lines.get().session
    for full, places in ((session, 2), (other, 3)):
        hold(full, places)
    client = sign_in(session.organization)
    here, form = address(booking, act, day_of(other)), fields(booking, session, act)
    assertContains(client.post(here, {**form, "do": ""}), words, status_code=409)
    assert places_of(session) == Places(2, 2, 0)


def test_a_manager_waives_the_fee_and_reception_cannot(sign_in: SignIn, booking: Booking, session: Session) -> None:
    shift_session(session, starts_in=timedelta(hours=2))
    form = {**fields(booking, session, "cancel"), "waive_fee": "on"}
    here = address(booking, "cancel")
    reception = sign_in(session.organization, "reception")
    assertNotContains(reception.get(here), "Without the fee")
    assertContains(reception.post(here, {**form, "preview": ""}), "Fee £10.00.")
    manager = sign_in(session.organization, "manager")
    assertContains(manager.post(here, {**form, "preview": ""}), "New total £0.00.")
    manager.post(here, {**form, "do": ""})
    assert (Booking.objects.get().total_minor, Booking.objects.get().status) == (0, "cancelled")


@pytest.mark.parametrize("role", ["instructor", "auditor"])
def test_who_may_only_look_does_nothing(sign_in: SignIn, booking: Booking, session: Session, role: str) -> None:
    client = sign_in(session.organization, role)
    assertNotContains(client.get(page_address(booking)), "../cancel/")
    assert [client.get(address(booking, act)).status_code for act in ACTS] == [NOT_YOURS] * 4


def test_another_tenants_booking_is_not_there(sign_in: SignIn, booking: Booking) -> None:
    client: Client = sign_in(make_session().organization)
    assert [client.get(address(booking, act)).status_code for act in ACTS] == [404] * 4


def test_what_is_over_is_said_to_staff_too(sign_in: SignIn, booking: Booking, session: Session) -> None:
    shift_session(session, starts_in=timedelta(hours=-2))
    form = {**fields(booking, session, "cancel"), "do": ""}
    answer = sign_in(session.organization).post(address(booking, "cancel"), form)
    assertContains(answer, "The session is over.", status_code=409)
