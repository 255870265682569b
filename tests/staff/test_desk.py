"""Book for a caller: the desk finds the session and books through the same service as everybody."""

from typing import Any

import pytest
from django.test import Client
from pytest_django.asserts import assertContains, assertNotContains

from alerts.models import Alert
from alerts.services import fan_out
from bookings.models import Booking, BookingEvent, Customer
from scheduling.models import Reservation, Session
from tests.factories import ANNA, book, make_activity, make_session, make_unit, make_venue
from tests.staff.admin_site import list_address, messages_of, page_address
from tests.staff.conftest import SignIn

pytestmark = pytest.mark.django_db
CALLER = {"name": "Grace Hopper", "email": "Grace@Example.org", "phone": "+44 20 7946 0001"}


def desk_address(session: Session) -> str:
    """Return the page at which a session's day is shown."""
    day = session.starts_at.astimezone(session.activity.venue.zone).date()
    return f"{list_address(Booking)}add/?activity={session.activity_id}&day={day}"


def call(client: Client, session: Session, /, **overrides: Any) -> Any:
    """Fill in the form for one adult, unless said otherwise."""
    unit = session.activity.units.get(is_default=True)
    form = {**CALLER, "session": session.id, f"unit-{unit.id}": 1, **overrides}
    return client.post(desk_address(session), form, follow=True)


def nothing_written() -> bool:
    return not (Booking.objects.exists() or Customer.objects.exists() or Reservation.objects.exists())


