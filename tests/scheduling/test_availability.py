"""The engine: every reason with its words and its remedy, and the differential proof that its yes is the hold's yes."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.kit.clock import database_now
from config.kit.refusals import NotFound, Refusal
from config.tenants.models import Organization
from scheduling import availability, display_cache
from scheduling.availability import check_slot_availability, judge, staff_reasons
from scheduling.models import Activity, ScheduleException, Session, Unit
from scheduling.reasons import ALL
from scheduling.services import assessing, reservations
from tests.factories import hold, lapse, make_activity, make_session, make_sessions, make_unit

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()
    display_cache.near.forget(set(Activity.objects.values_list("id", flat=True)))


def change(session: Session, **fields: Any) -> None:
    Session.objects.filter(id=session.id).update(**fields)


def change_activity(session: Session, **fields: Any) -> None:
    Activity.objects.filter(id=session.activity_id).update(**fields)


def codes(session: Session, party_size: int | None = 1) -> tuple[str, ...]:
    return check_slot_availability(session_id=session.id, party_size=party_size).reasons


def staff_codes(session: Session) -> list[str]:
    return [reason.code for reason in staff_reasons(session.id)]


def test_every_reason_has_a_code_words_for_both_sides_and_a_remedy() -> None:
    assert len({reason.code for reason in ALL}) == len(ALL)
    for reason in ALL:
        assert all(text.endswith(".") and len(text.split()) >= 3 for text in (reason.customer, reason.staff))
        assert len(reason.remedy.split()) >= 3
        assert reason.public in ("", *(each.code for each in ALL))


@pytest.mark.parametrize(
    ("fields", "code", "for_staff"),
    [
        ({"is_legacy": True}, "legacy", "legacy"),
        ({"status": "withdrawn"}, "not_on_sale", "withdrawn"),
        ({"status": "cancelled"}, "cancelled", "cancelled"),
        ({"status": "closed"}, "session_closed", "session_closed"),
        ({"status": "completed"}, "session_closed", "completed"),
        ({"on_sale": False}, "not_on_sale", "not_on_sale"),
        ({"waiting": 1}, "waiting_list", "waiting_list"),
        ({"capacity_total": 0}, "full", "full"),
    ],
)
def test_each_state_of_a_session_has_its_reason(fields: dict[str, Any], code: str, for_staff: str) -> None:
    session = make_session()
    assert (codes(session), staff_codes(session)) == ((), [])
    change(session, **fields)
    assert (codes(session), staff_codes(session)) == ((code,), [for_staff])


def test_the_clock_has_a_reason_of_its_own_for_each_side_of_the_window() -> None:
    now = database_now()
    early, late = make_session(opens_at=now + HOUR), make_session(closes_at=now - HOUR, opens_at=now - 2 * HOUR)
    begun = make_session(starts_in=-HOUR / 2)
    over = make_session(starts_in=-2 * HOUR)
    assert [codes(each) for each in (early, late, begun, over)] == [
        ("not_open_yet",),
        ("booking_closed",),
        ("already_begun",),
        ("already_over",),
    ]


def test_what_has_begun_is_bookable_while_its_booking_is_open() -> None:
    session = make_session(make_activity(kind="pass"), starts_in=-HOUR / 2, closes_at=database_now() + HOUR / 4)
    assert codes(session) == ()
    assert hold(session).party_size == 1


def test_customers_hear_not_on_sale_where_staff_hear_whose_decision_it_is() -> None:
    session, other = make_session(on_sale=False), make_session(on_sale=False)
    change_activity(session, status="discontinued")
    Organization.objects.filter(id=other.organization_id).update(status="suspended")
    assert (codes(session), staff_codes(session)) == (("not_on_sale",), ["not_published"])
    assert (codes(other), staff_codes(other)) == (("not_on_sale",), ["organization_suspended"])


def test_a_draft_has_reasons_for_staff_and_does_not_exist_for_customers() -> None:
    session = make_session(make_activity(status="draft"), on_sale=False)
    assert staff_codes(session) == ["not_published"]
    with pytest.raises(NotFound):
        codes(session)
    with pytest.raises(NotFound):
        staff_reasons(uuid4())


def test_a_party_of_the_wrong_size_is_told_so_and_nobody_else_is_kept_out() -> None:
    session = make_session(make_activity(smallest_party=2, largest_party=4, plain_hold=False))
    assert [codes(session, size) for size in (1, 2, 4, 5, None)] == [
        ("party_too_small",),
        (),
        (),
        ("party_too_large",),
        (),
    ]
    assert check_slot_availability(session_id=session.id, party_size=5).spots == 10
    hold(session, party_size=4)
    hold(session, party_size=4)
    assert (codes(session, 3), codes(session, None)) == (("not_enough_places",), ())


CLOSED = {
    "whole days": ({"first_date": date(2031, 3, 29), "last_date": date(2031, 3, 30)}, True),
    "the day after": ({"first_date": date(2031, 3, 31), "last_date": date(2031, 4, 30)}, False),
    "its own hours": (
        {"first_date": date(2031, 3, 1), "last_date": date(2031, 3, 30), "from_time": "10:30", "to_time": "12:00"},
        True,
    ),
    "hours that only touch it": (
        {"first_date": date(2031, 3, 1), "last_date": date(2031, 3, 30), "from_time": "11:00", "to_time": "12:00"},
        False,
    ),
    "the night before, into its morning": (
        {"first_date": date(2031, 3, 29), "last_date": date(2031, 3, 29), "from_time": "22:00", "to_time": "10:01"},
        True,
    ),
    "the night before, until it begins": (
        {"first_date": date(2031, 3, 29), "last_date": date(2031, 3, 29), "from_time": "22:00", "to_time": "10:00"},
        False,
    ),
}


@pytest.mark.parametrize(("dates", "covers"), CLOSED.values(), ids=list(CLOSED))
@pytest.mark.parametrize("of", ["venue", "activity"])
def test_what_a_closure_took_out_is_explained_in_its_words(dates: dict[str, Any], covers: bool, of: str) -> None:
    session = make_session(starts_in=HOUR)
    starts = database_now().replace(year=2031, month=3, day=30, hour=9, minute=0, second=0, microsecond=0)
    change(session, starts_at=starts, ends_at=starts + HOUR, closes_at=starts, is_legacy=True)  # 10:00 by its clock
    owner = {"venue": session.activity.venue} if of == "venue" else {"activity": session.activity}
    closure = ScheduleException.objects.create(
        organization_id=session.organization_id, kind="closure", reason="Closed for the regatta.", **owner, **dates
    )
    found = check_slot_availability(session_id=session.id)
    assert found.words == (
        {"venue_closed": "Closed for the regatta."}
        if covers
        else {"legacy": "This session belongs to an older timetable and takes no more bookings."}
    )
    ScheduleException.objects.filter(id=closure.id).update(lifted_at=database_now())
    assert codes(session) == ("legacy",)


# The differential proof -------------------------------------------------------------------------------------------

TIMES = st.sampled_from([timedelta(days=-2), -HOUR * 2, -HOUR / 2, HOUR / 2, HOUR * 30])
STATES = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["published"] * 6 + ["closed", "cancelled", "completed"]),
        "is_legacy": st.sampled_from([False] * 6 + [True]),
        "on_sale": st.sampled_from([True] * 6 + [False]),
        "waiting": st.sampled_from([0] * 6 + [1]),
        "price_minor": st.sampled_from([None, 700]),
    }
)
LIMITS = st.fixed_dictionaries({"smallest_party": st.integers(1, 3), "largest_party": st.sampled_from([None, 3, 5])})
UNIT = st.fixed_dictionaries(
    {
        "minimum_count": st.integers(0, 2),
        "maximum_count": st.sampled_from([None, 2, 6]),
        "needs_accompaniment": st.sampled_from([False] * 5 + [True]),
        "is_default": st.sampled_from([True] * 7 + [False]),
    }
)
PARTIES = st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=3)


def example(  # noqa: PLR0917 one argument for each thing that is drawn
    state: dict[str, Any], limits: dict[str, Any], unit: dict[str, Any], is_plain: bool, window: tuple[Any, Any],
    capacity: int, parties: list[tuple[int, bool]],
) -> Session:  # fmt: skip
    """Make a session that some have held, some of them too long ago; then put it into the drawn state."""
    activity = make_activity()
    session = make_session(activity, capacity=20, starts_in=timedelta(days=3))
    for size, is_lapsed in parties:
        reservation = hold(session, party_size=size)
        if is_lapsed:
            lapse(reservation)
    session.refresh_from_db()
    taken = session.places_held
    now = database_now()
    opens, closes = now + window[0], now + window[1]
    change(
        session, **state, capacity_total=capacity, honoured_capacity=taken if taken > capacity else 0, opens_at=opens,
        closes_at=closes, starts_at=closes, ends_at=closes + HOUR,
    )  # fmt: skip
    is_limited = not is_plain
    Activity.objects.filter(id=activity.id).update(plain_hold=is_plain, **(limits if is_limited else {}))
    Unit.objects.filter(activity=activity).update(**(unit if is_limited else {}))
    return session


def try_to_hold(session: Session, size: int) -> bool:
    """Hold as a stranger does, and leave nothing behind."""
    try:
        with transaction.atomic():
            reservations.reserve_slot(session_id=session.id, party_size=size, email="fresh@example.org")
            transaction.set_rollback(True)
    except Refusal:
        return False
    return True


def differ(draws: dict[str, Any], size: int, ask: Callable[[Session, int], bool]) -> str:
    """Return how the engine and the hold disagree, or nothing."""
    with transaction.atomic():
        session = example(**draws)
        said, done = ask(session, size), try_to_hold(session, size)
        transaction.set_rollback(True)
    return "" if said == done else f"said {said}, and the hold said {done}"


DRAWS = st.fixed_dictionaries(
    {
        "state": STATES, "limits": LIMITS, "unit": UNIT, "is_plain": st.booleans(),
        "window": st.tuples(TIMES, TIMES).filter(lambda pair: pair[0] < pair[1]), "capacity": st.integers(0, 12),
        "parties": PARTIES,
    }
)  # fmt: skip


def is_being_handed_on(draws: dict[str, Any]) -> bool:
    """Do some wait while lapsed holds are still to be reclaimed? A hold's own look then asks them first."""
    return bool(draws["state"]["waiting"]) and any(is_lapsed for _, is_lapsed in draws["parties"])


MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@MANY
@given(draws=DRAWS.filter(lambda draws: not is_being_handed_on(draws)), size=st.integers(1, 7))
def test_it_says_yes_if_and_only_if_a_strangers_hold_succeeds(draws: dict[str, Any], size: int) -> None:
    assert differ(draws, size, lambda s, n: check_slot_availability(session_id=s.id, party_size=n).is_available) == ""


def test_while_lapsed_places_are_handed_on_to_those_who_wait_nobody_else_is_promised_one() -> None:
    session = make_session(capacity=5)
    lapse(hold(session, party_size=5))
    change(session, waiting=1)
    assert codes(session) == ("waiting_list",)


@pytest.mark.parametrize(
    "forgets",
    ["lapsed", "waiting", "is_legacy", "on_sale", "largest_party", "default_minimum", "default_in_company"],
)
def test_the_proof_notices_an_engine_that_forgets_something(forgets: str) -> None:
    plain: dict[str, Any] = {
        "state": {"status": "published", "is_legacy": False, "on_sale": True, "waiting": 0, "price_minor": None},
        "limits": {"smallest_party": 1, "largest_party": None},
        "unit": {"minimum_count": 0, "maximum_count": None, "needs_accompaniment": False, "is_default": True},
        "is_plain": False, "window": (-HOUR, HOUR), "capacity": 3, "parties": [(3, True)],
    }  # fmt: skip
    odd: dict[str, Any] = {
        "lapsed": plain,
        "waiting": {**plain, "state": {**plain["state"], "waiting": 1}, "parties": []},
        "is_legacy": {**plain, "state": {**plain["state"], "is_legacy": True}},
        "on_sale": {**plain, "state": {**plain["state"], "on_sale": False}},
        "largest_party": {**plain, "limits": {"smallest_party": 1, "largest_party": 1}},
        "default_minimum": {**plain, "unit": {**plain["unit"], "minimum_count": 3}},
        "default_in_company": {**plain, "unit": {**plain["unit"], "needs_accompaniment": True}},
    }
    blind = {"waiting": 0, "is_legacy": False, "on_sale": True, "largest_party": None, "default_minimum": 0,
        "default_in_company": False}  # fmt: skip

    def ask(session: Session, size: int) -> bool:
        row = dict(check_slot_availability(session_id=session.id, party_size=size).session)
        row = row | ({"free": row["capacity_remaining"]} if forgets == "lapsed" else {forgets: blind[forgets]})
        return judge(row, party_size=size).is_available

    assert differ(odd[forgets], 2, ask) != ""
    assert differ(odd[forgets], 2, lambda s, n: judge_now(s, n).is_available) == ""


