"""Changes to what is sold: rehearsed, applied exactly so, and never at the cost of who has booked."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.services.auditor import check_invariants
from bookings.models import AffectedLine, Booking, Line
from bookings.services import schedule_changes
from bookings.services.attendance import check_in_line
from bookings.services.cancellation import cancel_booking
from bookings.services.changes import move_line
from bookings.services.lifecycle import IllegalTransition
from bookings.services.schedule_changes import decide_line
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import InvalidRequest, NotFound
from scheduling.models import (
    Activity,
    Reservation,
    ScheduleChange,
    ScheduleEvent,
    ScheduleException,
    ScheduleVersion,
    Session,
)
from scheduling.services import capacity
from scheduling.services.assessing import NotBookable, NotEnoughPlaces
from scheduling.services.generation import generate_activity_sessions
from scheduling.services.schedule_changes import ChangeApplied, ChangeMoved
from scheduling.services.schedules import publish_schedule
from tests.factories import (
    CUSTOMER,
    book,
    hold,
    lapse,
    make_activity,
    make_session,
    make_venue,
    shift_session,
    stranger,
)

pytestmark = pytest.mark.django_db

WRITTEN = (ScheduleVersion, ScheduleException, ScheduleEvent, ScheduleChange)
STAFF = Actor(kind=ActorKind.STAFF, channel="admin")
DAY = timedelta(days=1)
WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def rules(days: list[str] | None = None, **overrides: Any) -> dict[str, Any]:
    plain = {"operatingDays": days or WEEK, "startTime": "10:00", "endTime": "18:00", "slotInterval": 120}
    return {**plain, "duration": 60, "capacity": 10, **overrides}


def today_of(activity: Activity) -> date:
    return database_now().astimezone(activity.venue.zone).date()


def make_running(document: dict[str, Any] | None = None, **overrides: Any) -> Activity:
    """An activity with a timetable, and its sessions of the next 30 days."""
    activity = make_activity(**overrides)
    today = today_of(activity)
    publish_schedule(activity_id=activity.id, rules=document or rules(), effective_from=today)
    generate_activity_sessions(activity_id=activity.id, start_date=today, days_ahead=31)
    return activity


def next_weekday(activity: Activity, weekday: int) -> date:
    """The first such day that is a week away at least."""
    day = today_of(activity) + 7 * DAY
    return day + (weekday - day.weekday()) % 7 * DAY


def session_at(activity: Activity, day: date, clock: str) -> Session:
    local = datetime.combine(day, time.fromisoformat(clock), tzinfo=activity.venue.zone)
    return Session.objects.get(activity=activity, starts_at=local)


def rehearse(
    activity: Activity, kind: str, parameters: Mapping[str, Any], *, whole_venue: bool = False
) -> ScheduleChange:
    return schedule_changes.rehearse_change(
        kind=kind, venue_id=activity.venue_id, activity_id=None if whole_venue else activity.id,
        parameters=parameters, author=None,
    )  # fmt: skip


def apply(change: ScheduleChange) -> ScheduleChange:
    return schedule_changes.apply_change(change_id=change.id, actor=STAFF)


def new_timetable(activity: Activity, document: dict[str, Any], first: date) -> ScheduleChange:
    return rehearse(activity, "timetable", {"rules": document, "effective_from": first.isoformat()})


def closure(first: date, last: date | None = None, **hours: Any) -> dict[str, Any]:
    dates = {"first_date": first.isoformat(), "last_date": (last or first).isoformat()}
    return {**dates, "reason": "Closed for the regatta", **hours}


# Independent of the engine: rows before, rows after -----------------------------------------------------------------

ROWS = """SELECT activity_id::text, starts_at, id::text, ends_at, status, is_legacy, capacity_total, on_sale
    FROM scheduling_session"""
PROMISES = """SELECT b.id, b.status, b.version, b.total_minor, l.id, l.status, l.session_id, l.amount_minor, r.id,
    r.status, r.places, s.starts_at, s.ends_at
    FROM bookings_booking b JOIN bookings_line l ON l.booking_id = b.id
    JOIN scheduling_reservation r ON r.id = l.reservation_id JOIN scheduling_session s ON s.id = l.session_id
    ORDER BY b.id, l.id"""


def rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def what_happened(before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]) -> set[tuple[str, datetime, str]]:
    """Say in the engine's words how the tables differ."""
    old = {row[:2]: row[2:] for row in before}
    found = set()
    for key, (_, ends_at, status, is_legacy, places, on_sale) in ((row[:2], row[2:]) for row in after):
        was = old.get(key)
        if was is None:
            found.add((*key, "add"))
        elif was[2] == "withdrawn" != status or (was[3] and not is_legacy):
            found.add((*key, "restore"))
        elif status == "withdrawn" != was[2]:
            found.add((*key, "withdraw"))
        elif is_legacy and not was[3]:
            found.add((*key, "legacy"))
        elif was[1] != ends_at:
            found.add((*key, "retime"))
        elif was[4] != places:
            found.add((*key, "size"))
        elif was[5] and not on_sale:
            found.add((*key, "end_sale"))
    return found


