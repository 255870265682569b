"""The activity page over HTTP, its month warm, beside a constant body of the same size from the same server."""

import os
import subprocess
from datetime import UTC, datetime

from config.run.commands import manage
from config.run.processes import ServerError
from scheduling.services.generation import generate_activity_sessions
from tests.bench.ground import ROOT, Ground, Web
from tests.bench.load import Load, run_wrk
from tests.bench.seed import create_activities
from tests.bench.table import Row, print_table, say

CLIENTS = 8
DAYS = 31
OK = 200
WARM_UP_SECONDS = 1.0


def run(ground: Ground, *, rounds: int) -> None:
    """Measure in rounds: constant, then the page."""
    _collect_static_files()
    path = _page_path()
    constant, page = Row("constant body", str(CLIENTS)), Row("activity page", str(CLIENTS))
    with ground.web() as web:
        _, body = web.get(path)
        with ground.web("tests.bench.constant:application", BENCH_BODY_BYTES=str(len(body))) as beside:
            for server in (web, beside):
                _read(ground, server, path, seconds=min(WARM_UP_SECONDS, ground.seconds))
            for number in range(1, rounds + 1):
                say(f"page: round {number} of {rounds}")
                bare = _add(constant, _read(ground, beside, path))
                _add(page, _read(ground, web, path), bare)
    print_table(f"Activity page: GET /…/…/, {len(body):,} bytes", [constant, page])


def _collect_static_files() -> None:
    """Give the pages their names of stylesheet and scripts, as bin/run does."""
    command = manage("collectstatic", "--noinput", "--verbosity=0")
    answer = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise ServerError(f"The static files could not be collected:\n{answer.stderr.strip()}")


def _page_path() -> str:
    activity = create_activities(1, name="page")[0]
    generate_activity_sessions(activity_id=activity.id, start_date=datetime.now(tz=UTC).date(), days_ahead=DAYS)
    return f"/{activity.organization.slug}/{activity.slug}/"


def _read(ground: Ground, web: Web, path: str, seconds: float | None = None) -> Load:
    load = run_wrk(ground, web, path, script="read.lua", clients=CLIENTS, arguments=["plain"], seconds=seconds)
    load.only(OK)
    return load


def _add(row: Row, load: Load, bare: Load | None = None) -> Load:
    row.samples.append(load.sample)
    if bare:
        row.ratios.append(load.sample.per_second / bare.sample.per_second)
    say(f"  {row.what:<32} {load.sample.per_second:,.0f} a second")
    return load
