"""Facts reach their consumers once: whoever dies, however often and by how many it is asked."""

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import cache
from django.db import transaction

from alerts import nudges
from alerts.consumers import CONSUMERS, Consumer
from alerts.models import Alert, Handled
from alerts.services import fan_out
from alerts.tasks import fan_out_facts, fan_out_parked_facts
from bookings.models import BookingEvent
from bookings.services import lifecycle
from bookings.signals import fact_recorded
from config.celery import app
from scheduling.services.sessions import close_session
from tests.concurrency.races import race
from tests.conftest import RunPython, RunSql
from tests.factories import CUSTOMER, book, make_session

pytestmark = pytest.mark.usefixtures("committed_db")


def facts(number: int = 1) -> list[UUID]:
    """Book over and over; return the facts that become alerts."""
    session = make_session(capacity=50)
    book(session)
    return [book(session).events.get(kind="duplicate_overridden").id for _ in range(number)]


def alerts_by_fact() -> list[UUID | None]:
    return list(Alert.objects.order_by("fact_id").values_list("fact_id", flat=True))


def test_every_wanted_fact_becomes_one_alert_in_order_and_others_are_left_alone() -> None:
    wanted = facts(3)
    assert fan_out.fan_out_facts() == 3 + 4 + 3  # each booking is told to its customer, and what was doubled to staff
    assert [alert.fact_id for alert in Alert.objects.order_by("created_at")] == wanted
    assert BookingEvent.objects.count() > 3
    handled = Handled.objects.filter(consumer="alerts").values_list("fact_id", "consumer")
    assert set(handled) == {(fact, "alerts") for fact in wanted}


def test_a_doubled_task_changes_nothing() -> None:
    wanted = facts()
    assert [fan_out_facts(), fan_out_facts(), fan_out_facts()] == [1 + 2 + 1, 0, 0]
    assert alerts_by_fact() == wanted


def test_four_sweeps_at_once_make_one_alert_a_fact() -> None:
    wanted = facts(12)
    handed_over = race([fan_out.fan_out_facts] * 4)
    assert sum(number for number in handed_over if isinstance(number, int)) == 12 + 13 + 12
    assert alerts_by_fact() == wanted


def test_four_sweeps_make_many_alerts_when_nobody_notes_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    facts(12)
    effects: list[UUID] = []
    start = Barrier(4, timeout=20)

    def handle(fact: BookingEvent) -> None:
        effects.append(fact.id)

    def sweep() -> int:
        start.wait()
        return fan_out.fan_out_facts()

    consumer = Consumer(kinds=CONSUMERS["alerts"].kinds, handle=handle)
    monkeypatch.setattr(fan_out, "CONSUMERS", {"alerts": consumer})
    monkeypatch.setattr(fan_out, "_note", lambda *_: True)
    race([sweep] * 4)
    assert len(effects) > 12


DIE_BEFORE_THE_COMMIT = """
import os
from alerts import consumers
from alerts.services import fan_out, alerts
def die(fact):
    alerts.raise_alert(fact)
    os._exit(137)
fan_out.CONSUMERS = {"alerts": consumers.Consumer(kinds=consumers.CONSUMERS["alerts"].kinds, handle=die)}
fan_out.fan_out_facts()
"""
DIE_AFTER_THE_COMMIT = """
import os
from alerts.services import fan_out
hand_over = fan_out.hand_over
def once(*arguments):
    hand_over(*arguments)
    os._exit(137)
fan_out.hand_over = once
fan_out.fan_out_facts()
"""


@pytest.mark.parametrize(("death", "alerts_then"), [(DIE_BEFORE_THE_COMMIT, 0), (DIE_AFTER_THE_COMMIT, 1)])
def test_a_worker_that_dies_in_the_middle_still_makes_exactly_one_alert(
    run_python: RunPython, death: str, alerts_then: int
) -> None:
    wanted = facts()
    assert run_python(death).returncode == 137
    assert len(alerts_by_fact()) == alerts_then
    fan_out.fan_out_facts()
    assert alerts_by_fact() == wanted


def test_a_fact_that_cannot_be_taken_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = facts(2)
    consumer = CONSUMERS["alerts"]

    def handle(fact: BookingEvent) -> Any:
        if fact.id == bad:
            raise ValueError("no")
        return consumer.handle(fact)

    with monkeypatch.context() as patch:
        patch.setattr(fan_out, "CONSUMERS", {"alerts": Consumer(consumer.kinds, handle)})
        assert fan_out.fan_out_facts() == 1
    assert alerts_by_fact() == [good]
    assert f"alerts could not take the fact {bad}" in caplog.text
    assert list(fan_out.unhandled_facts("alerts", consumer, "booking").values_list("id", flat=True)) == [bad]
    fan_out.fan_out_facts()
    assert alerts_by_fact() == [bad, good]