def what_was_shown(change: ScheduleChange) -> set[tuple[str, datetime, str]]:
    same = {"resize": "size", "honour": "size"}
    return {
        (row["activity"], datetime.fromisoformat(row["starts_at"]), same.get(row["effect"], row["effect"]))
        for row in change.effects["sessions"]
    }


# The seed's scenario ------------------------------------------------------------------------------------------------


def test_thursday_1400_booked_before_the_venue_moved_to_friday_to_sunday_stands() -> None:
    activity = make_running(rules(["Thursday", "Friday", "Saturday"]))
    thursday = next_weekday(activity, 3)
    booked, empty = session_at(activity, thursday, "14:00"), session_at(activity, thursday, "16:00")
    booking = book(booked, party_size=3)
    promises = rows(PROMISES)

    change = new_timetable(activity, rules(["Friday", "Saturday", "Sunday"]), today_of(activity) + DAY)
    told = {row["session"]: (row["effect"], row["booked"]) for row in change.effects["sessions"]}
    assert (told[str(booked.id)], told[str(empty.id)]) == (("legacy", 3), ("withdraw", 0))
    assert change.effects["people"] == {"bookings": 1, "customers": 1, "people": 3, "money": {"GBP": 3000}}
    apply(change)

    booked.refresh_from_db()
    empty.refresh_from_db()
    assert rows(PROMISES) == promises
    assert (booked.status, booked.is_legacy, empty.status) == ("published", True, "withdrawn")
    assert booking.lines.get().session.starts_at.astimezone(activity.venue.zone).isoformat() == (
        datetime.combine(thursday, time(14), tzinfo=activity.venue.zone).isoformat()
    )
    with pytest.raises(NotBookable):
        hold(booked)
    sunday = next_weekday(activity, 6)
    assert hold(session_at(activity, sunday, "14:00")).status == "held"
    assert list(AffectedLine.objects.values_list("line", "effect", "status")) == [
        (booking.lines.get().id, "legacy", "open")
    ]


# Rehearsal ----------------------------------------------------------------------------------------------------------


def test_a_rehearsal_lists_every_booking_that_is_touched_and_changes_nothing() -> None:
    activity = make_running()
    monday = next_weekday(activity, 0)
    bookings = [book(session_at(activity, monday, clock), contact=stranger()) for clock in ("10:00", "12:00")]
    book(session_at(activity, monday + DAY, "10:00"), contact=stranger())
    tables = ["scheduling_session", "scheduling_scheduleexception", "scheduling_scheduleevent", "bookings_affectedline"]
    before = [rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables]

    change = rehearse(activity, "closure", closure(monday))

    assert [rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables] == before
    assert {UUID(line) for line in change.effects["lines"]} == {booking.lines.get().id for booking in bookings}
    assert change.effects["counts"]["legacy"] == 2
    assert change.effects["counts"]["withdraw"] == 2
    assert change.status == "rehearsed"


