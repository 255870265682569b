"""Bookings over HTTP beside the hold: a dry run of three lines, a booking of one, the confirmation of what is held."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from config.kit.ids import uuid7
from scheduling.models import Activity
from scheduling.services.reservations import reserve_slot
from tests.bench.ground import Ground, Web
from tests.bench.hold import BUSY, WRONG_SESSIONS
from tests.bench.load import Load, run_wrk
from tests.bench.seed import create_activities, create_sessions
from tests.bench.table import Row, WrongResult, judged, print_table, say

SESSIONS, ROOMY = 100, 1_000_000
CLIENTS = 8
CONFIRMED_A_SECOND = 900  # more than there will be: each is confirmed once
VALIDATION_MS = 200  # what a dry run may take, 95 times of 100
OK, CREATED = 200, 201
BOOKED = """SELECT (SELECT count(*) FROM bookings_booking WHERE status = 'confirmed'),
    (SELECT count(*) FROM bookings_attempt)"""


def run(ground: Ground, *, rounds: int) -> None:
    """Measure in rounds; afterwards every booking has its attempt, and the counters agree."""
    activities = create_activities(10, name="booking")
    Activity.objects.filter(id__in=[activity.id for activity in activities]).update(pay_on_arrival=True)
    sessions = create_sessions(activities, each=SESSIONS // 10, capacity=ROOMY)
    file = ground.folder / "booking.txt"
    file.write_text("".join(f"{session_id}\n" for session_id in sessions))
    rows = {
        "hold": Row("hold", str(CLIENTS)),
        "validate": Row("dry run of three lines", str(CLIENTS)),
        "book": Row("booking of one line", str(CLIENTS)),
        "confirm": Row("confirmation of what is held", str(CLIENTS)),
    }
    with ground.web() as web:
        for number in range(1, rounds + 1):
            say(f"booking: round {number} of {rounds}")
            _round(ground, web, rows, file, _hold_many(ground, sessions, number))
    row = rows["validate"]
    row.goal = judged(met=row.median("p95") < VALIDATION_MS, goal=f"p95 < {VALIDATION_MS} ms")
    print_table("Bookings over HTTP beside the hold", list(rows.values()))


def _hold_many(ground: Ground, sessions: Sequence[UUID], number: int) -> Path:
    """Hold places to be confirmed, and write their tokens down."""
    count = int(ground.seconds * CONFIRMED_A_SECOND)
    held = [
        reserve_slot(session_id=sessions[n % len(sessions)], party_size=1, email=f"held-{number}-{n}@example.com")
        for n in range(count)
    ]
    file = ground.folder / f"held-{number}.txt"
    file.write_text("".join(f"{reservation.id} {reservation.token}\n" for reservation in held))
    ground.settle()
    return file


def _round(ground: Ground, web: Web, rows: dict[str, Row], sessions: Path, held: Path) -> None:
    base = _measure(ground, web, "/api/v1/reservations", [uuid7().hex, str(sessions)], answer=CREATED)
    rows["hold"].samples.append(base.sample)
    for what, path, file, answer in (
        ("validate", "/api/v1/bookings/validate", sessions, OK),
        ("book", "/api/v1/bookings", sessions, CREATED),
        ("confirm", "/api/v1/reservations", held, OK),
    ):
        before = ground.sql(BOOKED)[0]
        load = _measure(ground, web, path, [uuid7().hex, what, str(file)], answer=answer)
        _check(ground, what, before)
        rows[what].samples.append(load.sample)
        rows[what].ratios.append(load.sample.per_second / base.sample.per_second)
        say(f"  {what}: {load.sample.per_second:,.0f} a second, p95 {load.sample.p95:.1f} ms")


def _measure(ground: Ground, web: Web, path: str, arguments: list[str], *, answer: int) -> Load:
    script = "booking.lua" if len(arguments) > len(("run", "sessions")) else "hold.lua"
    load = run_wrk(ground, web, path, script=script, clients=CLIENTS, arguments=arguments)
    load.only(answer)
    while ground.sql(BUSY) != [(0,)]:
        pass  # requests that were under way when the time was over
    return load


def _check(ground: Ground, what: str, before: tuple[int, int]) -> None:
    """Prove the outcome: a dry run writes nothing, and each booking has left its attempt."""
    bookings, attempts = (now - then for now, then in zip(ground.sql(BOOKED)[0], before, strict=True))
    if bookings != attempts or (what == "validate") == bool(bookings):
        raise WrongResult(f"{what}: {bookings} bookings and {attempts} attempts")
    if ground.sql(WRONG_SESSIONS) != [(0,)]:
        raise WrongResult("counters are not the sums of their reservations, or a session is oversold")