def test_a_poisoned_fact_is_parked_after_some_tries_staff_are_told_and_others_proceed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, good = facts(2)
    consumers, tried = dict(CONSUMERS), list[UUID]()

    def handle(fact: BookingEvent) -> Any:
        tried.append(fact.id)
        if fact.id == bad:
            raise ValueError("no")
        return consumers["alerts"].handle(fact)

    with monkeypatch.context() as patch:
        patch.setattr(fan_out, "CONSUMERS", {**consumers, "alerts": Consumer(consumers["alerts"].kinds, handle)})
        for _ in range(fan_out.TRIES + 3):
            fan_out.fan_out_facts()
        assert (tried.count(bad), tried.count(good)) == (fan_out.TRIES, 1)
        assert Handled.objects.filter(consumer="messages").count() == 3 + 2
        parked = Alert.objects.get(type="fact_parked_alerts")
        assert (parked.fact_id, parked.severity, parked.metadata["error"]) == (bad, "high", "ValueError")
        assert (fan_out.count_parked(), fan_out.count_unhandled()) == (1, 1)
        fan_out_parked_facts()
        assert tried.count(bad) == fan_out.TRIES + 1
    assert fan_out_facts() == 0  # the fault is mended: the hourly sweep has it
    assert fan_out_parked_facts() == 1
    assert (fan_out.count_parked(), fan_out.count_unhandled()) == (0, 0)


def test_what_lay_for_days_is_found_by_the_hourly_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = facts()
    monkeypatch.setattr(fan_out, "RECENT", timedelta(seconds=-1))  # all of it is older than that
    assert fan_out_facts() == 0
    assert fan_out_parked_facts() == 4
    assert alerts_by_fact() == wanted


def test_a_fact_of_any_table_reaches_whoever_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    session, heard = make_session(), list[str]()
    consumer = Consumer({"schedule": frozenset({"session_closed"})}, lambda fact: heard.append(fact.kind))
    monkeypatch.setattr(fan_out, "CONSUMERS", {"test": consumer})
    close_session(session_id=session.id, actor=CUSTOMER)
    assert [fan_out.fan_out_facts(), fan_out.fan_out_facts()] == [1, 0]
    assert heard == ["session_closed"]


def test_nobody_rewrites_what_was_handled(admin_sql: RunSql) -> None:
    assert admin_sql("SELECT has_table_privilege('holdfast_app', 'alerts_handled', 'UPDATE')") == [(False,)]
    assert admin_sql("SELECT has_table_privilege('holdfast_app', 'alerts_handled', 'DELETE')") == [(False,)]


# The nudge --------------------------------------------------------------------------------------------------------


@pytest.fixture
def heard() -> Iterator[list[str]]:
    kinds: list[str] = []

    def hear(kind: str, **_: Any) -> None:
        kinds.append(kind)

    fact_recorded.connect(hear)
    yield kinds
    fact_recorded.disconnect(hear)


def test_each_fact_is_told_after_its_commit(heard: list[str]) -> None:
    book(make_session())
    assert heard == ["booking_started", "booking_confirmed"]


def test_a_wanted_fact_asks_the_worker_and_an_unwanted_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    nudges.kinds.tell_rest()  # what earlier tests left
    asked: list[object] = []
    monkeypatch.setattr(nudges.kinds, "_tell", asked.append)
    booking = book(make_session())
    deadline = time.monotonic() + 5
    while not asked and time.monotonic() < deadline:
        time.sleep(0.02)
    assert asked == [{"booking_confirmed"}]  # and not booking_started
    with transaction.atomic():
        lifecycle.record_event(booking, kind="booking_looked_at", to_status="confirmed", actor=CUSTOMER)
    nudges.kinds.tell_rest()
    assert asked == [{"booking_confirmed"}]


def test_the_nudge_puts_one_task_into_the_workers_queue() -> None:
    nudges.ask_the_worker(set())
    with app.connection_for_read() as connection:
        message = connection.SimpleQueue("celery").get(timeout=5)
        message.ack()
    assert message.headers["task"] == "alerts.tasks.fan_out_facts"


def test_the_sweep_leaves_word_that_it_runs() -> None:
    fan_out_facts()
    assert cache.get(fan_out.FAN_OUT_RAN) == 0


BOOK_TWICE = """
import time
from bookings.services import checkout
from bookings.services.checkout import Terms, Wanted
from scheduling.services.assessing import Party
from tests.factories import ANNA, CUSTOMER
for meant in (False, True):
    began = time.monotonic()
    checkout.book_lines(lines=[Wanted(Party({session!r}, 1))], contact=ANNA, terms=Terms(confirm_duplicate=meant),
        actor=CUSTOMER)
    print(time.monotonic() - began < 1)
"""


def test_a_booking_does_not_notice_that_the_broker_is_away(
    run_python: RunPython, caplog: pytest.LogCaptureFixture
) -> None:
    session = make_session()
    caplog.set_level(logging.WARNING)
    nowhere = {"REDIS_URL": "redis://127.0.0.1:1/0"}
    child = run_python("from uuid import UUID\n" + BOOK_TWICE.format(session=session.id), env=nowhere)
    assert (child.returncode, child.stdout.split()) == (0, ["True", "True"]), child.stderr
    assert "fact-nudges" in child.stderr
    assert fan_out.fan_out_facts() == 1 + 2 + 1  # the sweep finds it; both bookings are told, and staff
