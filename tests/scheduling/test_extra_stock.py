"""What the trigger on extras lets through, whoever writes: the stock of a session, to the piece."""

import os
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from psycopg.errors import CheckViolation, FeatureNotSupported, ForeignKeyViolation

from config.kit.ids import uuid7
from scheduling.models import Extra, Reservation, ReservationExtra, Session
from scheduling.services.reservations import release_reservation
from tests.concurrency.races import race, tally
from tests.factories import hold, make_session

TAKE = """INSERT INTO scheduling_reservationextra (id, organization_id, reservation_id, extra_id, count, amount_minor)
    VALUES (%s, %s, %s, %s, %s, 300)"""


def make_locker(session: Session, stock: int | None) -> Extra:
    return Extra.objects.create(
        organization_id=session.organization_id, activity_id=session.activity_id, name="Locker", price_minor=300,
        stock_per_session=stock,
    )  # fmt: skip


def sql(statement: str, parameters: list[Any]) -> int:
    """Execute raw SQL in the application's role; return how many rows it wrote."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        written: int = cursor.rowcount
    return written


def take(reservation: Reservation, locker: Extra, count: int = 1) -> UUID:
    row = uuid7()
    sql(TAKE, [row, reservation.organization_id, reservation.id, locker.id, count])
    return row


def refused(act: Any) -> object:
    with pytest.raises(DatabaseError) as refusal:
        act()
    return type(refusal.value.__cause__)


@pytest.mark.django_db
def test_the_stock_is_each_sessions_own_and_comes_back_with_the_reservation() -> None:
    session = make_session()
    other = make_session(session.activity, starts_in=session.ends_at - session.starts_at)
    locker = make_locker(session, 2)
    first = hold(session)
    take(first, locker, 2)
    assert refused(partial(take, hold(session), locker)) is CheckViolation
    take(hold(other), locker, 2)
    release_reservation(reservation_id=first.id)
    take(hold(session), locker, 2)
    assert ReservationExtra.objects.count() == 3


@pytest.mark.django_db
def test_more_cannot_be_had_by_an_update_or_by_many_rows_at_once_either() -> None:
    session = make_session()
    locker = make_locker(session, 3)
    mine, theirs = hold(session), hold(session)
    row = take(mine, locker, 2)
    update = "UPDATE scheduling_reservationextra SET count = %s WHERE id = %s"
    assert refused(partial(sql, update, [4, row])) is CheckViolation
    assert sql(update, [1, row]) == 1
    one = "(%s, %s, %s, %s, 2, 300)"
    values = [value for r in (theirs, hold(session)) for value in (uuid7(), r.organization_id, r.id, locker.id)]
    both = TAKE.partition("VALUES")[0] + f"VALUES {one}, {one}"
    assert refused(partial(sql, both, values)) is CheckViolation


@pytest.mark.django_db
def test_after_a_cut_of_the_stock_who_has_some_keeps_them_and_may_give_some_back() -> None:
    session = make_session()
    locker = make_locker(session, 5)
    row = take(hold(session), locker, 5)
    Extra.objects.update(stock_per_session=1)
    update = "UPDATE scheduling_reservationextra SET count = %s, amount_minor = 0 WHERE id = %s"
    assert sql(update, [4, row]) == 1
    assert refused(partial(sql, update, [5, row])) is CheckViolation


@pytest.mark.django_db
def test_an_extra_cannot_come_before_its_reservation_and_so_past_the_count() -> None:
    session = make_session()
    locker = make_locker(session, 1)
    nobody = Reservation(id=uuid7(), organization_id=session.organization_id)
    assert refused(partial(take, nobody, locker)) is ForeignKeyViolation


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_writer_whose_snapshot_is_older_than_the_lock_is_turned_away(committed_db: None, level: str) -> None:
    session = make_session()
    locker, reservation = make_locker(session, 1), hold(session)
    with psycopg.connect(os.environ["DATABASE_URL"]) as other:
        other.execute(f"SET TRANSACTION ISOLATION LEVEL {level}".encode())
        with pytest.raises(FeatureNotSupported):
            other.execute(TAKE.encode(), [uuid7(), session.organization_id, reservation.id, locker.id, 1])
    assert not ReservationExtra.objects.exists()


def test_three_of_eight_writers_past_the_application_get_one_of_three_lockers(committed_db: None) -> None:
    session = make_session()
    locker = make_locker(session, 3)
    outcomes = race([partial(take, hold(session), locker) for _ in range(8)])
    assert tally(outcomes) == {"UUID": 3, "IntegrityError": 5}
    assert ReservationExtra.objects.count() == 3


def test_without_the_trigger_all_eight_get_one(committed_db: None, owner_sql: Any) -> None:
    owner_sql("ALTER TABLE scheduling_reservationextra DISABLE TRIGGER extra_within_stock")
    try:
        session = make_session()
        locker = make_locker(session, 3)
        assert tally(race([partial(take, hold(session), locker) for _ in range(8)])) == {"UUID": 8}
    finally:
        owner_sql("ALTER TABLE scheduling_reservationextra ENABLE TRIGGER extra_within_stock")