def judge_now(session: Session, size: int) -> availability.Availability:
    return check_slot_availability(session_id=session.id, party_size=size)


# Alternatives -----------------------------------------------------------------------------------------------------


def test_the_nearest_three_with_room_for_the_party_are_named_and_nothing_else() -> None:
    activity = make_activity()
    full, *others = make_sessions(6, activity, capacity=4)
    make_session(activity, starts_in=timedelta(days=9), capacity=4)  # too far
    make_session(capacity=4)  # somebody else's
    hold(full, party_size=4)
    hold(others[0], party_size=3)
    change(others[2], status="closed")
    with pytest.raises(Refusal) as refused:
        hold(full, party_size=2)
    assert [found["id"] for found in refused.value.extra["alternatives"]] == [others[i].id for i in (1, 3, 4)]
    assert refused.value.extra["alternatives"][0] == {
        "id": others[1].id,
        "starts_at": others[1].starts_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "starts_at_local": others[1].starts_at.astimezone(activity.venue.zone).isoformat(timespec="seconds"),
        "available_spots": 4,
    }


def test_a_closed_session_names_alternatives_too_and_a_lonely_one_names_none() -> None:
    closed, other = make_sessions(2, make_activity(), status="published")
    change(closed, status="closed")
    with pytest.raises(Refusal) as refused:
        hold(closed)
    assert refused.value.code == "not_bookable"
    assert [found["id"] for found in refused.value.extra["alternatives"]] == [other.id]
    lonely = make_session(capacity=1)
    with pytest.raises(Refusal) as alone:
        hold(lonely, party_size=2)
    assert alone.value.extra["alternatives"] == []


def test_units_are_counted_as_people_for_the_alternatives() -> None:
    activity = make_activity()
    full, _, large = (make_session(activity, capacity=n, starts_in=HOUR * (20 + n)) for n in (1, 2, 6))
    child = make_unit(full.activity)
    with pytest.raises(Refusal) as refused:
        reservations.reserve_parties([assessing.Party(full.id, None, units=((child.id, 3),))], email="a@example.org")
    assert [found["id"] for found in refused.value.extra["alternatives"]] == [large.id]
