"""What PostgreSQL alone does, by pgbench: lock a session, decrement it, insert a hold, commit.

Its own small tables, in a database beside the product's: a counter with a CHECK, a hold with a foreign key and an
index by session. Prepared statements, as the application's role, over the same socket; no HTTP, and no idempotency
key, quote, tenant or trigger.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

import psycopg

from config.run import roles
from config.run.processes import ServerError
from tests.bench.ground import Ground, cpu_of
from tests.bench.table import Sample, WrongResult

DATABASE = "bare"
ALL_SESSIONS = 3_900
HOLDS_EACH = 13  # there before we begin
SESSIONS = 100  # of these, far apart in the table
PLACES = 1_000_000_000
TABLES = f"""
CREATE TABLE session (
    id bigint PRIMARY KEY, capacity int NOT NULL, remaining int NOT NULL, CHECK (remaining BETWEEN 0 AND capacity)
);
CREATE TABLE hold (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), session_id bigint NOT NULL REFERENCES session (id),
    places int NOT NULL, held_at timestamptz NOT NULL, expires_at timestamptz NOT NULL
);
CREATE INDEX ON hold (session_id, expires_at);
INSERT INTO session SELECT n, {PLACES}, {PLACES} FROM generate_series(1, {ALL_SESSIONS}) n;
INSERT INTO hold (session_id, places, held_at, expires_at)
SELECT id, 0, now(), now() + interval '1 day' FROM session, generate_series(1, {HOLDS_EACH});
ANALYZE session, hold;
GRANT SELECT, INSERT, UPDATE ON session, hold TO {roles.APP};
"""
TRANSACTION = """\\set session {step} * random(1, {sessions})
BEGIN;
SELECT remaining FROM session WHERE id = :session FOR NO KEY UPDATE;
UPDATE session SET remaining = remaining - 1 WHERE id = :session;
INSERT INTO hold (session_id, places, held_at, expires_at) VALUES (:session, 1, now(), now() + interval '10 minutes');
COMMIT;
"""
WRONG = """SELECT count(*) FROM session s
WHERE capacity - remaining <> (SELECT coalesce(sum(places), 0) FROM hold h WHERE h.session_id = s.id)"""


def make_tables(ground: Ground) -> None:
    """Make the database and its tables, owned by the owner's role."""
    if ground.postgres.create_database(DATABASE):
        with psycopg.connect(ground.postgres.owner_url(DATABASE), autocommit=True) as connection:
            connection.execute(TABLES)


def run_pgbench(ground: Ground, *, clients: int, sessions: int) -> Sample:
    """Run the transaction from so many clients, each time on one of so many sessions chosen by chance."""
    with tempfile.TemporaryDirectory(dir=ground.folder) as name:
        folder = Path(name)
        (folder / "hold.sql").write_text(TRANSACTION.format(sessions=sessions, step=ALL_SESSIONS // SESSIONS))
        with cpu_of(ground) as used:
            answer = subprocess.run(
                _command(ground, folder, clients), cwd=folder, capture_output=True, text=True, check=False
            )
        rate = re.search(r"tps = ([\d.]+)", answer.stdout)
        if answer.returncode != 0 or rate is None:
            raise ServerError(f"pgbench failed: {answer.stdout}{answer.stderr}")
        times = sorted(int(line.split()[2]) for log in folder.glob("log.*") for line in log.read_text().splitlines())
    _check(ground)
    p50, p95, p99 = (times[int(len(times) * share)] / 1000 for share in (0.50, 0.95, 0.99))
    return Sample(float(rate.group(1)), p50, p95, p99, app_cpu=0.0, db_cpu=used[1] / len(times))


def _command(ground: Ground, folder: Path, clients: int) -> list[str]:
    program = ground.postgres.programs / "pgbench"
    if not program.is_file():
        raise ServerError(f"bin/bench needs pgbench, and {program.parent} has none (Debian: postgresql-contrib).")
    command = [str(program), "-n", "-M", "prepared", "-c", str(clients), "-j", str(os.cpu_count() or 1)]
    command += ["-T", str(max(round(ground.seconds), 1)), "-f", str(folder / "hold.sql"), "-l", "--log-prefix=log"]
    return [*command, "-h", str(ground.postgres.socket), "-U", roles.APP, DATABASE]


def _check(ground: Ground) -> None:
    with psycopg.connect(ground.postgres.admin_url(DATABASE)) as connection:
        if connection.execute(WRONG).fetchone() != (0,):
            raise WrongResult("pgbench's own counters disagree with its holds")
