"""Buyers race for the last locker: one gets it, by the application's check and by the database's own guard."""

from collections.abc import Iterator
from functools import partial

import pytest
from django.db import connections
from django.db.models import Sum

from scheduling.models import Activity, Extra, Reservation, ReservationExtra, Session
from scheduling.services import capacity, catalogue, extras, price_rules, reservations
from scheduling.services.assessing import Party
from tests.concurrency.conftest import as_owner
from tests.concurrency.races import (
    Background,
    look_at_sessions,
    places_of,
    race,
    reclaim_nothing,
    somebody_elses_transaction,
    tally,
    wait_until_blocked,
)
from tests.factories import lapse, make_activity, make_extra, make_session

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def no_stock_trigger(committed_db: None) -> Iterator[None]:
    """Take the database's guard of the stock away."""
    with as_owner() as owner:
        owner.execute("ALTER TABLE scheduling_reservationextra DISABLE TRIGGER extra_within_stock")
    yield
    connections.close_all()
    with as_owner() as owner:
        owner.execute("ALTER TABLE scheduling_reservationextra ENABLE TRIGGER extra_within_stock")


@pytest.fixture
def no_check_of_stock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the application's check away."""
    monkeypatch.setattr(extras, "check_stock", lambda *_, **__: None)


def take(session: Session, extra: Extra) -> Reservation:
    party = Party(session_id=session.id, party_size=1, extras=((extra.id, 1),))
    return reservations.reserve_parties([party], email="ben@example.org")[0]


def last_locker() -> tuple[Session, Extra]:
    activity = make_activity()
    locker = make_extra(activity, stock_per_session=3)
    session = make_session(activity, capacity=50)
    for _ in range(2):
        take(session, locker)
    return session, locker


def taken(extra: Extra) -> int:
    return ReservationExtra.objects.filter(extra=extra).aggregate(n=Sum("count"))["n"] or 0


def test_one_of_eight_racing_buyers_gets_the_last_locker_and_the_others_take_nothing() -> None:
    session, locker = last_locker()

    outcomes = race([partial(take, session, locker)] * 8)

    assert tally(outcomes) == {"Reservation": 1, "NotEnoughExtras": 7}
    assert (taken(locker), places_of(session).held) == (3, 3)


@pytest.mark.usefixtures("no_check_of_stock")
def test_the_database_refuses_the_other_seven_when_the_applications_check_is_left_out() -> None:
    session, locker = last_locker()

    outcomes = race([partial(take, session, locker)] * 8)

    assert tally(outcomes) == {"Reservation": 1, "IntegrityError": 7}
    assert (taken(locker), places_of(session).held) == (3, 3)


@pytest.mark.usefixtures("no_check_of_stock")
def test_the_database_refuses_even_those_who_lock_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    session, locker = last_locker()
    monkeypatch.setattr(capacity, "lock_sessions", look_at_sessions)
    monkeypatch.setattr(capacity, "reclaim_lapsed", reclaim_nothing)

    outcomes = race([partial(take, session, locker)] * 8)

    assert tally(outcomes) == {"Reservation": 1, "IntegrityError": 7}
    assert taken(locker) == 3


@pytest.mark.usefixtures("no_check_of_stock", "no_stock_trigger")
def test_the_last_locker_is_sold_eight_times_when_both_guards_are_left_out() -> None:
    session, locker = last_locker()

    outcomes = race([partial(take, session, locker)] * 8)

    assert tally(outcomes) == {"Reservation": 8}
    assert taken(locker) == 10


def test_a_lapsed_holds_locker_goes_to_one_of_eight() -> None:
    session, locker = last_locker()
    lapse(take(session, locker))

    outcomes = race([partial(take, session, locker)] * 8)

    assert tally(outcomes) == {"Reservation": 1, "NotEnoughExtras": 7}


# Whoever changes what makes an activity plain -----------------------------------------------------------------------


def one_rule(activity: Activity, number: int) -> None:
    rule = price_rules.add_price_rule(activity_id=activity.id, name=f"Rule {number}", percent=number + 1)
    if number % 2:
        price_rules.end_price_rule(rule_id=rule.id)


def test_eight_at_once_who_add_and_end_rules_leave_the_flag_true_to_the_rows() -> None:
    activity = make_activity()

    outcomes = race([partial(one_rule, activity, number) for number in range(8)])

    assert tally(outcomes) == {"NoneType": 8}
    activity.refresh_from_db()
    assert not activity.plain_hold


def test_the_flag_is_computed_after_the_wait_for_another_writer_and_not_from_before_it() -> None:
    activity = make_activity()
    with somebody_elses_transaction() as other:
        other.execute("SELECT FROM scheduling_activity WHERE id = %s FOR NO KEY UPDATE", [activity.id])
        other.execute(
            """INSERT INTO scheduling_pricerule (id, organization_id, activity_id, name, position, weekdays, percent)
            VALUES (uuid7(), %s, %s, 'Weekend', 0, '{}', 20)""",
            [activity.organization_id, activity.id],
        )
        waiting = Background(partial(catalogue.refresh_plain_hold, activity_id=activity.id))
        wait_until_blocked()
    assert waiting.outcome() is False
