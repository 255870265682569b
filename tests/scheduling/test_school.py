"""What the database itself keeps for a school: instructors' time, pupils in a group, and rooms and equipment."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import CheckViolation, ExclusionViolation, FeatureNotSupported, ForeignKeyViolation

from config.kit.clock import database_now
from config.kit.ids import uuid7
from scheduling.models import Assignment, Instructor, LessonGroup, Resource, ResourceUse, Session
from tests.concurrency.conftest import as_owner
from tests.concurrency.races import Background, race, tally, wait_until_blocked
from tests.conftest import empty_database
from tests.factories import make_session

NINE = datetime(2030, 1, 10, 9, tzinfo=UTC)
ASSIGN = """INSERT INTO scheduling_assignment
    (id, organization_id, instructor_id, session_id, status, starts_at, ends_at)
    VALUES (%s, %s, %s, %s, 'active', %s, %s)"""
USE = """INSERT INTO scheduling_resourceuse
    (id, organization_id, resource_id, session_id, status, quantity, starts_at, ends_at)
    VALUES (%s, %s, %s, %s, 'active', %s, %s, %s)"""
TAKE_A_PLACE = "UPDATE scheduling_lessongroup SET places_held = places_held + 1 WHERE id = %s"
RUN_OUT = "UPDATE {table} SET status = 'ended', ended_at = clock_timestamp() WHERE id = %s"


def sql(statement: str, parameters: list[Any]) -> int:
    """Execute raw SQL in the application's role; return how many rows it wrote."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        written: int = cursor.rowcount
    return written


def at(hour: float) -> datetime:
    return NINE + timedelta(hours=hour - 9)


def make_instructor(session: Session, **overrides: Any) -> Instructor:
    venue = session.activity.venue
    plain = {"organization_id": venue.organization_id, "venue": venue, "name": "Ingrid"}
    return Instructor.objects.create(**{**plain, **overrides})


def make_resource(session: Session, quantity: int = 1) -> Resource:
    venue = session.activity.venue
    return Resource.objects.create(
        organization_id=venue.organization_id, venue=venue, name=f"Skis {uuid7()}", quantity=quantity
    )


def make_group(session: Session, **overrides: Any) -> LessonGroup:
    plain = {"organization_id": session.organization_id, "name": "Beginners", "level": 0, "capacity_total": 3}
    return LessonGroup.objects.create(session=session, **{**plain, **overrides})


def assign(
    instructor: Instructor, session: Session, first: float, last: float, *, organization: UUID | None = None
) -> UUID:
    """Write an assignment by raw SQL; return its id."""
    row, owner = uuid7(), organization or session.organization_id
    sql(ASSIGN, [row, owner, instructor.id, session.id, at(first), at(last)])
    return row


def use(
    resource: Resource, session: Session, first: float, last: float, quantity: int = 1, *, owner: UUID | None = None
) -> UUID:
    """Write a use by raw SQL; return its id."""
    row = uuid7()
    sql(USE, [row, owner or session.organization_id, resource.id, session.id, quantity, at(first), at(last)])
    return row


def end(table: str, row: UUID) -> None:
    assert sql(RUN_OUT.format(table=table), [row]) == 1


@contextmanager
def refused(by: str, kind: type[psycopg.Error]) -> Iterator[None]:
    """Expect the database's own refusal, by this constraint and of this kind."""
    with pytest.raises(DatabaseError) as refusal:
        yield
    cause = refusal.value.__cause__
    assert isinstance(cause, kind)
    assert cause.diag.constraint_name == by


def without(take_out: str, put_back: str) -> Iterator[None]:
    """Take a guard away for the length of a test; what was written meanwhile would not pass it."""
    with as_owner() as owner:
        owner.execute(take_out.encode())
    yield
    connections.close_all()
    empty_database()
    with as_owner() as owner:
        owner.execute(put_back.encode())


def without_constraint(table: str, name: str) -> Iterator[None]:
    with as_owner() as owner:
        row = owner.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name]).fetchone()
    assert row is not None
    return without(f"ALTER TABLE {table} DROP CONSTRAINT {name}", f"ALTER TABLE {table} ADD CONSTRAINT {name} {row[0]}")


@pytest.fixture
def no_exclusion(committed_db: None) -> Iterator[None]:
    yield from without_constraint("scheduling_assignment", "instructor_one_place_at_a_time")


@pytest.fixture
def no_group_check(committed_db: None) -> Iterator[None]:
    yield from without_constraint("scheduling_lessongroup", "lesson_group_never_oversold")


