"""Holds over HTTP beside bare transactions: spread over 100 sessions, on one hot session, and refused when sold out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from config.kit.ids import uuid7
from scheduling.services.reservations import reserve_slot
from tests.bench.bare import ALL_SESSIONS, HOLDS_EACH, SESSIONS, make_tables, run_pgbench
from tests.bench.ground import Ground, Web
from tests.bench.load import Load, run_wrk
from tests.bench.seed import create_activities, create_holds, create_sessions
from tests.bench.table import Row, Sample, WrongResult, judged, print_table, say

ACTIVITIES = 10
ROOMY = 100_000_000
FULL = 50  # places, taken by parties of five
CLIENTS = (8, 32)
PATH = "/api/v1/reservations"
WARM_UP_SECONDS = 2.0
CREATED, CONFLICT = 201, 409
SPREAD_GOAL, HOT_GOAL = 0.30, 0.70

COUNTS = "SELECT (SELECT count(*) FROM scheduling_reservation), (SELECT count(*) FROM kit_idempotencykey)"
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'holdfast_app' AND state <> 'idle'"
WRONG_SESSIONS = """SELECT count(*) FROM scheduling_session s LEFT JOIN (
    SELECT session_id, coalesce(sum(places) FILTER (WHERE status = 'held'), 0) AS held,
        coalesce(sum(places) FILTER (WHERE status = 'confirmed'), 0) AS booked
    FROM scheduling_reservation GROUP BY session_id) r ON r.session_id = s.id
