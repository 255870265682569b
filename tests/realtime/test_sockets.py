"""What a page hears over its WebSocket."""

import time
from datetime import timedelta
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import uuid4

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from alerts.transports.push import tell_changes
from config.kit.facts import SYSTEM
from config.tenants.models import Organization
from scheduling.models import Activity, Session
from scheduling.services import capacity, reservations, sessions
from tests import factories
from tests.realtime.conftest import Realtime, state

SPACING_SECONDS = 0.5


def test_a_hold_reaches_those_who_follow_its_activity(realtime: Realtime) -> None:
    session = factories.make_session(capacity=10)
    with realtime.socket(f"activity={session.activity_id}") as page:
        assert page.next() == {"snapshot": [state(session.id, 10, 1)]}
        factories.hold(session, party_size=3)
        assert page.next() == state(session.id, 7, 2)


def test_a_hold_reaches_those_who_follow_its_venue_by_its_embed_key(realtime: Realtime) -> None:
    session = factories.make_session(capacity=10)
    neighbour = factories.make_session(factories.make_activity(session.activity.venue), capacity=5)
    with realtime.socket(f"venue={session.activity.venue.embed_key}") as widget:
        snapshot = widget.next()
        assert sorted(row["session"] for row in snapshot["snapshot"]) == sorted([str(session.id), str(neighbour.id)])
        factories.hold(neighbour)
        assert widget.next() == state(neighbour.id, 4, 2)


def test_others_activities_are_not_heard(realtime: Realtime) -> None:
    session, other = factories.make_session(), factories.make_session()
    with realtime.socket(f"activity={session.activity_id}") as page:
        page.next()
        factories.hold(other)
        assert page.rest(seconds=1) == []


def test_twenty_holds_in_a_second_are_few_messages_and_the_last_one_is_true(realtime: Realtime) -> None:
    session = factories.make_session(capacity=50)
    with realtime.socket(f"activity={session.activity_id}") as page:
        page.next()
        started = time.monotonic()
        for _ in range(20):
            factories.hold(session)
            time.sleep(0.04)
        took = time.monotonic() - started
        heard = page.rest(seconds=1.5)
    assert heard[-1] == state(session.id, 30, 21)
    assert 2 <= len(heard) <= took / SPACING_SECONDS + 2
    assert [message["version"] for message in heard] == sorted({message["version"] for message in heard})


def test_messages_on_one_session_are_half_a_second_apart(realtime: Realtime) -> None:
    session = factories.make_session(capacity=50)
    with realtime.socket(f"activity={session.activity_id}") as page:
        page.next()
        factories.hold(session)
        page.next()
        first_at = time.monotonic()
        factories.hold(session)
        page.next()
        assert time.monotonic() - first_at > SPACING_SECONDS * 0.8


def test_a_full_session_is_called_full_and_a_released_one_is_open_again(realtime: Realtime) -> None:
    session = factories.make_session(capacity=2)
    with realtime.socket(f"activity={session.activity_id}") as page:
        page.next()
        reservation = factories.hold(session, party_size=2)
        assert page.next() == state(session.id, 0, 2, status="full")
        reservations.release_reservation(reservation_id=reservation.id)
        assert page.next() == state(session.id, 2, 3)


def test_a_closed_session_is_called_closed(realtime: Realtime) -> None:
    session = factories.make_session(capacity=2)
    with realtime.socket(f"activity={session.activity_id}") as page:
        page.next()
        sessions.close_session(session_id=session.id, actor=SYSTEM)
        assert page.next() == state(session.id, 2, 2, status="closed")


def test_lapsed_holds_count_as_free_in_the_snapshot_and_the_sweep_tells_them(realtime: Realtime) -> None:
    session = factories.make_session(capacity=5)
    reservation = factories.hold(session, party_size=4)
    with realtime.socket(f"activity={session.activity_id}") as page:
        assert page.next() == {"snapshot": [state(session.id, 1, 2)]}
        page.rest(seconds=1)
        factories.lapse(reservation)
        reservations.release_expired_reservations()
        assert page.next() == state(session.id, 5, 3)
    lapsed = factories.hold(session, party_size=4)
    factories.lapse(lapsed)
    with realtime.socket(f"activity={session.activity_id}") as page:
        assert page.next() == {"snapshot": [state(session.id, 5, 4)]}


