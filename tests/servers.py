"""A pytest plugin, loaded before Django's settings: real servers for the run, a database of its own for every worker.

The process that pytest was started in starts PostgreSQL and Valkey in a temporary folder and stops them at its end.
The workers of pytest-xdist inherit the folder's name and take a database and a Redis number each.
"""

import atexit
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import psycopg
from psycopg import sql

from config.run.temporary import FOLDER_VARIABLE, TemporaryServers, create_servers

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "holdfast_template"
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
DATABASE = f"holdfast_{WORKER}"
REDIS_DATABASE = 1 if WORKER == "main" else int(WORKER.removeprefix("gw")) + 2


def find_or_start_servers() -> TemporaryServers:
    """Use the servers that a parent process started, else start some and stop them when this process ends."""
    if FOLDER_VARIABLE in os.environ:
        return TemporaryServers(Path(os.environ[FOLDER_VARIABLE]))
    servers = create_servers()
    process = os.getpid()
    atexit.register(lambda: servers.close() if os.getpid() == process else None)  # a forked child must not stop them
    return servers.__enter__()


def make_worker_database() -> None:
    """Give this worker a fresh copy of the migrated template, which the first worker to come here makes."""
    with (servers.folder / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (servers.folder / "template.done").exists():
            _migrate_template()
            (servers.folder / "template.done").touch()
        with psycopg.connect(servers.postgres.admin_url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE)))
        servers.postgres.create_database(DATABASE, template=TEMPLATE)


def _migrate_template() -> None:
    """Migrate as the owner, in a process of its own: this one never has more rights than production."""
    servers.postgres.create_database(TEMPLATE)
    environment = os.environ | {"DATABASE_URL": servers.postgres.owner_url(TEMPLATE)}
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise RuntimeError(f"The test database could not be migrated:\n{answer.stderr}")


servers = find_or_start_servers()
os.environ.update(servers.environment(database=DATABASE, redis_database=REDIS_DATABASE))