def test_times_that_do_not_exist_or_come_twice_are_told() -> None:
    venue = make_venue(timezone="Europe/London")
    activity = make_running(rules(startTime="00:30", endTime="03:30", slotInterval=60), venue=venue)
    spring, autumn = date(2095, 3, 27), date(2095, 10, 30)  # the last Sundays of March and October
    openings = [
        rehearse(activity, "timetable", {"rules": rules(startTime="00:30", endTime="03:30", slotInterval=60),
                 "effective_from": day.isoformat(), "effective_to": (day + DAY).isoformat()})
        for day in (spring, autumn)
    ]  # fmt: skip
    assert openings[0].effects["skipped"] == []  # too far ahead: no sessions are made yet
    generate_activity_sessions(activity_id=activity.id, start_date=autumn, days_ahead=1)
    change = rehearse(activity, "timetable", {
        "rules": rules(startTime="00:30", endTime="03:30", slotInterval=60), "effective_from": spring.isoformat(),
    })  # fmt: skip
    assert change.effects["skipped"] == [{"date": "2095-03-27", "time": "01:30"}]
    assert change.effects["doubled"] == [{"starts_at": "2095-10-30T00:30:00+00:00"}]


# Apply: exactly that, or not at all ---------------------------------------------------------------------------------


def test_what_moved_meanwhile_is_named_and_nothing_is_changed() -> None:
    activity = make_running()
    monday = next_weekday(activity, 0)
    change = rehearse(activity, "closure", closure(monday))
    session = session_at(activity, monday, "12:00")
    book(session, party_size=2)
    before = rows(ROWS)
    with pytest.raises(ChangeMoved) as refused, transaction.atomic():
        apply(change)
    assert refused.value.extra["moved"] == [
        {
            "starts_at": session.starts_at.isoformat(),
            "name": activity.name,
            "was": {"effect": "withdraw", "before": None, "after": None, "booked": 0},
            "is": {"effect": "legacy", "before": None, "after": None, "booked": 2},
        }
    ]
    assert (rows(ROWS), ScheduleException.objects.count(), ScheduleEvent.objects.count()) == (before, 0, 0)


def test_another_booking_of_the_same_size_is_another_promise() -> None:
    activity = make_running()
    session = session_at(activity, next_weekday(activity, 0), "12:00")
    book(session, contact=stranger())
    change = rehearse(activity, "closure", closure(next_weekday(activity, 0)))
    book(session, contact=stranger())
    capacity_before = Session.objects.get(id=session.id).places_booked
    assert capacity_before == 2
    with pytest.raises(ChangeMoved), transaction.atomic():
        apply(change)
    assert AffectedLine.objects.count() == 0


def test_a_change_is_applied_once() -> None:
    activity = make_running()
    change = rehearse(activity, "closure", closure(next_weekday(activity, 0)))
    apply(change)
    with pytest.raises(ChangeApplied):
        apply(change)
    assert ScheduleException.objects.count() == 1


def test_each_change_is_a_fact_of_its_activity_with_what_it_did() -> None:
    activity = make_running()
    monday = next_weekday(activity, 0)
    change = apply(rehearse(activity, "closure", closure(monday)))
    fact = ScheduleEvent.objects.get(activity=activity)
    assert (fact.kind, fact.seq, fact.actor_kind, fact.channel) == ("closure_added", 1, "staff", "admin")
    assert fact.after == {
        "change": str(change.id), "exception": str(ScheduleException.objects.get().id),
        "first_date": monday.isoformat(), "last_date": monday.isoformat(), "effects": {"withdraw": 4},
    }  # fmt: skip


def test_a_hold_that_lapsed_keeps_no_session_open() -> None:
    activity = make_running()
    session = session_at(activity, next_weekday(activity, 0), "12:00")
    lapse(hold(session))
    change = rehearse(activity, "closure", closure(next_weekday(activity, 0)))
    assert change.effects["counts"]["withdraw"] == 4
    apply(change)
    session.refresh_from_db()
    assert (session.status, session.places_held) == ("withdrawn", 0)


def test_a_live_hold_keeps_its_session_for_its_holder() -> None:
    activity = make_running()
    session = session_at(activity, next_weekday(activity, 0), "12:00")
    held = hold(session)
    apply(rehearse(activity, "closure", closure(next_weekday(activity, 0))))
    session.refresh_from_db()
    assert (session.is_legacy, session.status, Reservation.objects.get(id=held.id).status) == (
        True, "published", "held",
    )  # fmt: skip


