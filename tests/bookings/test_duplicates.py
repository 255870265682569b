"""The same people in the same session twice: refused softly, booked when it is meant, and never by a race."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from alerts.services import auditor
from bookings.models import Booking, BookingEvent, Line
from bookings.services import checkout, duplicates
from bookings.services.cancellation import cancel_booking
from bookings.services.checkout import Contact, Person, Terms, Wanted
from bookings.services.duplicates import DuplicateBooking, duplicate_key
from config.kit.ids import uuid7
from config.kit.mailboxes import normalised
from config.tenants.models import ApiKey
from scheduling.models import Session
from scheduling.services.assessing import Party
from tests.concurrency.conftest import as_owner
from tests.concurrency.races import race, tally
from tests.conftest import empty_database
from tests.factories import ANNA, CUSTOMER, book, hold, make_organization, make_session, make_sessions

CUSTOMER_JSON = {"email": ANNA.email, "name": ANNA.name}


def once(session: Session, *, email: str = ANNA.email, people: tuple[str, ...] = (), meant: bool = False) -> Booking:
    """Book one party, as a customer does who does not know of any other booking."""
    wanted = Wanted(Party(session.id, max(len(people), 1)), tuple(Person(name=name) for name in people))
    terms = Terms(confirm_duplicate=meant)
    return checkout.book_lines(lines=[wanted], contact=Contact(email, "Anna"), terms=terms, actor=CUSTOMER)


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def order(session: Session, **changes: Any) -> dict[str, Any]:
    return {"lines": [{"session": str(session.id), "party_size": 1}], "customer": CUSTOMER_JSON, **changes}


# What is a duplicate ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "same"),
    [
        ("anna@example.org", True),
        ("ANNA@Example.ORG", True),
        (" anna@example.org ", True),
        ("anna+ski@example.org", True),
        ("anna.b@example.org", False),
        ("anna@example.com", False),
        ("+anna@example.org", False),
    ],
)
def test_addresses_of_one_mailbox_are_one(email: str, same: bool) -> None:
    assert (normalised(email) == "anna@example.org") is same


def test_the_mailboxes_of_one_provider_know_no_dots() -> None:
    written = {"an.na+x@gmail.com", "Anna@googlemail.com", "a.n.n.a@gmail.com"}
    assert {normalised(email) for email in written} == {"anna@gmail.com"}


def test_the_order_and_the_writing_of_names_do_not_matter() -> None:
    session_id = uuid7()
    keys = {
        duplicate_key(session_id=session_id, email="a@x.org", people=people)
        for people in (["Bo Lee", "Cy"], ["Cy", "Bo Lee"], ["cy", " BO  lee "])
    }
    assert len(keys) == 1
    assert duplicate_key(session_id=session_id, email="a@x.org") not in keys
    assert duplicate_key(session_id=uuid7(), email="a@x.org", people=["Bo Lee", "Cy"]) not in keys


@pytest.mark.django_db
@pytest.mark.parametrize("email", ["ANNA@example.org".lower(), "anna+2@example.org"])
def test_the_same_mailbox_and_session_is_refused(email: str) -> None:
    session = make_session()
    first = once(session)
    with pytest.raises(DuplicateBooking):
        once(session, email=email)
    assert list(Booking.objects.all()) == [first]
    session.refresh_from_db()
    assert (session.places_held, session.places_booked) == (0, 1)


@pytest.mark.django_db
def test_another_session_another_address_and_another_child_are_not_blamed() -> None:
    first, second = make_sessions(2)
    once(first, people=("Bo",))
    once(second, people=("Bo",))
    once(first, email="eve@example.org", people=("Bo",))
    once(first, people=("Cy",))
    once(first)
    with pytest.raises(DuplicateBooking):
        once(first, people=(" BO ",))
    assert Booking.objects.count() == 5


@pytest.mark.django_db
def test_two_lines_of_one_booking_are_no_accident() -> None:
    session = make_session()
    booking = book(session, session)
    first, second = booking.lines.order_by("id")
    assert (first.duplicate_override_of, second.duplicate_override_of) == (None, first)
    assert [event.kind for event in booking.events.all()] == ["booking_started", "booking_confirmed"]


@pytest.mark.django_db
def test_a_cancelled_line_is_in_nobodys_way() -> None:
    session = make_session()
    cancel_booking(booking_id=once(session).id, actor=CUSTOMER)
    assert once(session).status == "confirmed"


# The answer -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_stranger_learns_no_number_and_how_to_go_on(client: Client) -> None:
    session = make_session()
    first = once(session)
    other = book(make_session())
    _, theirs = ApiKey.issue(organization_id=make_organization().id, name="theirs", scopes=[])
    held = hold(session)
    answers = [
        post(client, "bookings", order(session)),
        post(client, "bookings", order(session), **{"Booking-Token": other.token}),
        post(client, f"reservations/{held.id}/confirm", {"customer": CUSTOMER_JSON},
             **{"Reservation-Token": held.token, "Authorization": f"Bearer {theirs}"}),
    ]  # fmt: skip
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "duplicate_booking")] * 3
    body = answers[0].json()
    assert body["detail"].startswith("You may have booked this already: look in your mail.")
    assert body["errors"] == [
        {
            "field": "confirm_duplicate",
            "code": "duplicate_booking",
            "detail": "Send true to book again all the same.",
        }
    ]
    for answer in answers:
        assert first.number not in answer.content.decode()
        assert str(first.id) not in answer.content.decode()


@pytest.mark.django_db
def test_its_owner_and_its_organization_are_told_the_number(client: Client) -> None:
    session = make_session()
    first = once(session)
    _, ours = ApiKey.issue(organization_id=first.organization_id, name="ours", scopes=[])
    for headers in ({"Booking-Token": first.token}, {"Authorization": f"Bearer {ours}"}):
        answer = post(client, "bookings", order(session), **headers)
        assert answer.status_code == 409
        assert answer.json()["existing"] == [{"id": str(first.id), "number": first.number}]
        assert first.number in answer.json()["detail"]


@pytest.mark.django_db
def test_it_is_booked_all_the_same_when_that_is_meant(client: Client) -> None:
    session = make_session()
    first = once(session)
    answer = post(client, "bookings", order(session, confirm_duplicate=True))
    assert answer.status_code == 201
    second = Booking.objects.exclude(id=first.id).get()
    assert second.lines.get().duplicate_override_of == first.lines.get()
    held = hold(session)
    headers = {"Reservation-Token": held.token}
    body = {"customer": CUSTOMER_JSON}
    assert post(client, f"reservations/{held.id}/confirm", body, **headers).status_code == 409
    confirmed = post(client, f"reservations/{held.id}/confirm", {**body, "confirm_duplicate": True}, **headers)
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "confirmed")
    assert post(client, "bookings", order(session)).status_code == 409


@pytest.mark.django_db
def test_the_checkout_page_asks_and_books_again_by_its_button(client: Client) -> None:
    session = make_session()
    first = once(session)
    units = {f"unit-{unit.id}": int(unit.is_default) for unit in session.activity.units.all()}
    activity = session.activity
    held = client.post(f"/{activity.organization.slug}/{activity.slug}/{session.id}/", units)
    refused = client.post(held["Location"], CUSTOMER_JSON)
    page = refused.content.decode()
    assert refused.status_code == 409
    assert "You may have booked this already" in page
    assert "Book again all the same" in page
    assert first.number not in page
    assert page.index("on arrival") < page.index("Book again all the same")  # Enter must not press it
    again = client.post(held["Location"], {**CUSTOMER_JSON, "confirm_duplicate": "yes"})
    assert (again.status_code, Booking.objects.count()) == (302, 2)


# The facts --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("committed_db")
def test_a_refused_attempt_leaves_its_fact_on_the_booking_that_was_first(client: Client) -> None:
    session = make_session()
    first = once(session)
    post(client, "bookings", order(session), **{"User-Agent": "Browser/2"})
    fact = first.events.get(kind="duplicate_refused")
    assert (fact.from_status, fact.to_status, fact.actor_kind, fact.channel, fact.reason_code) == (
        "", "confirmed", "customer", "api", "same_email_and_people",
    )  # fmt: skip
    assert (fact.before, fact.after) == ({}, {"session": str(session.id)})
    assert fact.detail.user_agent == "Browser/2"
    assert auditor.check_invariants() == []


@pytest.mark.usefixtures("committed_db")
def test_an_override_leaves_its_fact_on_the_new_booking() -> None:
    session = make_session()
    first, second = once(session), once(session, meant=True)
    assert [event.kind for event in second.events.order_by("seq")] == [
        "booking_started", "duplicate_overridden", "booking_confirmed",
    ]  # fmt: skip
    assert second.events.get(kind="duplicate_overridden").after == {
        "session": str(session.id),
        "line": str(second.lines.get().id),
        "duplicate_of": str(first.id),
    }
    assert auditor.check_invariants() == []


# Two at once ------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the look under the lock out: only the unique index is left."""
    monkeypatch.setattr(duplicates, "look_under_lock", lambda _: {})