def test_nothing_is_free_while_others_wait(realtime: Realtime) -> None:
    session = factories.make_session(capacity=5)
    Session.objects.filter(id=session.id).update(waiting=1)
    with realtime.socket(f"activity={session.activity_id}") as page:
        assert page.next() == {"snapshot": [state(session.id, 0, 1, status="full")]}


def test_a_changed_timetable_or_price_is_told_as_the_activity(realtime: Realtime) -> None:
    session = factories.make_session()
    news = {"activity": str(session.activity_id)}
    with (
        realtime.socket(f"activity={session.activity_id}") as page,
        realtime.socket(f"venue={session.activity.venue.embed_key}") as widget,
    ):
        page.next()
        widget.next()
        tell_changes(sessions=[], activities=[session.activity_id])
        assert (page.next(), widget.next()) == (news, news)


def test_the_snapshot_ends_where_a_list_of_sessions_does(realtime: Realtime) -> None:
    activity = factories.make_activity()
    soon = factories.make_session(activity)
    factories.make_session(activity, starts_in=timedelta(days=63))
    factories.make_session(activity, starts_in=-timedelta(hours=2))
    with realtime.socket(f"activity={activity.id}") as page:
        assert page.next() == {"snapshot": [state(soon.id, 10, 1)]}


def test_a_cut_that_is_honoured_shows_nothing_left(realtime: Realtime) -> None:
    session = factories.make_session(capacity=5)
    factories.hold(session, party_size=4)
    with realtime.socket(f"activity={session.activity_id}") as page:
        page.next()
        page.rest(seconds=1)
        capacity.set_capacity(session_id=session.id, capacity=2)
        assert page.next() == state(session.id, 0, 3, status="full")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"])
def test_a_foreign_page_is_refused_in_the_handshake(realtime: Realtime, origin: str) -> None:
    session = factories.make_session()
    query = f"activity={session.activity_id}"
    with pytest.raises(InvalidStatus) as refused, realtime.socket(query, origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_a_page_that_the_venue_allows_is_welcome_and_only_there(realtime: Realtime) -> None:
    venue = factories.make_venue(allowed_embed_origins=["https://school.example"])
    session, other = factories.make_session(factories.make_activity(venue)), factories.make_session()
    with realtime.socket(f"activity={session.activity_id}", origin="https://school.example") as page:
        assert page.next() == {"snapshot": [state(session.id, 10, 1)]}
    query = f"activity={other.activity_id}"
    with pytest.raises(InvalidStatus), realtime.socket(query, origin="https://school.example"):
        pass


def test_a_program_without_an_origin_is_welcome(realtime: Realtime) -> None:
    session = factories.make_session()
    with realtime.socket(f"activity={session.activity_id}", origin=None) as program:
        assert program.next() == {"snapshot": [state(session.id, 10, 1)]}


def test_what_is_unknown_or_not_on_sale_does_not_exist(realtime: Realtime) -> None:
    draft = factories.make_activity(status=Activity.Status.DRAFT)
    suspended = factories.make_organization(status=Organization.Status.SUSPENDED)
    elsewhere = factories.make_activity(factories.make_venue(suspended))
    queries = [
        f"activity={uuid4()}", f"activity={draft.id}", f"activity={elsewhere.id}", f"venue={'0' * 32}", "activity=x",
        f"venue={elsewhere.venue.embed_key}", "", f"activity={draft.id}&venue={draft.venue.embed_key}", "venue=%00",
    ]  # fmt: skip
    for query in queries:
        with realtime.socket(query) as page:
            assert page.close_code() == 4404, query


def test_no_other_address_answers(realtime: Realtime) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{realtime.port}/admin/", proxy=None):
        pass
    assert refused.value.response.status_code == 403
    for path in ("/", "/admin/", "/api/v1/activities", "/static/css/holdfast.css"):
        with pytest.raises(HTTPError) as answer:
            urlopen(f"http://127.0.0.1:{realtime.port}{path}", timeout=10)
        assert answer.value.code == 404