# Kinds --------------------------------------------------------------------------------------------------------------


def test_a_lifted_closure_brings_back_what_it_took() -> None:
    activity = make_running()
    monday = next_weekday(activity, 0)
    booking = book(session_at(activity, monday, "12:00"))
    before = [(row[1], row[4], row[5]) for row in rows(ROWS)]
    apply(rehearse(activity, "closure", closure(monday)))
    lift = rehearse(activity, "lift", {"exception": str(ScheduleException.objects.get().id)})
    assert lift.effects["counts"] == {"restore": 4, "keep": lift.effects["counts"]["keep"]}
    apply(lift)
    assert sorted((row[1], row[4], row[5]) for row in rows(ROWS)) == sorted(before)
    assert hold(booking.lines.get().session).status == "held"


def test_a_closure_of_hours_takes_what_overlaps_and_no_more() -> None:
    activity = make_running()
    monday = next_weekday(activity, 0)
    change = rehearse(activity, "closure", closure(monday, from_time="11:00", to_time="12:30"))
    told = [row["starts_at"] for row in change.effects["sessions"]]
    assert told == [session_at(activity, monday, "12:00").starts_at.isoformat()]


def test_a_venue_closes_for_all_its_activities_and_for_no_other() -> None:
    venue = make_venue()
    first, second = make_running(venue=venue), make_running(venue=venue)
    other = make_running(venue=make_venue(venue.organization))
    monday = next_weekday(first, 0)
    apply(rehearse(first, "closure", closure(monday), whole_venue=True))
    gone = Session.objects.filter(status="withdrawn").values_list("activity_id", flat=True)
    assert sorted(gone) == sorted([first.id] * 4 + [second.id] * 4)
    assert Session.objects.filter(activity=other, status="withdrawn").count() == 0
    assert set(ScheduleEvent.objects.values_list("activity_id", flat=True)) == {first.id, second.id}


def test_an_extra_opening_adds_its_sessions() -> None:
    activity = make_running(rules(["Monday"]))
    sunday = next_weekday(activity, 6)
    asked = {**closure(sunday, from_time="14:00", to_time="17:00"), "reason": "Open day", "capacity": 3}
    apply(rehearse(activity, "opening", asked))
    added = Session.objects.filter(activity=activity, starts_at__date=sunday).order_by("starts_at")
    clocks = [s.starts_at.astimezone(activity.venue.zone).strftime("%H:%M") for s in added]
    assert (clocks, {s.capacity_total for s in added}) == (["14:00", "16:00"], {3})


def test_a_cut_below_what_is_booked_is_honoured_and_sells_nothing() -> None:
    activity = make_running()
    session = session_at(activity, next_weekday(activity, 0), "12:00")
    bookings = [book(session, party_size=4, contact=stranger()) for _ in range(2)]
    change = rehearse(activity, "capacity", {"sessions": [str(session.id)], "capacity": 5})
    assert [(row["effect"], row["before"], row["after"], row["booked"]) for row in change.effects["sessions"]] == [
        ("honour", 10, 5, 8)
    ]
    apply(change)
    session.refresh_from_db()
    assert (session.capacity_total, session.capacity_remaining, session.over_by) == (5, 0, 3)
    assert {booking.status for booking in Booking.objects.filter(id__in=[b.id for b in bookings])} == {"confirmed"}
    with pytest.raises(NotEnoughPlaces):
        hold(session)
    assert AffectedLine.objects.filter(effect="honour").count() == 2


def test_many_sessions_get_their_places_at_once_and_keep_them_under_a_new_timetable() -> None:
    activity = make_running()
    monday = next_weekday(activity, 0)
    chosen = {"first_date": monday.isoformat(), "last_date": (monday + 13 * DAY).isoformat()}
    asked = {**chosen, "weekdays": [0, 1], "from_time": "12:00", "to_time": "14:00", "capacity": 4}
    change = apply(rehearse(activity, "capacity", asked))
    assert change.effects["counts"]["resize"] == 8
    sized = Session.objects.filter(activity=activity, capacity_total=4)
    clocks = {(s.starts_at.astimezone(activity.venue.zone).weekday(), s.starts_at.astimezone(activity.venue.zone).hour)
              for s in sized}  # fmt: skip
    assert (sized.count(), clocks) == (8, {(0, 12), (0, 14), (1, 12), (1, 14)})
    apply(new_timetable(activity, rules(capacity=20), today_of(activity) + DAY))
    assert Session.objects.filter(activity=activity, capacity_total=4).count() == 8
    assert Session.objects.filter(activity=activity, capacity_total=20).exists()


