"""What a reader of server-sent events gets."""

import re
from uuid import uuid4

import pytest
from django.db import connection

from config.run.processes import wait_until
from tests import factories
from tests.conftest import RunSql
from tests.realtime.conftest import SITE, Realtime, state


def test_a_reader_gets_a_snapshot_and_then_changes(realtime: Realtime) -> None:
    session = factories.make_session(capacity=10)
    with realtime.events(f"activity={session.activity_id}", Origin=SITE) as reader:
        assert reader.status == 200
        assert reader.answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert reader.answer.headers["Access-Control-Allow-Origin"] == SITE
        assert re.fullmatch(r"retry: \d{4}", reader.next_block()[0])
        assert reader.next() == {"snapshot": [state(session.id, 10, 1)]}
        factories.hold(session, party_size=2)
        assert reader.next() == state(session.id, 8, 2)


def test_a_reader_of_a_venue_hears_all_its_activities(realtime: Realtime) -> None:
    session = factories.make_session(capacity=10)
    neighbour = factories.make_session(factories.make_activity(session.activity.venue), capacity=5)
    with realtime.events(f"venue={session.activity.venue.embed_key}") as reader:
        reader.next()
        factories.hold(neighbour)
        assert reader.next() == state(neighbour.id, 4, 2)


def test_a_reader_who_comes_back_gets_what_was_missed_and_nothing_else(realtime: Realtime) -> None:
    first, second, third = factories.make_sessions(3, capacity=10)
    query = f"activity={first.activity_id}"
    with realtime.events(query) as reader:
        reader.next()
        factories.hold(first)
        assert reader.next() == state(first.id, 9, 2)
        seen = reader.last_id
    with realtime.events(query) as witness:
        witness.next()
        for session in (second, second, third):
            factories.hold(session)
        heard: dict[str, int] = {}
        while heard.get(str(third.id)) != 2 or heard.get(str(second.id)) != 3:
            message = witness.next()
            heard[message["session"]] = message["version"]
    with realtime.events(query, Last_Event_ID=seen) as reader:
        missed = [reader.next(), reader.next()]
        assert sorted(missed, key=lambda message: -message["version"]) == [
            state(second.id, 8, 3),
            state(third.id, 9, 2),
        ]
        factories.hold(first)
        assert reader.next() == state(first.id, 8, 3)


def test_a_mark_that_is_not_known_any_more_gets_a_snapshot(realtime: Realtime) -> None:
    session = factories.make_session(capacity=10)
    for mark in ("0badcafe-3", "nonsense", "-", "99"):
        with realtime.events(f"activity={session.activity_id}", Last_Event_ID=mark) as reader:
            assert reader.next() == {"snapshot": [state(session.id, 10, 1)]}


def test_a_mark_outlives_nothing_of_the_process(realtime: Realtime) -> None:
    session = factories.make_session(capacity=10)
    query = f"activity={session.activity_id}"
    with realtime.events(query) as reader:
        reader.next()
        factories.hold(session)
        reader.next()
        seen = reader.last_id
    realtime.stop()
    factories.hold(session)
    realtime.start()
    with realtime.events(query, Last_Event_ID=seen) as reader:
        assert reader.next() == {"snapshot": [state(session.id, 8, 3)]}


@pytest.mark.parametrize(("origin", "status"), [("https://evil.example", 403), ("null", 403), (SITE, 200)])
def test_a_foreign_page_is_refused(realtime: Realtime, origin: str, status: int) -> None:
    session = factories.make_session()
    with realtime.events(f"activity={session.activity_id}", Origin=origin) as reader:
        assert reader.status == status


def test_what_is_unknown_does_not_exist(realtime: Realtime) -> None:
    for query in (f"activity={uuid4()}", "activity=x", f"venue={'0' * 32}", "", "venue="):
        with realtime.events(query) as reader:
            assert reader.status == 404


def test_the_connection_to_the_database_is_given_back(realtime: Realtime, admin_sql: RunSql) -> None:
    session = factories.make_session()
    with realtime.events(f"activity={session.activity_id}") as reader:
        reader.next()
        count = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        connection.close()
        assert wait_until(lambda: admin_sql(count) == [(0,)], seconds=10)