@pytest.fixture
def no_resource_trigger(committed_db: None) -> Iterator[None]:
    table, name = "scheduling_resourceuse", "resource_within_quantity"
    yield from without(f"ALTER TABLE {table} DISABLE TRIGGER {name}", f"ALTER TABLE {table} ENABLE TRIGGER {name}")


@pytest.fixture
def no_cut_trigger(committed_db: None) -> Iterator[None]:
    yield from without(
        "ALTER TABLE scheduling_resource DISABLE TRIGGER resource_in_use",
        "ALTER TABLE scheduling_resource ENABLE TRIGGER resource_in_use",
    )


# Instructors ------------------------------------------------------------------------------------------------------

twice = partial(refused, "instructor_one_place_at_a_time", ExclusionViolation)


@pytest.mark.django_db
@pytest.mark.parametrize(("first", "last"), [(9, 10), (9.5, 9.75), (8, 9.01), (9.99, 12), (8, 12)])
def test_raw_sql_cannot_put_an_instructor_into_two_places_at_once(first: float, last: float) -> None:
    session = make_session()
    instructor = make_instructor(session)
    assign(instructor, session, 9, 10)
    with twice():
        assign(instructor, make_session(session.activity, starts_in=timedelta(days=2)), first, last)
    assert Assignment.objects.get().starts_at == NINE


@pytest.mark.django_db
def test_an_instructor_may_begin_when_another_lesson_ends_and_others_teach_meanwhile() -> None:
    session = make_session()
    instructor, other = make_instructor(session), make_instructor(session)
    for first, last in ((9, 10), (10, 11), (8, 9)):
        assign(instructor, session, first, last)
    assign(other, session, 8, 11)
    assert Assignment.objects.count() == 4


@pytest.mark.django_db
def test_an_assignment_that_ended_frees_the_time_and_cannot_come_back() -> None:
    session = make_session()
    instructor = make_instructor(session)
    first = assign(instructor, session, 9, 10)
    end("scheduling_assignment", first)
    assign(instructor, session, 9, 10)
    with pytest.raises(DatabaseError, match="status"):
        sql("UPDATE scheduling_assignment SET status = 'active', ended_at = NULL WHERE id = %s", [first])


@pytest.mark.django_db
def test_an_assignment_cannot_be_moved_onto_another_either() -> None:
    session = make_session()
    instructor, other = make_instructor(session), make_instructor(session)
    assign(instructor, session, 9, 10)
    later, of_other = assign(instructor, session, 10, 11), assign(other, session, 9, 10)
    with twice():
        sql("UPDATE scheduling_assignment SET starts_at = %s WHERE id = %s", [at(9.5), later])
    with twice():
        sql("UPDATE scheduling_assignment SET instructor_id = %s WHERE id = %s", [instructor.id, of_other])


def test_one_of_eight_writers_gets_the_instructors_hour(committed_db: None) -> None:
    session = make_session()
    instructor = make_instructor(session)
    outcomes = race([partial(assign, instructor, session, 9, 10) for _ in range(8)])
    assert tally(outcomes) == {"UUID": 1, "IntegrityError": 7}
    assert Assignment.objects.count() == 1


def test_without_the_constraint_eight_writers_share_the_hour(no_exclusion: None) -> None:
    session = make_session()
    instructor = make_instructor(session)
    outcomes = race([partial(assign, instructor, session, 9, 10) for _ in range(8)])
    assert tally(outcomes) == {"UUID": 8}


# Groups -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    ["places_held = 4", "places_booked = 4", "places_held = 2, places_booked = 2", "capacity_total = 1",
     "honoured_capacity = 3", "places_held = 4, honoured_capacity = 3"],
)  # fmt: skip
def test_raw_sql_cannot_oversell_a_lesson_group(change: str) -> None:
    group = make_group(make_session(), places_booked=2)
    with refused("lesson_group_never_oversold", CheckViolation):
        sql(f"UPDATE scheduling_lessongroup SET {change} WHERE id = %s", [group.id])


@pytest.mark.django_db
def test_a_cut_of_a_lesson_group_is_honoured_to_the_place() -> None:
    group = make_group(make_session(), places_booked=2)
    change = "UPDATE scheduling_lessongroup SET capacity_total = 1, honoured_capacity = %s WHERE id = %s"
    with refused("lesson_group_never_oversold", CheckViolation):
        sql(change, [3, group.id])
    assert sql(change, [2, group.id]) == 1


def test_three_of_eight_writers_get_a_place_in_a_group_of_three(committed_db: None) -> None:
    group = make_group(make_session())
    outcomes = race([partial(sql, TAKE_A_PLACE, [group.id]) for _ in range(8)])
    assert tally(outcomes) == {"int": 3, "IntegrityError": 5}
    group.refresh_from_db()
    assert (group.places_held, group.capacity_total) == (3, 3)


