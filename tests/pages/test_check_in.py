"""The door's page and its calls: lists of today, codes, one tap, and who may."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from bookings.check_in_codes import check_in_code
from bookings.models import Booking, BookingEvent, Line
from bookings.orders import Person
from bookings.services import cancellation, people
from bookings.views import booking as booking_views
from config.tenants.models import ApiKey, Organization
from scheduling.models import Session
from tests.bookings.test_attendance import STAFF, let_begin
from tests.factories import ANNA, book, make_activity, make_organization, make_session, make_venue, stranger
from tests.pages.test_booking_pages import text
from tests.staff.conftest import SignIn, sign_in

__all__ = ["sign_in"]
pytestmark = pytest.mark.django_db

DOOR = "/staff/check-in/"
QUERIES = 8  # one more where people are named


def today(organization: Organization | None = None, *, minutes: int = 5, party_size: int = 2, **who: Any) -> Line:
    """Book a session that has begun some minutes ago."""
    session = make_session(make_activity(make_venue(organization or make_organization())))
    line = book(session, party_size=party_size, **who).lines.get()
    let_begin(line, ago=timedelta(minutes=minutes))
    line.refresh_from_db()
    return line


def tap(client: Client, line: Line, act: str, **kept: str) -> Any:
    return client.post(f"{DOOR}{line.id}/", {"act": act, **kept}, follow=True)


def attendance_of(line: Line) -> str:
    return Line.objects.get(id=line.id).attendance


def test_one_tap_checks_in_and_one_takes_it_back(sign_in: SignIn) -> None:
    line = today()
    client = sign_in(line.organization, "reception")
    shown = text(client.get(DOOR))
    assert "0 of 2 here" in shown
    assert f"{ANNA.name} {line.booking.number}, 2 people Expected Check in" in shown
    answer = tap(client, line, "check_in")
    assert answer.redirect_chain[-1][0].endswith(f"#line-{line.id}")
    assert "2 of 2 here" in text(answer)
    event = BookingEvent.objects.get(kind="line_checked_in")
    assert (event.actor_kind, event.actor_id) == ("staff", UUID(client.session["_auth_user_id"]))
    assert "0 of 2 here" in text(tap(client, line, "undo"))
    assert attendance_of(line) == "expected"


def test_the_code_on_the_booking_leads_staff_to_its_check_in(client: Client, sign_in: SignIn, rf: Any) -> None:
    line = today()
    address = booking_views.door_address(rf.get("/"), line.booking)
    parts = urlsplit(address)
    assert (parts.path, parse_qs(parts.query)["code"]) == (DOOR, [check_in_code(line.booking)])
    assert len(address) < 80  # a small picture
    page = client.get(f"/bookings/{line.booking.number}.{line.booking.token}/", follow=True)
    assert 'class="code"' in page.content.decode()
    staff = sign_in(line.organization, "reception")
    scanned = text(staff.get(f"{DOOR}?{parts.query}"))
    assert f"{line.booking.number}, {ANNA.name}" in scanned
    assert "Check in" in scanned
    assert Line.objects.get().attendance == "expected", "looking at a code must change nothing"
    for _ in range(2):
        answer = tap(staff, line, "check_in", code=check_in_code(line.booking))
    assert answer.redirect_chain[-1][0].startswith(f"{DOOR}?code=")
    assert attendance_of(line) == "arrived"
    assert BookingEvent.objects.filter(kind="line_checked_in").count() == 1


def test_the_code_opens_nothing_to_anybody_else(client: Client) -> None:
    line = today()
    shown = text(client.get(DOOR, {"code": check_in_code(line.booking)}))
    assert "This code is for the door" in shown
    assert ANNA.name not in shown
    token = check_in_code(line.booking).partition(".")[2]
    assert client.get(f"/bookings/{line.booking.number}.{token}/").status_code == 404


def wrong_codes(line: Line) -> dict[str, str]:
    code, number = check_in_code(line.booking), line.booking.number
    elsewhere = today()
    moved = today(line.organization, contact=stranger())
    before = check_in_code(moved.booking)
    let_begin(moved, ago=timedelta(days=-2))  # so that it can be handed over still
    people.transfer_booking(booking_id=moved.booking_id, contact=stranger(), actor=STAFF, reason_code="asked")
    return {
        "forged": f"{code[:-1]}{'a' if code[-1] != 'a' else 'b'}",
        "of the booking's page": f"{number}.{line.booking.token}",
        "of another booking": f"{number}.{check_in_code(elsewhere.booking).partition('.')[2]}",
        "another organization's": check_in_code(elsewhere.booking),
        "handed over since": before,
        "no code": "hello",
        "empty proof": f"{number}.",
    }


def test_a_wrong_code_gets_a_clear_answer_and_no_name(sign_in: SignIn) -> None:
    line = today()
    client = sign_in(line.organization)
    for what, code in wrong_codes(line).items():
        answer = client.get(DOOR, {"code": code})
        assert (answer.status_code, "This is not a code of a booking" in text(answer)) == (404, True), what


def test_a_code_of_another_day_or_a_cancelled_booking_says_so(sign_in: SignIn) -> None:
    organization = make_organization()
    tomorrow = book(make_session(make_activity(make_venue(organization)), starts_in=timedelta(days=2)))
    gone = book(make_session(make_activity(make_venue(organization))), contact=stranger())
    cancellation.cancel_booking(booking_id=gone.id, actor=STAFF)
    client = sign_in(organization)
    line = tomorrow.lines.get()
    code = check_in_code(tomorrow)
    assert tomorrow.number in text(client.get(DOOR, {"code": code}))
    assert "not for today" in text(tap(client, line, "check_in", code=code))
    assert attendance_of(line) == "expected"
    shown = text(client.get(DOOR, {"code": check_in_code(gone)}))
    assert "This booking is cancelled." in shown
    assert "Check in Guest" not in shown


@pytest.mark.parametrize(
    "search", ["{number}", "{lower}", "anna", "ARCHER", "anna@example", "79460000", "020 7946 0000", "+44 20 7946"]
)
def test_people_are_found_by_number_name_address_and_telephone(sign_in: SignIn, search: str) -> None:
    organization = make_organization()
    line = today(organization)
    venue = line.session.activity.venue
    other = book(make_session(make_activity(venue)), contact=stranger()).lines.get()
    let_begin(other, ago=timedelta(minutes=5))
    wanted = search.format(number=line.booking.number, lower=line.booking.number.lower())
    shown = text(sign_in(organization).get(DOOR, {"q": wanted, "venue": str(venue.id)}))
    assert (line.booking.number in shown, other.booking.number in shown) == (True, False)


def test_a_search_that_finds_nobody_says_how_to_go_on(sign_in: SignIn) -> None:
    line = today()
    shown = text(sign_in(line.organization).get(DOOR, {"q": "Zebedee"}))
    assert "Nobody of today is found by “Zebedee”." in shown


def test_the_list_is_of_todays_sessions_of_the_venue(sign_in: SignIn) -> None:
    organization = make_organization()
    here = today(organization)
    activity = here.session.activity
    for starts_in, status in ((timedelta(days=2), "published"), (timedelta(days=-2), "published")):
        session = make_session(activity)
        booking = book(session, contact=stranger())
        let_begin(booking.lines.get(), ago=-starts_in)
        Session.objects.filter(id=session.id).update(status=status)
    elsewhere = today(organization, contact=stranger())  # at another venue
    client = sign_in(organization)
    shown = text(client.get(DOOR, {"venue": str(activity.venue_id)}))
    assert [number for number in Booking.objects.values_list("number", flat=True) if number in shown] == [
        here.booking.number
    ]
    assert elsewhere.booking.number in text(
        client.get(DOOR, {"venue": str(elsewhere.session.activity.venue_id)})
    )  # fmt: skip


def test_afterwards_it_is_noted_who_came_and_corrected_by_one_tap(sign_in: SignIn) -> None:
    line = today()
    client = sign_in(line.organization)
    assert "Did not come" in text(client.get(DOOR))
    tap(client, line, "missed")
    assert attendance_of(line) == "no_show"
    tap(client, line, "came_after_all")
    assert attendance_of(line) == "arrived"
    let_begin(line, ago=timedelta(minutes=70))
    tap(client, line, "came")
    tap(client, line, "missed_after_all")
    assert attendance_of(line) == "no_show"
    tap(client, line, "came_after_all")
    assert attendance_of(line) == "completed"
    reasons = BookingEvent.objects.filter(after__has_key="attendance").order_by("seq")
    assert list(reasons.values_list("reason_code", flat=True)) == [
        "", "came_after_all", "", "noted_by_mistake", "came_after_all",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("role", "may"),
    [("owner", True), ("manager", True), ("reception", True), ("instructor", False), ("auditor", False)],
)
def test_the_door_is_kept_by_reception_managers_and_owners(sign_in: SignIn, role: str, may: bool) -> None:
    line = today()
    client = sign_in(line.organization, role)
    assert client.get(DOOR).status_code == (200 if may else 404)
    assert (DOOR in client.get("/admin/").content.decode()) == may
    tap(client, line, "check_in")
    assert attendance_of(line) == ("arrived" if may else "expected")


def test_another_organizations_people_are_nobodys(sign_in: SignIn, client: Client) -> None:
    line = today()
    foreign = sign_in(today().organization)
    assert tap(foreign, line, "check_in").status_code == 404
    assert line.booking.number not in text(foreign.get(DOOR, {"venue": str(line.session.activity.venue_id)}))
    assert tap(client, line, "check_in").redirect_chain[0][0].startswith("/admin/login/")
    assert tap(foreign, line, "nonsense").status_code == 404
    assert attendance_of(line) == "expected"


@pytest.mark.parametrize("lines", [1, 3])
def test_the_page_asks_as_much_for_three_as_for_one(
    sign_in: SignIn, lines: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first = today()
    for _ in range(lines - 1):
        session = make_session(first.session.activity)
        let_begin(book(session, contact=stranger()).lines.get(), ago=timedelta(minutes=2 + lines + _))
    client = sign_in(first.organization)
    with django_assert_num_queries(QUERIES):
        shown = client.get(DOOR)
    assert len(re.findall(r'id="line-', shown.content.decode())) == lines


# For programs -----------------------------------------------------------------------------------------------------


def call(client: Client, line: Line, act: str, body: Any = None, **headers: str) -> Any:
    return client.post(
        f"/api/v1/lines/{line.id}/{act}", body or {}, content_type="application/json", headers=headers or None
    )


def test_programs_check_in_undo_and_note_outcomes(client: Client) -> None:
    line = today()
    _, secret = ApiKey.issue(organization_id=line.organization_id, name="gate", scopes=["bookings"])
    key = {"Authorization": f"Bearer {secret}"}
    arrived = call(client, line, "check-in", **key)
    assert (arrived.status_code, arrived.json()["attendance"]) == (200, "arrived")
    assert arrived.json()["number"] == line.booking.number
    assert call(client, line, "undo-check-in", **key).json()["attendance"] == "expected"
    assert call(client, line, "outcome", {"outcome": "no_show"}, **key).json()["attendance"] == "no_show"
    bare = call(client, line, "outcome", {"outcome": "completed"}, **key)
    assert (bare.status_code, bare.json()["errors"][0]["field"]) == (422, "reason")
    done = call(client, line, "outcome", {"outcome": "completed", "reason": "came_late"}, **key)
    assert done.json()["attendance"] == "completed"
    assert {event.actor_kind for event in BookingEvent.objects.filter(after__has_key="attendance")} == {"api_key"}


def test_a_repeated_call_with_its_key_does_not_undo_what_came_between(client: Client) -> None:
    line = today()
    _, secret = ApiKey.issue(organization_id=line.organization_id, name="gate", scopes=[])
    key = {"Authorization": f"Bearer {secret}"}
    call(client, line, "check-in", **key, **{"Idempotency-Key": "one"})
    call(client, line, "undo-check-in", **key)
    again = call(client, line, "check-in", **key, **{"Idempotency-Key": "one"})
    assert (again.status_code, again.json()["attendance"]) == (200, "expected")
    assert BookingEvent.objects.filter(kind="line_checked_in").count() == 1


def test_only_the_organizations_own_programs_may(client: Client) -> None:
    line = today()
    _, foreign = ApiKey.issue(organization_id=make_organization().id, name="other", scopes=[])
    _, narrow = ApiKey.issue(organization_id=line.organization_id, name="narrow", scopes=["alerts"])
    answers = [
        call(client, line, "check-in", **headers).status_code
        for headers in (
            {}, {"Booking-Token": line.booking.token}, {"Authorization": f"Bearer {foreign}"},
            {"Authorization": f"Bearer {narrow}"},
        )
    ]  # fmt: skip
    assert answers == [401, 401, 404, 403]
    assert attendance_of(line) == "expected"


def test_whoever_comes_no_more_is_not_on_the_doors_list(sign_in: SignIn) -> None:
    line = today(party_size=1)
    let_begin(line, ago=timedelta(days=-2))
    for name in ("Ada", "Bea"):
        people.change_participants(line_id=line.id, participants=[Person(name=name)], actor=STAFF, reason_code="asked")
    let_begin(line, ago=timedelta(minutes=5))
    shown = text(sign_in(line.organization).get(DOOR))
    assert ("Bea" in shown, "Ada" in shown) == (True, False)