def test_a_session_with_another_length_is_retimed_when_empty_and_left_over_when_booked() -> None:
    activity = make_running()
    monday = next_weekday(activity, 0)
    booked, empty = session_at(activity, monday, "12:00"), session_at(activity, monday, "14:00")
    book(booked)
    apply(new_timetable(activity, rules(duration=90), today_of(activity) + DAY))
    ends = booked.ends_at
    booked.refresh_from_db()
    empty.refresh_from_db()
    assert (booked.ends_at, booked.is_legacy) == (ends, True)
    assert (empty.ends_at - empty.starts_at, empty.is_legacy) == (timedelta(minutes=90), False)


def test_what_staff_closed_stays_closed_under_a_new_timetable() -> None:
    activity = make_running()
    session = session_at(activity, next_weekday(activity, 0), "12:00")
    Session.objects.filter(id=session.id).update(status="closed")
    apply(new_timetable(activity, rules(capacity=20), today_of(activity) + DAY))
    session.refresh_from_db()
    assert (session.status, session.capacity_total) == ("closed", 20)


def test_a_discontinued_activity_stays_valid_for_those_who_booked(client: Client) -> None:
    activity = make_running()
    session, other = (session_at(activity, next_weekday(activity, 0), clock) for clock in ("12:00", "14:00"))
    booking, second = book(session), book(other, contact=stranger())
    change = apply(rehearse(activity, "discontinue", {}))
    assert change.effects["counts"]["end_sale"] > 0
    activity.refresh_from_db()
    assert (activity.status, AffectedLine.objects.count()) == ("discontinued", 0)
    with pytest.raises(NotBookable):
        hold(session)
    page = client.get(f"/bookings/{booking.number}.{booking.token}/", follow=True)
    assert booking.number in page.content.decode()
    assert cancel_booking(booking_id=second.id, actor=STAFF, reason_code="asked").status == "cancelled"
    shift_session(session, starts_in=timedelta(minutes=5))
    assert check_in_line(line_id=booking.lines.get().id, actor=STAFF).attendance == "arrived"


def test_a_price_of_some_sessions_is_rehearsed_and_what_is_booked_keeps_its_price() -> None:
    activity = make_running()
    monday = next_weekday(activity, 0)
    booking = book(session_at(activity, monday, "12:00"))
    chosen = {"first_date": monday.isoformat(), "last_date": monday.isoformat()}
    change = rehearse(activity, "price", {**chosen, "price_minor": 1500})
    assert {(row["effect"], row["before"], row["after"]) for row in change.effects["sessions"]} == {
        ("reprice", 1000, 1500)
    }
    assert change.effects["counts"]["reprice"] == 4
    assert Session.objects.filter(price_minor=1500).count() == 0
    apply(change)
    booking.refresh_from_db()
    assert Session.objects.filter(price_minor=1500).count() == 4
    assert (booking.total_minor, hold(session_at(activity, monday, "12:00")).amount_minor) == (1000, 1500)


def test_a_dated_rule_is_rehearsed_session_by_session() -> None:
    activity = make_running()
    change = rehearse(activity, "price", {"rule": {"name": "Weekend", "weekdays": [5, 6], "percent": 20}})
    days = {datetime.fromisoformat(row["starts_at"]).astimezone(activity.venue.zone).weekday()
            for row in change.effects["sessions"]}  # fmt: skip
    assert (days, {row["after"] for row in change.effects["sessions"]}) == ({5, 6}, {1200})
    apply(change)
    saturday = session_at(activity, next_weekday(activity, 5), "12:00")
    assert hold(saturday, party_size=2).amount_minor == 2400


# Refusals -----------------------------------------------------------------------------------------------------------


