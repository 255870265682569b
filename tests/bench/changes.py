"""Changes of bookings beside the hold: what each costs a second, one client, through the services."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from uuid import UUID

from bookings.models import Booking, Line
from bookings.orders import Contact, Terms, Wanted
from bookings.services import cancellation, changes, checkout, party_changes
from config.kit.facts import Actor, ActorKind
from config.kit.ids import uuid7
from scheduling.models import Activity
from scheduling.services.assessing import Party
from scheduling.services.reservations import reserve_slot
from tests.bench.ground import Ground, cpu_of
from tests.bench.hold import WRONG_SESSIONS
from tests.bench.seed import create_activities, create_sessions
from tests.bench.table import Row, Sample, WrongResult, print_table, say

SESSIONS = 40
ROOMY = 1_000_000
CUSTOMER = Actor(kind=ActorKind.CUSTOMER, channel="api")
MILLISECONDS = 1000


def run(ground: Ground, *, rounds: int) -> None:
    """Measure in rounds: holds, bookings, moves, larger parties, cancellations; the counters must agree afterwards."""
    activity = create_activities(1, name="changes")
    Activity.objects.filter(id=activity[0].id).update(
        pay_on_arrival=True, change_until_minutes=0, cancel_until_minutes=0
    )
    sessions = create_sessions(activity, each=SESSIONS, capacity=ROOMY)
    rows = {name: Row(name, "1") for name in ("hold", "book", "move", "one more", "cancel")}
    number = max(int(ground.seconds * 40), 40)
    for count in range(1, rounds + 1):
        say(f"changes: round {count} of {rounds}, {number} of each")
        ground.settle()
        _round(ground, sessions, rows, number)
        if ground.sql(WRONG_SESSIONS) != [(0,)]:
            raise WrongResult("counters are not the sums of their reservations, or a session is oversold")
    print_table("Changes of a booking beside the hold, through the services", list(rows.values()))


def _round(ground: Ground, sessions: Sequence[UUID], rows: dict[str, Row], number: int) -> None:
    """Hold and book so many, then move each booking to the next session, add one to it, and cancel it."""
    at = list(islice(cycle(sessions), number + 1))
    hold = _measure(ground, rows["hold"], [partial(_hold, session) for session in at[:-1]])
    bookings: list[Booking] = []
    acts: list[Callable[[], object]] = [partial(_book, session, bookings) for session in at[:-1]]
    _measure(ground, rows["book"], acts, beside=hold)
    lines = [Line.objects.get(booking=booking).id for booking in bookings]
    moves = [partial(_move, line, to) for line, to in zip(lines, at[1:], strict=True)]
    _measure(ground, rows["move"], moves, beside=hold)
    _measure(ground, rows["one more"], [partial(_grow, line) for line in lines], beside=hold)
    _measure(ground, rows["cancel"], [partial(_cancel, booking) for booking in bookings], beside=hold)


def _hold(session: UUID) -> None:
    reserve_slot(session_id=session, party_size=1, email="guest@example.com")


def _book(session: UUID, bookings: list[Booking]) -> None:
    contact = Contact(email=f"{uuid7().hex}@example.com", name="Guest")
    lines = [Wanted(Party(session_id=session, party_size=1))]
    bookings.append(checkout.book_lines(lines=lines, contact=contact, terms=Terms(), actor=CUSTOMER))


def _move(line: UUID, to: UUID) -> None:
    changes.move_line(line_id=line, session_id=to, actor=CUSTOMER)


def _grow(line: UUID) -> None:
    party_changes.change_party(line_id=line, party_size=2, actor=CUSTOMER)


def _cancel(booking: Booking) -> None:
    cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER)


def _measure(ground: Ground, row: Row, acts: Sequence[Callable[[], object]], *, beside: Sample | None = None) -> Sample:
    """Time each act; what the hold does in a second is the measure of the others."""
    spent = []
    with cpu_of(ground) as used:
        for act in acts:
            started = time.perf_counter()
            act()
            spent.append(time.perf_counter() - started)
    cuts = statistics.quantiles(spent, n=100)
    p50, p95, p99 = (cuts[n] * MILLISECONDS for n in (49, 94, 98))
    sample = Sample(len(spent) / sum(spent), p50, p95, p99, 0.0, used[1] / len(spent))
    row.samples.append(sample)
    if beside:
        row.ratios.append(sample.per_second / beside.per_second)
    say(f"  {row.what:<9} {sample.per_second:,.0f} a second")
    return sample