def test_reception_books_for_a_caller(sign_in: SignIn) -> None:
    session = make_session(capacity=10)
    child = make_unit(session.activity, name="Child", price_minor=500)
    client = sign_in(session.organization, "reception")
    assertContains(client.get(desk_address(session)), "10 left")
    answer = call(client, session, **{f"unit-{child.id}": 2})
    booking = Booking.objects.get()
    assert messages_of(answer) == [f"Booked: {booking.number} for Grace Hopper, £20.00."]
    assert answer.redirect_chain == [(page_address(booking), 302)]
    assert (booking.status, booking.customer.email, booking.contact_phone) == (
        "confirmed", "grace@example.org", "+44 20 7946 0001",
    )  # fmt: skip
    user_id = client.session["_auth_user_id"]
    facts = BookingEvent.objects.values_list("actor_kind", "channel", "actor_id")
    assert {(kind, channel, str(actor)) for kind, channel, actor in facts} == {("staff", "admin", user_id)}
    session.refresh_from_db()
    assert session.places_booked == 3


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"email": "nonsense"}, "Enter a valid email address."),
        ({"name": ""}, "Ask for the name."),
        ({"session": ""}, "Choose a session."),
        ({"unit": 0}, "Say how many people come."),
        ({"unit": 9}, "Only 2 of these places are left."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(sign_in: SignIn, overrides: dict[str, Any], words: str) -> None:
    session = make_session(capacity=2)
    unit = session.activity.units.get()
    named = {f"unit-{unit.id}" if name == "unit" else name: value for name, value in overrides.items()}
    answer = call(sign_in(session.organization), session, **named)
    assertContains(answer, words, status_code=409 if "places" in words else 422)
    assert nothing_written()


def test_a_price_that_must_be_paid_first_is_refused_in_words(sign_in: SignIn) -> None:
    session = make_session(make_activity(pay_on_arrival=False))
    answer = call(sign_in(session.organization), session)
    assertContains(answer, "has to be paid for before it can be confirmed", status_code=402)
    assert nothing_written()


def test_a_session_that_takes_no_bookings_says_why_and_cannot_be_chosen(sign_in: SignIn) -> None:
    session = make_session(status="closed")
    client = sign_in(session.organization)
    assertContains(client.get(desk_address(session)), "The venue has closed this session for booking.")
    assertContains(call(client, session), "Select a valid choice", status_code=422)
    assert nothing_written()


# Beyond the capacity --------------------------------------------------------------------------------------------------


def test_a_manager_books_beyond_the_capacity_with_a_reason(sign_in: SignIn) -> None:
    session = make_session(capacity=2)
    book(session)
    client, unit = sign_in(session.organization), session.activity.units.get()
    short = {f"unit-{unit.id}": 3}
    refused = call(client, session, **short)
    assertContains(refused, "Only 1 of these places", status_code=409)
    assertContains(refused, "Beyond the capacity, because", status_code=409)
    assert Booking.objects.count() == 1
    answer = call(client, session, **short, overbook_reason="The school coach brought one more")
    booking = Booking.objects.latest("id")
    assert answer.redirect_chain == [(page_address(booking), 302)]
    session.refresh_from_db()
    assert (session.capacity_total, session.places_booked, session.honoured_capacity) == (2, 4, 4)
    assert Reservation.objects.get(lines__booking=booking).overbooked
    assertContains(answer, "3 places")
    page = client.get(page_address(session))
    for text in ("over by 2, honoured", "Booked beyond the capacity", "The school coach brought one more"):
        assertContains(page, text)


@pytest.mark.parametrize("reason", ["", "   "])
def test_beyond_the_capacity_nobody_books_without_a_reason(sign_in: SignIn, reason: str) -> None:
    session = make_session(capacity=1)
    book(session)
    answer = call(sign_in(session.organization), session, overbook_reason=reason)
    assert (answer.status_code, Booking.objects.count()) == (409, 1)
    assertContains(answer, "Beyond the capacity, because", status_code=409)


@pytest.mark.parametrize("places", [0, 1])
def test_reception_cannot_book_beyond_the_capacity_even_by_a_crafted_form(sign_in: SignIn, places: int) -> None:
    session = make_session(capacity=2)
    book(session, party_size=2 - places)
    unit = session.activity.units.get()
    client = sign_in(session.organization, "reception")
    assertNotContains(client.get(desk_address(session)), "overbook_reason")
    answer = call(client, session, **{f"unit-{unit.id}": 2}, overbook_reason="Because I say so")
    assert answer.status_code in (409, 422)
    session.refresh_from_db()
    assert (Booking.objects.count(), session.places_booked, session.honoured_capacity) == (1, 2 - places, 0)


def test_a_reason_is_not_needed_and_leaves_no_mark_while_there_is_room(sign_in: SignIn) -> None:
    session = make_session(capacity=5)
    call(sign_in(session.organization), session, overbook_reason="Just in case")
    assert not Reservation.objects.get().overbooked


def test_a_full_session_can_be_chosen_by_whoever_may_overbook_alone(sign_in: SignIn) -> None:
    session = make_session(capacity=1)
    book(session)
    radio = f'name="session" value="{session.id}" required'
    for role, disabled in (("manager", False), ("reception", True)):
        page = sign_in(session.organization, role).get(desk_address(session)).content.decode()
        assert (radio in page, f"{radio} disabled" in page) == (True, disabled)


def test_a_duplicate_is_named_and_booked_once_it_is_said_to_be_meant(sign_in: SignIn) -> None:
    session = make_session()
    first = book(session)
    client = sign_in(session.organization)
    caller = {"email": ANNA.email, "name": ANNA.name}
    assertNotContains(client.get(desk_address(session)), "confirm_duplicate")
    answer = call(client, session, **caller)
    assertContains(answer, f"This address has booked this already: {first.number}", status_code=409)
    assertContains(answer, 'name="confirm_duplicate"', status_code=409)
    assert Booking.objects.count() == 1
    refused = call(client, session, **caller, confirm_duplicate="on")
    assertContains(refused, "Say why a second booking is meant", status_code=422)
    assert Booking.objects.count() == 1
    call(client, session, **caller, confirm_duplicate="on", duplicate_reason="A second group of hers")
    second = Booking.objects.exclude(id=first.id).get()
    assert second.events.get(kind="duplicate_overridden").detail.note == "A second group of hers"


def test_another_tenants_activity_is_not_on_the_desk(sign_in: SignIn) -> None:
    own = make_session(make_activity(name="Our archery"))
    foreign = make_session(make_activity(name="Their archery"))
    client = sign_in(own.organization)
    page = client.get(desk_address(foreign))
    assertNotContains(page, "Their archery")
    assertNotContains(page, "left</span>")
    assert call(client, foreign).status_code == 422
    assert nothing_written()


@pytest.mark.parametrize("role", ["instructor", "auditor"])
def test_who_may_not_book_finds_no_desk(sign_in: SignIn, role: str) -> None:
    session = make_session()
    client = sign_in(session.organization, role)
    assert (client.get(desk_address(session)).status_code, call(client, session).status_code) == (403, 403)
    assert nothing_written()


def test_a_bookings_page_tells_its_story_by_the_venues_clock(sign_in: SignIn) -> None:
    session = make_session(make_activity(make_venue(timezone="Asia/Kolkata")))
    call(sign_in(session.organization), session)
    booking = Booking.objects.get()
    page = sign_in(session.organization, "instructor").get(page_address(booking))
    at = booking.events.get(seq=1).at.astimezone(session.activity.venue.zone)
    assertContains(page, f"{at:%H:%M} · by manager-")
    assertContains(page, "· desk")
    assertContains(page, "1 × Adult")


@pytest.mark.parametrize("words", ["number", "Anna", "anna@example.org", "7946 0000"])
def test_a_booking_is_found_by_number_name_address_and_phone(sign_in: SignIn, words: str) -> None:
    session = make_session()
    booking = book(session)
    call(sign_in(session.organization), session)
    query = booking.number if words == "number" else words
    found = sign_in(session.organization).get(list_address(Booking), {"q": query}).context["cl"].result_list
    assert list(found) == [booking]


@pytest.mark.parametrize("words", ["Anna", "anna@example.org", "7946 0000"])
def test_a_customer_is_found_by_name_address_and_phone(sign_in: SignIn, words: str) -> None:
    session = make_session()
    booking = book(session)
    call(sign_in(session.organization), session)
    found = sign_in(session.organization).get(list_address(Customer), {"q": words}).context["cl"].result_list
    assert list(found) == [booking.customer]


def test_reception_acknowledges_an_alert_and_finds_the_booking_that_it_is_about(sign_in: SignIn) -> None:
    session = make_session()
    client = sign_in(session.organization, "reception")
    first = book(session)
    call(client, session, email=ANNA.email)
    fan_out.fan_out_facts()
    alert = Alert.objects.get()
    assertContains(client.get(list_address(Alert)), '<strong class="unread">Potential duplicate booking</strong>')
    assertContains(client.get(page_address(alert)), page_address(first))
    form = {"action": "acknowledge_alerts", "_selected_action": [str(alert.id)], "from_page": str(alert.id)}
    client.post(list_address(Alert), form)
    alert.refresh_from_db()
    assert (alert.status, str(alert.acknowledged_by_id)) == ("acknowledged", client.session["_auth_user_id"])
    assertNotContains(client.get(list_address(Alert)), 'class="unread"')
