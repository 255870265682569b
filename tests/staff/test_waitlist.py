"""Waiting lists at the desk: who stands where, put somebody on, ask them sooner, take them off."""

from typing import Any

import pytest
from django.test import Client
from pytest_django.asserts import assertContains

from bookings.models import WaitlistEntry
from scheduling.models import Session
from tests.factories import book, join, make_session, stranger
from tests.staff.admin_site import act, list_address, messages_of, page_address
from tests.staff.conftest import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def full() -> Session:
    session = make_session(capacity=2)
    book(session, party_size=2, contact=stranger())
    return session


def shown(client: Client, session: Session) -> list[tuple[str, str]]:
    """Return who is in a session's list, with their place in line, in the list's order."""
    page = client.get(f"{list_address(WaitlistEntry)}?choices__session__id__exact={session.id}")
    rows = page.context["cl"].result_list
    return [(row.name, "" if row.ahead is None else str(row.ahead)) for row in rows]


def add(client: Client, session: Session, **changes: Any) -> Any:
    unit = session.activity.units.get()
    form = {"name": "Carl", "email": "Carl@example.org", "phone": "", f"unit-{unit.id}": 2, "priority": 0, **changes}
    return client.post(f"{list_address(WaitlistEntry)}add/?session={session.id}", form, follow=True)


def test_a_sessions_list_shows_who_is_asked_first(sign_in: SignIn, full: Session) -> None:
    first, second, third = (join(full, 1) for _ in range(3))
    other = make_session(full.activity, capacity=1)
    client = sign_in(full.organization)
    act(client, "raise_entries", third)
    assert shown(client, full) == [(third.name, "1"), (first.name, "2"), (second.name, "3")]
    act(client, "lower_entries", first)
    assert shown(client, full) == [(third.name, "1"), (second.name, "2"), (first.name, "3")]
    assert shown(client, other) == []
    assertContains(client.get(page_address(full)), "3 waiting")


def test_reception_puts_a_caller_on_the_list_of_a_session(sign_in: SignIn, full: Session) -> None:
    client = sign_in(full.organization, "reception")
    assertContains(client.get(f"{list_address(WaitlistEntry)}add/"), "Begin at the session")
    assertContains(client.get(f"{list_address(WaitlistEntry)}add/?session={full.id}"), "This session is full.")
    answer = add(client, full, priority=3)
    entry = WaitlistEntry.objects.get()
    assert messages_of(answer) == ["Carl is on the waiting list."]
    assert (entry.email, entry.places, entry.priority) == ("carl@example.org", 2, 3)
    assert [(fact.actor_kind, fact.channel) for fact in entry.events.all()] == [("staff", "admin")]


def test_what_is_refused_is_said_on_the_form(sign_in: SignIn, full: Session) -> None:
    client = sign_in(full.organization)
    assert add(client, full).status_code == 200
    for changes, words in (({}, "is on the waiting list already"), ({"name": ""}, "Ask for the name."),
                           ({"email": "d@example.org", "priority": 101}, "100")):  # fmt: skip
        answer = add(client, full, **changes)
        assertContains(answer, words, status_code=422)
    assert WaitlistEntry.objects.count() == 1


def test_removing_somebody_notes_who_and_why_and_asks_the_next(sign_in: SignIn, full: Session) -> None:
    entry = join(full, 1)
    client = sign_in(full.organization, "reception")
    form = {"action": "remove_entries", "_selected_action": [str(entry.pk)], "from_page": str(entry.pk),
            "note": "called, does not come"}  # fmt: skip
    answer = client.post(list_address(WaitlistEntry), form, follow=True)
    entry.refresh_from_db()
    left = entry.events.get(kind="waitlist_left")
    assert (entry.status, left.reason_code, left.actor_kind, left.detail.note) == (
        "left", "removed_by_staff", "staff", "called, does not come",
    )  # fmt: skip
    assertContains(answer, "removed by staff: called, does not come")
    act(client, "raise_entries", entry)
    entry.refresh_from_db()
    assert entry.priority == 0


def test_another_organizations_session_has_no_list(sign_in: SignIn, full: Session) -> None:
    entry = join(full, 1)
    stranger_here = sign_in(make_session().organization)
    assert shown(stranger_here, full) == []
    assert add(stranger_here, full).status_code == 200  # the page that says where to begin
    act(stranger_here, "remove_entries", entry)
    entry.refresh_from_db()
    assert (entry.status, WaitlistEntry.objects.count()) == ("waiting", 1)