def test_without_the_check_a_group_of_three_takes_eight(no_group_check: None) -> None:
    group = make_group(make_session())
    assert tally(race([partial(sql, TAKE_A_PLACE, [group.id]) for _ in range(8)])) == {"int": 8}


# Rooms and equipment ----------------------------------------------------------------------------------------------

too_many = partial(refused, "resource_within_quantity", CheckViolation)


@pytest.mark.django_db
def test_raw_sql_cannot_put_two_sessions_into_one_room() -> None:
    session = make_session()
    room = make_resource(session)
    use(room, session, 9, 10)
    with too_many():
        use(room, session, 9.5, 11)
    use(room, session, 10, 11)
    use(room, session, 8, 9)
    assert ResourceUse.objects.count() == 3


@pytest.mark.django_db
def test_a_use_that_ended_gives_back_and_cannot_come_back() -> None:
    session = make_session()
    room = make_resource(session)
    first = use(room, session, 9, 10)
    end("scheduling_resourceuse", first)
    end("scheduling_resourceuse", use(room, session, 9, 10))
    with pytest.raises(DatabaseError, match="status"):
        sql("UPDATE scheduling_resourceuse SET status = 'active', ended_at = NULL WHERE id = %s", [first])


@pytest.mark.django_db
def test_a_use_cannot_grow_lengthen_or_move_beyond_the_quantity_and_may_always_shrink() -> None:
    session = make_session()
    skis, others = make_resource(session, 5), make_resource(session, 5)
    use(skis, session, 9, 10, 3)
    row, elsewhere = use(skis, session, 10, 11, 3), use(others, session, 9, 10, 3)
    for change, values in (
        ("starts_at = %s", [at(9.5), row]),
        ("quantity = %s", [6, row]),
        ("resource_id = %s", [skis.id, elsewhere]),
    ):
        with too_many():
            sql(f"UPDATE scheduling_resourceuse SET {change} WHERE id = %s", values)
    assert sql("UPDATE scheduling_resourceuse SET quantity = 2, starts_at = %s WHERE id = %s", [at(9.5), row]) == 1
    assert sql("UPDATE scheduling_resourceuse SET quantity = 1, starts_at = %s WHERE id = %s", [at(10), row]) == 1


@pytest.mark.django_db
def test_rows_of_one_statement_are_added_up_too() -> None:
    session = make_session()
    skis = make_resource(session, 5)
    values = [value for _ in range(2) for value in (uuid7(), session.organization_id, skis.id, session.id, 3, NINE)]
    one = "(%s, %s, %s, %s, 'active', %s, %s, '2030-01-10 10:00Z')"
    with too_many():
        sql(USE.partition("VALUES")[0] + f"VALUES {one}, {one}", values)


@pytest.mark.django_db
def test_a_resource_cannot_be_cut_below_what_a_moment_to_come_needs() -> None:
    session = make_session()
    skis = make_resource(session, 5)
    use(skis, session, 9, 11, 2)
    last = use(skis, session, 10, 12, 2)
    with refused("resource_in_use", CheckViolation):
        sql("UPDATE scheduling_resource SET quantity = 3 WHERE id = %s", [skis.id])
    assert sql("UPDATE scheduling_resource SET quantity = 4 WHERE id = %s", [skis.id]) == 1
    end("scheduling_resourceuse", last)
    assert sql("UPDATE scheduling_resource SET quantity = 2 WHERE id = %s", [skis.id]) == 1


@pytest.mark.django_db
def test_what_was_used_in_the_past_does_not_keep_a_resource_from_being_cut() -> None:
    session = make_session()
    skis = make_resource(session, 5)
    now = database_now()
    values = [uuid7(), session.organization_id, skis.id, session.id, 5, now - timedelta(days=2), now]
    sql(USE, values)
    assert sql("UPDATE scheduling_resource SET quantity = 1 WHERE id = %s", [skis.id]) == 1


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_writer_whose_snapshot_is_older_than_the_lock_is_turned_away(committed_db: None, level: str) -> None:
    session = make_session()
    skis = make_resource(session, 5)
    row = [uuid7(), session.organization_id, skis.id, session.id, 1, at(9), at(10)]
    with psycopg.connect(os.environ["DATABASE_URL"]) as other:
        other.execute(f"SET TRANSACTION ISOLATION LEVEL {level}".encode())
        with pytest.raises(FeatureNotSupported):
            other.execute(USE.encode(), row)
    assert not ResourceUse.objects.exists()


