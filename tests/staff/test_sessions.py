"""The sessions page: how full each is, and what staff do to one."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django.asserts import assertContains, assertNotContains

from bookings.services.cancellation import cancel_booking
from scheduling.fill import Fill
from scheduling.models import Session
from scheduling.services import capacity
from tests.factories import CUSTOMER, book, hold, lapse, make_session
from tests.staff.admin_site import act, list_address, messages_of, page_address
from tests.staff.conftest import SignIn, make_member

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("taken", "word"),
    [(0, ""), (79, ""), (80, "nearly full"), (99, "nearly full"), (100, "full"), (103, "over by 3, honoured")],
)
def test_the_word_beside_the_bar_changes_at_80_and_100_percent(taken: int, word: str) -> None:
    assert Fill(taken, 100).word == word


@pytest.mark.parametrize(
    ("taken", "level", "word"), [(79, "room", ""), (80, "nearly-full", "nearly full"), (100, "full", "full")]
)
def test_the_list_warns_from_80_percent_on(sign_in: SignIn, taken: int, level: str, word: str) -> None:
    session = make_session(capacity=100)
    book(session, party_size=taken)
    page = sign_in(session.organization).get(list_address(Session))
    assertContains(page, f'<span class="fill fill-{level}"><span class="fill-count">{taken} of 100</span>')
    assertContains(page, f'<progress max="100" value="{taken}" aria-label="{taken} of 100 places taken">')
    assertContains(page, f'<span class="fill-word">{word}</span>')


def test_a_cut_below_what_is_booked_is_shown_as_honoured(sign_in: SignIn) -> None:
    session = make_session(capacity=10)
    book(session, party_size=10)
    capacity.set_capacity(session_id=session.id, capacity=8)
    page = sign_in(session.organization).get(list_address(Session))
    assertContains(page, "over by 2, honoured")
    assertContains(page, "10 of 8")


def test_what_has_lapsed_is_not_taken(sign_in: SignIn) -> None:
    session = make_session(capacity=10)
    lapse(hold(session, party_size=8))
    page = sign_in(session.organization).get(list_address(Session))
    assertContains(page, "0 of 10")
    assertNotContains(page, "nearly full")


def test_sessions_are_found_by_the_venues_day(sign_in: SignIn) -> None:
    session = make_session(starts_in=timedelta(minutes=1))
    past = make_session(session.activity, starts_in=timedelta(days=-3))
    next_month = make_session(session.activity, starts_in=timedelta(days=20))
    client = sign_in(session.organization)
    found = {
        when: {row.id for row in client.get(list_address(Session), {"when": when} if when else {}).context["cl"]
            .result_list}
        for when in ("", "week", "past", "all", "tomorrow")
    }  # fmt: skip
    assert found == {
        "": {session.id, next_month.id},
        "week": {session.id},
        "past": {past.id},
        "all": {session.id, past.id, next_month.id},
        "tomorrow": found["tomorrow"] - {past.id, next_month.id},
    }


def test_staff_close_a_session_and_reopen_it(sign_in: SignIn) -> None:
    session = make_session()
    client = sign_in(session.organization, "reception")
    assert messages_of(act(client, "close_sessions", session))[0].endswith("closed for new bookings.")
    session.refresh_from_db()
    assert session.status == "closed"
    answer = act(client, "reopen_sessions", session, from_page=True)
    assert answer.redirect_chain == [(page_address(session), 302)]
    session.refresh_from_db()
    assert session.status == "published"


def test_a_sessions_own_page_offers_what_can_be_done_with_it_now(sign_in: SignIn) -> None:
    session = make_session()
    client = sign_in(session.organization)
    assertContains(client.get(page_address(session)), "Close for new bookings")
    assertNotContains(client.get(page_address(session)), "Take bookings again")
    act(client, "close_sessions", session)
    assertContains(client.get(page_address(session)), "Take bookings again")


def test_recalculating_repairs_the_counters_says_by_how_much_and_is_logged() -> None:
    session = make_session(capacity=10)
    book(session, party_size=3)
    Session.objects.filter(id=session.id).update(places_booked=7, places_held=1)  # past the one door
    user, client = make_member(session.organization, "manager"), Client()
    client.force_login(user)
    text = "recalculated and repaired: 1 held, 7 booked became 0 held, 3 booked."
    assert messages_of(act(client, "recalculate_sessions", session))[0].endswith(text)
    session.refresh_from_db()
    assert (session.places_held, session.places_booked) == (0, 3)
    entry = LogEntry.objects.get(object_id=str(session.id))
    assert (entry.user_id, entry.change_message) == (user.id, text.capitalize())


def test_recalculating_what_is_right_says_so(sign_in: SignIn) -> None:
    session = make_session(capacity=10)
    book(session, party_size=3)
    said = messages_of(act(sign_in(session.organization), "recalculate_sessions", session))
    assert said[0].endswith("recalculated, nothing was off: 0 held, 3 booked.")


def test_counters_and_status_are_no_form_fields(sign_in: SignIn) -> None:
    session = make_session()
    page = sign_in(session.organization).get(page_address(session)).content.decode()
    assert all(f'name="{name}"' not in page for name in ("capacity_total", "places_held", "places_booked", "status"))


def test_staff_call_a_session_off_with_offers_and_cancel_it_once_it_is_empty(sign_in: SignIn) -> None:
    session = make_session(starts_in=timedelta(days=3))
    booking = book(session)
    client = sign_in(session.organization)
    page = act(client, "revise_sessions", session)
    address = page.redirect_chain[-1][0]
    assertContains(client.post(address, {"what": "close"}, follow=True), "Say why", status_code=422)
    rehearsal = client.post(address, {"what": "close", "reason": "Storm"}, follow=True)
    assertContains(rehearsal, "offered to move or to cancel without a fee")
    client.post(rehearsal.redirect_chain[-1][0], {"apply": ""}, follow=True)
    session.refresh_from_db()
    assert (session.status, booking.events.filter(kind="session_closed_offers").count()) == ("closed", 1)
    assert "1 places are booked" in messages_of(act(client, "cancel_sessions", session))[0]
    cancel_booking(booking_id=booking.id, actor=CUSTOMER)
    assert messages_of(act(client, "cancel_sessions", session))[0].endswith("cancelled; nobody was booked.")
    session.refresh_from_db()
    assert session.status == "cancelled"