@pytest.fixture
def no_index(committed_db: None) -> Iterator[None]:
    """Drop the unique index for the length of a test."""
    with as_owner() as owner:
        row = owner.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'line_duplicate_once'").fetchone()
        assert row is not None
        owner.execute("DROP INDEX line_duplicate_once")
    yield
    connections.close_all()
    empty_database()
    with as_owner() as owner:
        owner.execute(row[0].encode())


def eight_at_once() -> dict[str, int]:
    session = make_session(capacity=20)
    return tally(race([lambda: once(session)] * 8))


@pytest.mark.usefixtures("committed_db")
def test_one_of_eight_at_once_books() -> None:
    assert eight_at_once() == {"Booking": 1, "DuplicateBooking": 7}
    assert Line.objects.filter(duplicate_override_of=None).count() == 1
    assert BookingEvent.objects.filter(kind="duplicate_refused").count() == 7
    assert auditor.check_invariants() == []


@pytest.mark.usefixtures("no_look", "committed_db")
def test_one_of_eight_at_once_books_by_the_unique_index_alone() -> None:
    assert eight_at_once() == {"Booking": 1, "DuplicateBooking": 7}


@pytest.mark.usefixtures("no_index")
def test_one_of_eight_at_once_books_by_the_look_under_the_lock_alone() -> None:
    assert eight_at_once() == {"Booking": 1, "DuplicateBooking": 7}


@pytest.mark.usefixtures("no_look", "no_index")
def test_all_eight_book_when_both_guards_are_left_out() -> None:
    assert eight_at_once() == {"Booking": 8}
    assert {finding.code for finding in auditor.check_invariants()} == {"I20"}