WHERE s.places_held <> coalesce(r.held, 0) OR s.places_booked <> coalesce(r.booked, 0)
    OR s.places_held + s.places_booked > s.capacity_total"""


Bare = dict[tuple[int | None, int], Row]  # pgbench's rows, by sessions and clients


@dataclass(frozen=True, slots=True)
class Case:
    """Which sessions the buyers want, how many buyers there are, and what they must be answered."""

    name: str
    clients: int
    sessions: Path  # a file with an id a line
    answer: int
    bare_sessions: int | None  # over how many sessions pgbench spreads beside it; None: it is not compared


def run(ground: Ground, *, rounds: int) -> None:
    """Measure in rounds, pgbench and product in turn; check after each run that nothing was lost or oversold."""
    make_tables(ground)
    cases = _cases(ground)
    bare: Bare = {(case.bare_sessions, case.clients): _bare_row(case) for case in cases if case.bare_sessions}
    rows = {case: Row(case.name, str(case.clients)) for case in cases}
    with ground.web() as web:
        for clients in CLIENTS:
            _hold(ground, web, cases[0], clients=clients, seconds=min(WARM_UP_SECONDS, ground.seconds))
        for number in range(1, rounds + 1):
            say(f"hold: round {number} of {rounds}")
            for case in cases:
                _measure(ground, web, case, rows[case], bare)
    _judge(rows, cases)
    spread, hot = [[row for (n, _), row in bare.items() if n == sessions] for sessions in (SESSIONS, 1)]
    by_name = {name: [rows[case] for case in cases if case.name == name] for name in ("spread", "hot", "refused")}
    _rename(by_name)
    ordered = [*spread, *by_name["spread"], *hot, *by_name["hot"], *by_name["refused"]]
    print_table("Holds: POST /api/v1/reservations beside bare PostgreSQL", ordered)


def _cases(ground: Ground) -> list[Case]:
    activities = create_activities(ACTIVITIES, name="hold")
    sessions = create_sessions(activities, each=ALL_SESSIONS // ACTIVITIES, capacity=ROOMY)
    create_holds(ground, sessions, each=HOLDS_EACH, expires=timedelta(days=1))
    spread = sessions[:: ALL_SESSIONS // SESSIONS]
    hot = create_sessions(create_activities(1, name="hot"), each=1, capacity=ROOMY)
    full = create_sessions(create_activities(1, name="full"), each=1, capacity=FULL)
    for _ in range(FULL // 5):
        reserve_slot(session_id=full[0], party_size=5, email="early@example.com")
    ground.settle()
    files = [_write(ground, name, ids) for name, ids in (("spread", spread), ("hot", hot), ("refused", full))]
    kinds = [
        ("spread", files[0], CREATED, SESSIONS),
        ("hot", files[1], CREATED, 1),
        ("refused", files[2], CONFLICT, None),
    ]
    return [Case(name, n, file, answer, bare) for name, file, answer, bare in kinds for n in CLIENTS]


def _write(ground: Ground, name: str, ids: Sequence[UUID]) -> Path:
    file = ground.folder / f"{name}.txt"
    file.write_text("".join(f"{session_id}\n" for session_id in ids))
    return file


def _bare_row(case: Case) -> Row:
    where = "one hot row" if case.bare_sessions == 1 else f"{case.bare_sessions} sessions"
    return Row(f"pgbench: lock, decrement, insert, commit; {where}", str(case.clients))


def _measure(ground: Ground, web: Web, case: Case, row: Row, bare: Bare) -> None:
    beside: Sample | None = None
    if case.bare_sessions:
        beside = run_pgbench(ground, clients=case.clients, sessions=case.bare_sessions)
        bare[case.bare_sessions, case.clients].samples.append(beside)
    load = _hold(ground, web, case)
    row.samples.append(load.sample)
    if beside:
        row.ratios.append(load.sample.per_second / beside.per_second)
    than = f", {row.ratios[-1]:.2f} of pgbench's {beside.per_second:,.0f}" if beside else ""
    say(f"  {case.name:<8}{case.clients:>3} clients: {load.sample.per_second:,.0f} a second{than}")


def _hold(ground: Ground, web: Web, case: Case, clients: int | None = None, seconds: float | None = None) -> Load:
    """Run wrk on a case and prove the outcome."""
    before, clients = ground.sql(COUNTS)[0], clients or case.clients
    arguments = [uuid7().hex, str(case.sessions)]
    load = run_wrk(ground, web, PATH, script="hold.lua", clients=clients, arguments=arguments, seconds=seconds)
    load.only(case.answer)
    while ground.sql(BUSY) != [(0,)]:
        pass  # requests that were under way when the time was over
    reservations, keys = (now - then for now, then in zip(ground.sql(COUNTS)[0], before, strict=True))
    answered = load.statuses.get(CREATED, 0)
    if reservations != keys or not answered <= reservations <= answered + clients:
        raise WrongResult(f"{answered} holds were answered 201, {reservations} reservations and {keys} keys are there")
    if ground.sql(WRONG_SESSIONS) != [(0,)]:
        raise WrongResult("counters are not the sums of their reservations, or a session is oversold")
    return load


def _judge(rows: dict[Case, Row], cases: Sequence[Case]) -> None:
    for case in cases:
        row = rows[case]
        if case.name == "spread" and case.clients == CLIENTS[0]:
            row.goal = judged(met=row.ratio >= SPREAD_GOAL, goal=f"≥ {SPREAD_GOAL:.2f}")
        if case.name == "hot":
            row.goal = judged(met=row.ratio >= HOT_GOAL, goal=f"≥ {HOT_GOAL:.2f}")
        if case.name == "refused":
            held = next(rows[other] for other in cases if other.name == "spread" and other.clients == case.clients)
            row.goal = judged(met=_is_cheaper(row, held), goal="cheaper than a hold")


def _is_cheaper(row: Row, held: Row) -> bool:
    cpu, held_cpu = [r.median("app_cpu") + r.median("db_cpu") for r in (row, held)]
    return row.median("per_second") > held.median("per_second") and cpu < held_cpu


def _rename(by_name: dict[str, list[Row]]) -> None:
    titles = {"spread": f"hold over HTTP; {SESSIONS} sessions", "hot": "hold over HTTP; one hot session"}
    for name, rows in by_name.items():
        for row in rows:
            row.what = titles.get(name, "refused over HTTP; one sold-out session")