def test_every_impossible_change_is_refused_at_its_field_and_nothing_is_written() -> None:
    activity = make_running()
    other = make_activity()
    today = today_of(activity)
    tomorrow, yesterday = (today + DAY).isoformat(), (today - DAY).isoformat()
    later = (today + 60 * DAY).isoformat()
    apply(rehearse(activity, "timetable", {"rules": rules(), "effective_from": later}))
    unit = activity.units.get()
    before = (rows(ROWS), [model.objects.count() for model in WRITTEN])
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("timetable", {"rules": rules(), "effective_from": yesterday}, "effective_from"),
        ("timetable", {"rules": rules(), "effective_from": tomorrow, "effective_to": (today + 90 * DAY).isoformat()},
         "effective_to"),
        ("timetable", {"rules": rules(), "effective_from": tomorrow, "effective_to": tomorrow}, "effective_to"),
        ("timetable", {"rules": rules(duration=600), "effective_from": tomorrow}, "endTime"),
        ("timetable", {"rules": rules(slotInterval=0), "effective_from": tomorrow}, "slotInterval"),
        ("timetable", {"rules": rules(["Someday"]), "effective_from": tomorrow}, "operatingDays.0"),
        ("closure", closure(today + 3 * DAY, today + DAY), "last_date"),
        ("closure", closure(today - 3 * DAY, today - DAY), "first_date"),
        ("closure", closure(today, from_time="10:00"), "to_time"),
        ("closure", {**closure(today), "reason": " "}, "reason"),
        ("capacity", {"capacity": -1, "first_date": tomorrow, "last_date": tomorrow}, "capacity"),
        ("capacity", {"capacity": 5}, "first_date"),
        ("price", {"price_minor": -1, "first_date": tomorrow, "last_date": tomorrow}, "price_minor"),
        ("price", {"units": {str(unit.id): -5}}, "price_minor"),
        ("price", {"units": {str(other.units.get().id): 5}}, f"units.{other.units.get().id}"),
        ("price", {"rule": {"name": "", "percent": 20}}, "name"),
    ]  # fmt: skip
    for kind, parameters, field in wrong:
        with pytest.raises(InvalidRequest) as refused, transaction.atomic():
            rehearse(activity, kind, parameters)
        fields = [error.field.removeprefix("rules.") for error in refused.value.errors]
        assert field in fields, (kind, parameters, fields)
    assert (rows(ROWS), [model.objects.count() for model in WRITTEN]) == before


def test_another_venues_activity_does_not_exist_for_a_change() -> None:
    activity, other = make_running(), make_activity()
    with pytest.raises(NotFound):
        schedule_changes.rehearse_change(
            kind="discontinue", venue_id=activity.venue_id, activity_id=other.id, parameters={}, author=None
        )


# The work list ------------------------------------------------------------------------------------------------------


def test_staff_decide_about_each_booking_and_every_decision_is_a_fact() -> None:
    activity = make_running()
    booking = book(session_at(activity, next_weekday(activity, 0), "12:00"))
    apply(rehearse(activity, "closure", closure(next_weekday(activity, 0))))
    row = AffectedLine.objects.get()
    note = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "called her"})
    for status in (AffectedLine.Status.CONTACTED, AffectedLine.Status.KEEP, AffectedLine.Status.KEEP):
        decide_line(affected_line_id=row.id, status=status, actor=note, decided_by=None)
    facts = booking.events.filter(kind="affected_line_decided")
    assert [fact.after["decision"] for fact in facts] == ["contacted", "keep"]
    assert [fact.detail.note for fact in facts] == ["called her", "called her"]
    with pytest.raises(IllegalTransition):
        decide_line(affected_line_id=row.id, status=AffectedLine.Status.OPEN, actor=note, decided_by=None)
    booking.refresh_from_db()
    assert booking.status == "confirmed"


# Whatever is changed, a promise stands ------------------------------------------------------------------------------

