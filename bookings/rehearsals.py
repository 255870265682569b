"""The page of a schedule change, gathered in a few queries: what is asked for, what it does, whom it touches."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from bookings.models import AffectedLine, Line
from bookings.services import amendments
from config.kit.display import money_text
from scheduling import effects
from scheduling.change_words import (
    TITLES,
    asked_in_words,
    before_and_after,
    clocks_in_words,
    effect_in_words,
    effects_in_words,
    over,
    plural,
)
from scheduling.models import ScheduleChange, ScheduleException
from scheduling.schedule_rules import Rules, stored_rules
from scheduling.schedule_words import exception_in_words
from scheduling.services.exceptions import read_exception

MOST_ROWS = 200  # of sessions, and of bookings: the rest is counted
MOST_MOVED = 20  # of what moved since: enough to see why
WHY: Mapping[str, str] = {
    effects.LEGACY: "outside the timetable from then on",
    effects.HONOUR: "over the capacity, honoured",
    effects.CLOSE: "it will not take place: offered to move or to cancel without a fee",
}


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session on the page."""

    id: str | None  # None: it does not exist yet
    name: str
    starts: str
    change: str
    booked: int
    held: int


@dataclass(frozen=True, slots=True)
class Group:
    """The sessions of one effect: the first of them, and how many more there are."""

    effect: str
    title: str
    rows: Sequence[SessionLine]
    more: int

    @property
    def has_changes(self) -> bool:
        """Does any of them get other numbers?"""
        return any(row.change for row in self.rows)


@dataclass(frozen=True, slots=True)
class TouchedBooking:
    """A booked line whose session the change leaves outside the timetable, over its capacity or off sale."""

    booking_id: UUID
    number: str
    customer: str
    activity: str
    starts: str
    people: int
    amount: str
    why: str


@dataclass(frozen=True, slots=True)
class Touched:
    """Whom the change touches."""

    rows: Sequence[TouchedBooking]
    more: int
    summary: str  # bookings, customers, people and money; empty: nobody


@dataclass(frozen=True, slots=True)
class RehearsalPage:
    """A change as its author reads it."""

    change: ScheduleChange
    title: str
    about: str
    asked: Sequence[str]
    rules: Rules | None  # of a timetable
    counts: Sequence[str]
    clocks: Sequence[str]
    groups: Sequence[Group]
    touched: Touched
    open_lines: int  # on the work list, once it is applied

    @property
    def changes_nothing(self) -> bool:
        """Does it leave every session as it is?"""
        return not self.groups


def rehearsal_page(change: ScheduleChange) -> RehearsalPage:
    """Gather the page of a change; its venue and activity are loaded with it."""
    zone, currency = change.venue.zone, _currency(change)
    document: Mapping[str, Any] = change.effects
    return RehearsalPage(
        change=change, title=TITLES[change.kind], about=str(change.activity or change.venue),
        asked=[*asked_in_words(change.kind, change.parameters, currency), *_lifted(change)],
        rules=stored_rules(change.parameters["rules"]) if change.kind == "timetable" else None,
        counts=effects_in_words(document), clocks=clocks_in_words(document, zone),
        groups=_groups(document["sessions"], zone, currency), touched=_touched(document, zone),
        open_lines=AffectedLine.objects.filter(change=change, status=AffectedLine.Status.OPEN).count(),
    )  # fmt: skip


def _currency(change: ScheduleChange) -> str:
    """Return the currency of the activity, or of the venue's organization."""
    return change.activity.currency if change.activity else change.venue.organization.currency


def _lifted(change: ScheduleChange) -> list[str]:
    """Return what is lifted, when it is that."""
    if change.kind != ScheduleChange.Kind.LIFT:
        return []
    found = ScheduleException.objects.filter(id=change.parameters["exception"])
    return [exception_in_words(read_exception(row)) for row in found]


