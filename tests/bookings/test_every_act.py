"""Every act on a booking leaves a fact: when, by the database's clock, and what was so before and after."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from bookings.history import APPLY
from bookings.models import AffectedLine, Booking, BookingEvent, Line
from bookings.orders import Contact, Person
from bookings.services import attendance, cancellation, changes, party_changes, people, schedule_changes, transfers
from bookings.transfer_links import offer_token
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from scheduling.models import Session
from tests.factories import CUSTOMER, book, make_activity, make_session, shift_session, stranger
from tests.staff.changing import make_changes

DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "called us"})
BEN = Contact(email="ben@example.org", name="Ben Baker")
BEGUN = timedelta(minutes=-5)
Changed = dict[str, tuple[Any, Any]]


@dataclass
class Scene:
    """A booking of two lines, each for two people, and another time."""

    booking: Booking
    lines: list[Line]
    other: Session

    @property
    def session(self) -> Session:
        """Return the session of the first line."""
        return self.lines[0].session

    def begin(self) -> None:
        """Let the first session begin."""
        shift_session(self.session, starts_in=BEGUN)


@pytest.fixture
def scene(db: None) -> Scene:
    activity = make_activity()
    first, second, other = (make_session(activity, starts_in=timedelta(days=days)) for days in (2, 3, 9))
    booking = book(first, second, party_size=2, contact=stranger())
    lines = list(booking.lines.select_related("session", "reservation").order_by("session__starts_at"))
    return Scene(booking, lines, other)


def cancel_line(scene: Scene) -> Changed:
    cancellation.cancel_booking(booking_id=scene.booking.id, lines=[scene.lines[0].id], actor=DESK)
    return {"status": ("live", "cancelled")}


def cancel(scene: Scene) -> Changed:
    cancellation.cancel_booking(booking_id=scene.booking.id, actor=DESK)
    return {"total_minor": (4000, 0)}


def move(scene: Scene) -> Changed:
    line = scene.lines[0]
    old = line.reservation_id
    changes.move_line(line_id=line.id, session_id=scene.other.id, actor=DESK)
    new = Line.objects.get(id=line.id).reservation_id
    return {"session": (str(scene.session.id), str(scene.other.id)), "reservation": (str(old), str(new))}


def change_party(scene: Scene) -> Changed:
    line = scene.lines[0]
    party_changes.change_party(line_id=line.id, party_size=3, actor=DESK)
    quotes = (line.quote, Line.objects.get(id=line.id).quote)
    return {"party_size": (2, 3), "places": (2, 3), "amount_minor": (2000, 3000), "quote": quotes}


def change_participants(scene: Scene) -> Changed:
    line = scene.lines[0]
    people.change_participants(line_id=line.id, participants=[Person(name="Zoe")], actor=DESK)
    return {"participants": ([], [str(person.id) for person in Line.objects.get(id=line.id).people])}


def transfer(scene: Scene) -> Changed:
    old = scene.booking.customer_id
    people.transfer_booking(booking_id=scene.booking.id, contact=BEN, actor=DESK)
    return {"customer": (str(old), str(Booking.objects.get(id=scene.booking.id).customer_id))}


def offer(scene: Scene) -> Changed:
    transfers.offer_transfer(booking_id=scene.booking.id, contact=BEN, actor=CUSTOMER)
    return {}  # nothing has changed yet


def take_over(scene: Scene) -> Changed:
    old = scene.booking.customer_id
    fact = scene.booking.events.get(kind="transfer_offered")
    transfers.accept_transfer(offer_id=fact.id, token=offer_token(fact), actor=CUSTOMER)
    return {"customer": (str(old), str(Booking.objects.get(id=scene.booking.id).customer_id))}


def check_in(scene: Scene) -> Changed:
    scene.begin()
    attendance.check_in_line(line_id=scene.lines[0].id, actor=DESK)
    return {"attendance": ("expected", "arrived")}


def undo_check_in(scene: Scene) -> Changed:
    attendance.undo_check_in(line_id=scene.lines[0].id, actor=DESK)
    return {"attendance": ("arrived", "expected")}


def set_outcome(scene: Scene) -> Changed:
    scene.begin()
    attendance.set_outcome(line_id=scene.lines[0].id, outcome="no_show", actor=DESK)
    return {"attendance": ("expected", "no_show")}


def correct_outcome(scene: Scene) -> Changed:
    attendance.set_outcome(line_id=scene.lines[0].id, outcome="completed", actor=DESK, reason_code="came_late")
    return {"attendance": ("no_show", "completed")}


def decide_line(scene: Scene) -> Changed:
    row = AffectedLine.objects.get()
    schedule_changes.decide_line(affected_line_id=row.id, status=AffectedLine.Status.KEEP, actor=DESK, decided_by=None)
    return {"decision": ("open", "keep")}


def cut_capacity(scene: Scene) -> None:
    make_changes(scene.session)


Act = Callable[[Scene], Changed]
Prepare = Callable[[Scene], object]
ACTS: dict[str, tuple[Prepare | None, Act, list[str]]] = {
    "cancel a line": (None, cancel_line, ["line_cancelled"]),
    "cancel": (None, cancel, ["line_cancelled", "line_cancelled", "booking_cancelled"]),
    "move": (None, move, ["line_moved"]),
    "party": (None, change_party, ["party_changed"]),
    "participants": (None, change_participants, ["participants_changed"]),
    "transfer": (None, transfer, ["booking_transferred"]),
    "offer": (None, offer, ["transfer_offered"]),
    "take over": (offer, take_over, ["booking_transferred"]),
    "check in": (None, check_in, ["line_checked_in"]),
    "undo": (check_in, undo_check_in, ["check_in_undone"]),
    "outcome": (None, set_outcome, ["outcome_set"]),
    "correction": (set_outcome, correct_outcome, ["outcome_set"]),
    "decide a line": (cut_capacity, decide_line, ["affected_line_decided"]),
}


def differing(fact: BookingEvent) -> Changed:
    """Return what a fact names twice, before and after, with two values."""
    named = fact.before.keys() & fact.after.keys()
    return {name: (fact.before[name], fact.after[name]) for name in named if fact.before[name] != fact.after[name]}


@pytest.mark.parametrize("name", ACTS)
def test_every_act_says_when_it_was_and_what_was_so_before_and_after(scene: Scene, name: str) -> None:
    prepare, act, kinds = ACTS[name]
    if prepare:
        prepare(scene)
    seq = scene.booking.events.latest("seq").seq
    earliest = database_now()
    changed = act(scene)
    latest = database_now()

    facts = list(scene.booking.events.filter(seq__gt=seq).order_by("seq"))

    assert [fact.kind for fact in facts] == kinds
    times = [earliest, *(fact.at for fact in facts), latest]
    assert times == sorted(times)
    assert differing(facts[-1]) == changed
    assert all(differing(fact) for fact in facts) == bool(changed)
    statuses = ("confirmed", "cancelled") if kinds[-1] == "booking_cancelled" else ("", "confirmed")
    assert (facts[-1].from_status, facts[-1].to_status) == statuses


def test_the_acts_here_are_all_from_which_the_past_is_rebuilt() -> None:
    tried = {kind for _, _, kinds in ACTS.values() for kind in kinds}
    # The beginning, before which there was nothing, and a checkout that was left before it was paid.
    assert set(APPLY) - tried == {"booking_started", "booking_confirmed", "checkout_left"}


@pytest.mark.django_db
def test_the_time_of_a_fact_is_the_databases_whatever_its_writer_says() -> None:
    booking = book(make_session())
    wrong = datetime(2001, 2, 3, tzinfo=UTC)
    earliest = database_now()
    fact = BookingEvent.objects.create(
        organization_id=booking.organization_id, booking=booking, kind="line_moved", to_status="confirmed",
        actor_kind="staff", channel="admin", seq=0, at=wrong,
    )  # fmt: skip
    fact.refresh_from_db()
    assert earliest <= fact.at <= database_now()


@pytest.mark.usefixtures("committed_db")
def test_neither_many_rows_at_once_nor_raw_sql_change_a_status_without_a_fact_or_a_fact() -> None:
    bookings = [book(make_session()) for _ in range(2)]
    rows = list(BookingEvent.objects.order_by("booking", "seq").values())
    for statement in (
        "UPDATE bookings_booking SET status = 'cancelled'",
        "UPDATE bookings_bookingevent SET before = '{}'",
        "UPDATE bookings_bookingevent SET at = now()",
        "DELETE FROM bookings_bookingevent",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    with pytest.raises(IntegrityError, match="without a fact"), transaction.atomic():
        Booking.objects.filter(id__in=[booking.id for booking in bookings]).update(status="cancelled")
    with pytest.raises(DatabaseError), transaction.atomic():
        BookingEvent.objects.update(after={"total_minor": 0})
    assert set(Booking.objects.values_list("status", flat=True)) == {"confirmed"}
    assert list(BookingEvent.objects.order_by("booking", "seq").values()) == rows