DAYS = st.integers(min_value=0, max_value=12)
SOME_DAYS = st.lists(st.sampled_from(WEEK), min_size=1, max_size=7, unique=True)
DOCUMENTS = st.builds(
    lambda days, opens, interval, duration, places: rules(
        days, startTime=f"{opens:02}:00", slotInterval=interval, duration=duration, capacity=places
    ),
    SOME_DAYS, st.integers(8, 12), st.sampled_from([60, 90, 120]), st.sampled_from([60, 90]), st.integers(1, 12),
)  # fmt: skip
EDITS = st.one_of(
    st.tuples(st.just("timetable"), DAYS, DOCUMENTS),
    st.tuples(st.just("closure"), DAYS, st.integers(0, 4)),
    st.tuples(st.just("opening"), DAYS, st.integers(0, 2)),
    st.tuples(st.just("capacity"), DAYS, st.integers(0, 12)),
    st.tuples(st.just("lift"), DAYS, st.none()),
)


def edit(activity: Activity, kind: str, offset: int, value: Any) -> tuple[str, dict[str, Any]] | None:
    """Turn a drawn edit into a change's parameters; None when there is nothing to lift."""
    day = today_of(activity) + (offset + 1) * DAY
    match kind:
        case "timetable":
            return kind, {"rules": value, "effective_from": day.isoformat()}
        case "closure":
            return kind, closure(day, day + value * DAY)
        case "opening":
            return kind, {**closure(day, day + value * DAY, from_time="09:00", to_time="12:00"), "capacity": 7}
        case "capacity":
            dates = {"first_date": day.isoformat(), "last_date": (day + 3 * DAY).isoformat()}
            return kind, {**dates, "capacity": value}
    lifted = ScheduleException.objects.filter(lifted_at=None).order_by("created_at").first()
    return ("lift", {"exception": str(lifted.id)}) if lifted else None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(EDITS, min_size=1, max_size=5), booked=st.lists(st.integers(0, 40), max_size=6))
def test_whatever_is_changed_a_preview_is_what_happens_and_no_booking_moves(
    edits: list[tuple[str, int, Any]], booked: list[int]
) -> None:
    with transaction.atomic():
        activity = make_running()
        upcoming = list(Session.objects.filter(activity=activity, starts_at__gt=database_now()).order_by("starts_at"))
        for place in booked:
            book(upcoming[place], contact=stranger())
        promises = rows(PROMISES)
        for kind, offset, value in edits:
            asked = edit(activity, kind, offset, value)
            if asked:
                before = rows(ROWS)
                change = rehearse(activity, *asked)
                assert rows(ROWS) == before
                apply(change)
                assert what_happened(before, rows(ROWS)) == what_was_shown(change)
                assert rows(PROMISES) == promises
        live = Line.objects.filter(status="live").count()
        assert live == len(booked)
        transaction.set_rollback(True)


def test_after_three_changes_what_is_booked_is_judged_shown_and_counted_as_before() -> None:
    activity = make_running()
    monday = next_weekday(activity, 0)
    session = session_at(activity, monday, "12:00")
    booking = book(session, party_size=2)
    apply(new_timetable(activity, rules(["Friday", "Saturday"]), today_of(activity) + DAY))
    apply(rehearse(activity, "closure", closure(monday, monday + 3 * DAY)))
    apply(rehearse(activity, "capacity", {"capacity": 1, "first_date": monday.isoformat(),
                                          "last_date": (monday + 6 * DAY).isoformat()}))  # fmt: skip
    assert capacity.recount(session_id=session.id).is_clean
    booking.refresh_from_db()
    line = booking.lines.get()
    assert (booking.status, line.status, line.session_id, line.party_size) == ("confirmed", "live", session.id, 2)
    assert Reservation.objects.get(id=line.reservation_id).status == "confirmed"
    upcoming = session_at(activity, monday + 11 * DAY, "12:00")  # a Friday: Monday is a week away at least
    moved = move_line(line_id=line.id, session_id=upcoming.id, actor=CUSTOMER)
    assert (moved.lines.get().session_id, moved.lines.get().reservation.places) == (upcoming.id, 2)
    Session.objects.get(id=session.id)  # what was left stays to be read
    assert check_invariants() == []


def test_a_foreign_session_is_not_sized_by_its_id() -> None:
    activity = make_running()
    foreign = make_session(make_activity())
    change = rehearse(activity, "capacity", {"sessions": [str(foreign.id)], "capacity": 1})
    assert change.effects["sessions"] == []