def _groups(rows: Sequence[Mapping[str, Any]], zone: ZoneInfo, currency: str) -> list[Group]:
    by_effect: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_effect[row["effect"]].append(row)
    return [_group(effect, by_effect[effect], zone, currency) for effect in effects.LISTED if by_effect[effect]]


def _group(effect: str, rows: Sequence[Mapping[str, Any]], zone: ZoneInfo, currency: str) -> Group:
    shown = [
        SessionLine(
            id=row["session"], name=row["name"], starts=_starts(row["starts_at"], zone),
            change=before_and_after(row, currency), booked=row["booked"], held=row["held"],
        )
        for row in rows[:MOST_ROWS]
    ]  # fmt: skip
    title = effect_in_words(effect, len(rows), over_by=sum(over(row) for row in rows))
    return Group(effect, title, shown, len(rows) - len(shown))


# Whom it touches ----------------------------------------------------------------------------------------------------


def _touched(document: Mapping[str, Any], zone: ZoneInfo) -> Touched:
    """Show the lines that were part of what was rehearsed, in one query."""
    effect_of = {row["session"]: row["effect"] for row in document["sessions"] if row["session"]}
    ids = document.get("lines", ())
    lines = Line.objects.filter(id__in=ids).select_related("booking", "session__activity")
    shown = [
        _touched_booking(line, effect_of[str(line.session_id)], zone)
        for line in lines.order_by("session__starts_at", "id")[:MOST_ROWS]
    ]
    return Touched(shown, len(ids) - len(shown), _summary(document["people"]) if ids else "")


def _touched_booking(line: Line, effect: str, zone: ZoneInfo) -> TouchedBooking:
    return TouchedBooking(
        booking_id=line.booking_id, number=line.booking.number, customer=line.booking.contact_name,
        activity=line.session.activity.name, starts=_starts(line.session.starts_at, zone), people=line.party_size,
        amount=money_text(amendments.net_of(line), line.booking.currency), why=WHY[effect],
    )  # fmt: skip


def _summary(people: Mapping[str, Any]) -> str:
    """Say how many bookings, customers and people it touches, and what they pay."""
    parts = [
        plural(people["bookings"], "booking", "bookings"),
        plural(people["customers"], "customer", "customers"),
        plural(people["people"], "person", "people"),
        *(money_text(amount, currency) for currency, amount in sorted(people["money"].items())),
    ]
    return ", ".join(parts)


# What moved since ---------------------------------------------------------------------------------------------------


def moved_in_words(moved: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> list[str]:
    """Say about which sessions a preview and the world differ: what was shown, and what it would be now."""
    lines = [
        f"{row['name']}, {_starts(row['starts_at'], zone)}: {_plan(row['was'])}; now {_plan(row['is'])}"
        for row in moved[:MOST_MOVED]
    ]
    more = len(moved) - len(lines)
    return [*lines, f"and {more} more"] if more else lines


def _plan(told: Mapping[str, Any] | None) -> str:
    """Say what a plan does with one session, in a few words."""
    if told is None:
        return "left alone"
    numbers = "" if told["before"] is None and told["after"] is None else f" ({told['before']} → {told['after']})"
    booked = f", {told['booked']} booked" if told["booked"] else ""
    return f"{PLANS[told['effect']]}{numbers}{booked}"


PLANS: Mapping[str, str] = {
    effects.ADD: "added", effects.RESTORE: "back on sale", effects.RETIME: "another length",
    effects.RESIZE: "other places", effects.HONOUR: "over, honoured", effects.REPRICE: "another price",
    effects.END_SALE: "not sold any more", effects.LEGACY: "kept for those who booked",
    effects.CLOSE: "closed, with offers",
    effects.WITHDRAW: "withdrawn", effects.KEEP: "left alone",
}  # fmt: skip


def _starts(at: str | datetime, zone: ZoneInfo) -> str:
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{instant.astimezone(zone):%a %d %b %Y, %H:%M}"