def test_five_of_eight_writers_get_one_of_five_pairs(committed_db: None) -> None:
    session = make_session()
    skis = make_resource(session, 5)
    outcomes = race([partial(use, skis, session, 9, 10) for _ in range(8)])
    assert tally(outcomes) == {"UUID": 5, "IntegrityError": 3}
    assert ResourceUse.objects.count() == 5


def test_without_the_trigger_eight_writers_share_five_pairs(no_resource_trigger: None) -> None:
    session = make_session()
    skis = make_resource(session, 5)
    assert tally(race([partial(use, skis, session, 9, 10) for _ in range(8)])) == {"UUID": 8}


def cut_while_a_use_waits_to_commit(session: Session, skis: Resource) -> object:
    """Write a use of all five and, before it is committed, cut the resource to two; return what came of the cut."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as other:
        other.execute(USE.encode(), [uuid7(), session.organization_id, skis.id, session.id, 5, at(9), at(10)])
        cut = Background(partial(sql, "UPDATE scheduling_resource SET quantity = 2 WHERE id = %s", [skis.id]))
        wait_until_blocked()
        other.commit()
    return cut.outcome()


def test_a_cut_waits_for_a_use_under_way_and_sees_it(committed_db: None) -> None:
    session = make_session()
    skis = make_resource(session, 5)
    assert isinstance(cut_while_a_use_waits_to_commit(session, skis), IntegrityError)
    skis.refresh_from_db()
    assert skis.quantity == 5


def test_without_its_trigger_the_cut_takes_what_is_in_use(no_cut_trigger: None) -> None:
    session = make_session()
    assert cut_while_a_use_waits_to_commit(session, make_resource(session, 5)) == 1


class Wanted(NamedTuple):
    """So many of a resource, for some hours."""

    first: int
    hours: int
    quantity: int

    @property
    def last(self) -> int:
        return self.first + self.hours


def busiest(uses: list[Wanted]) -> int:
    """Go through the day hour by hour and count: slow, and plainly right."""
    return max(sum(use.quantity for use in uses if use.first <= hour < use.last) for hour in range(32))


wanted = st.builds(Wanted, st.integers(0, 23), st.integers(1, 8), st.integers(1, 4))


@pytest.mark.django_db
@settings(
    max_examples=60, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(quantity=st.integers(1, 6), asked=st.lists(wanted, max_size=12), ended=st.sets(st.integers(0, 11)))
def test_the_trigger_agrees_with_counting_hour_by_hour(quantity: int, asked: list[Wanted], ended: set[int]) -> None:
    session = make_session()
    skis = make_resource(session, quantity)
    granted: dict[UUID, Wanted] = {}
    for number, one in enumerate(asked):
        fits = busiest([*granted.values(), one]) <= quantity
        outcome = attempt(partial(use, skis, session, one.first, one.last, one.quantity))
        assert isinstance(outcome, UUID) is fits
        if isinstance(outcome, UUID) and number in ended:
            end("scheduling_resourceuse", outcome)
        elif isinstance(outcome, UUID):
            granted[outcome] = one
    least = busiest(list(granted.values()))
    cut = partial(sql, "UPDATE scheduling_resource SET quantity = %s WHERE id = %s")
    assert least <= 1 or isinstance(attempt(partial(cut, [least - 1, skis.id])), IntegrityError)
    assert attempt(partial(cut, [max(least, 1), skis.id])) == 1


def attempt(act: Callable[[], UUID | int]) -> UUID | int | IntegrityError:
    try:
        return act()
    except IntegrityError as refusal:
        return refusal


# Tenants ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_rows_of_another_organization_are_refused_whichever_way_they_are_put_together() -> None:
    ours, theirs = make_session(), make_session()
    instructor, resource = make_instructor(theirs), make_resource(theirs)
    of_assignment, of_use = "scheduling_assignment_{}_tenant", "scheduling_resourceuse_{}_tenant"
    for name, act in (
        (of_assignment.format("instructor"), partial(assign, instructor, ours, 9, 10)),
        (
            of_assignment.format("session"),
            partial(assign, instructor, ours, 9, 10, organization=theirs.organization_id),
        ),
        (of_use.format("resource"), partial(use, resource, ours, 9, 10)),
        (of_use.format("session"), partial(use, resource, ours, 9, 10, owner=theirs.organization_id)),
        ("scheduling_lessongroup_session_tenant", partial(make_group, ours, organization_id=theirs.organization_id)),
        ("scheduling_instructor_venue_tenant", partial(make_instructor, ours, organization_id=theirs.organization_id)),
    ):
        with refused(name, ForeignKeyViolation), transaction.atomic():
            act()
    assert not Assignment.objects.exists()
    assert not ResourceUse.objects.exists()
