"""The embedded servers: what survives, under whom they run, and what the roles may do."""

import multiprocessing
import os
import pwd
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from config.run import unprivileged
from config.run.postgres import EmbeddedPostgres, short_folder
from config.run.valkey import EmbeddedValkey
from tests.conftest import RunSql
from tests.run.conftest import SMALL


def write_row(server: EmbeddedPostgres) -> None:
    """Commit one row as the owner."""
    with psycopg.connect(server.owner_url()) as connection:
        connection.execute("CREATE TABLE acknowledged (number int)")
        connection.execute("INSERT INTO acknowledged VALUES (50)")


def rows(server: EmbeddedPostgres) -> list[tuple[int]]:
    """Read what was committed."""
    with psycopg.connect(server.owner_url()) as connection:
        return connection.execute("SELECT number FROM acknowledged").fetchall()


def kill(process: "subprocess.Popen[bytes] | None") -> int:
    """Kill a server as no program can refuse; return its process id."""
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return process.pid


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that every account can walk to, unlike tmp_path."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_killed_postgres_comes_back_with_what_was_committed(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    write_row(postgres)
    busy = psycopg.connect(postgres.owner_url())
    busy.execute("INSERT INTO acknowledged VALUES (51)")  # never committed
    kill(postgres.process)
    postgres.start()  # while the killed server's children may still be there
    busy.close()
    assert rows(postgres) == [(50,)]


def test_an_orphan_of_a_killed_run_is_stopped_and_its_data_served(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    write_row(postgres)
    successor = EmbeddedPostgres(postgres.folder, settings=SMALL)
    successor.start()
    assert postgres.process is not None
    assert (postgres.process.wait(timeout=10), rows(successor)) == (0, [(50,)])
    successor.stop()


def test_a_pid_file_that_names_some_other_program_is_no_obstacle(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    write_row(postgres)
    pid = kill(postgres.process)
    file = postgres.data / "postmaster.pid"
    file.write_text(file.read_text().replace(str(pid), str(os.getpid()), 1))
    postgres.start()
    assert rows(postgres) == [(50,)]


def test_the_socket_of_a_long_path_lies_in_a_short_one(tmp_path: Path) -> None:
    assert short_folder(Path("/srv/holdfast")) == Path("/srv/holdfast/socket")
    assert len(str(short_folder(tmp_path / ("long" * 30)))) < 90


def test_the_application_role_owns_nothing_and_carries_its_limits(admin_sql: RunSql) -> None:
    owned = admin_sql(
        "SELECT relname FROM pg_class WHERE relowner = 'holdfast_app'::regrole"
        " UNION SELECT proname FROM pg_proc WHERE proowner = 'holdfast_app'::regrole"
    )
    powers = admin_sql(
        "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR rolreplication FROM pg_roles"
        " WHERE rolname IN ('holdfast_app', 'holdfast_owner') ORDER BY 1"
    )
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        limits = connection.execute(
            "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),"
            " current_setting('idle_in_transaction_session_timeout'), has_schema_privilege('public', 'CREATE')"
        ).fetchone()
    assert (owned, powers, limits) == ([], [(False,), (False,)], ("3s", "10s", "30s", False))


def test_an_ordinary_user_can_run_postgres(open_folder: Path) -> None:
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(open_folder, nobody.pw_uid, nobody.pw_gid)
        child = multiprocessing.get_context("fork").Process(target=serve_a_row, args=(open_folder, nobody.pw_uid))
    else:
        child = multiprocessing.get_context("fork").Process(target=serve_a_row, args=(open_folder, os.getuid()))
    child.start()
    child.join(timeout=60)
    assert child.exitcode == 0


def serve_a_row(folder: Path, user: int) -> None:
    """Be this user for good, and serve."""
    os.setuid(user)
    server = EmbeddedPostgres(folder / "postgres", settings=SMALL)
    server.start()
    write_row(server)
    assert (rows(server), server.disguise) == ([(50,)], unprivileged.Disguise())
    server.stop()


@pytest.mark.skipif(os.getuid() != 0, reason="only root has to become somebody else")
def test_root_without_namespaces_becomes_another_account(
    open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unprivileged, "has_nobody", lambda: False)
    monkeypatch.setattr(unprivileged, "REFUGE", open_folder)
    server = EmbeddedPostgres(tmp_path / "closed", settings=SMALL)  # under a folder that is root's alone
    server.start()
    try:
        write_row(server)
        assert server.disguise.account is not None
        assert server.data.stat().st_uid == server.disguise.account.pw_uid
        assert (server.folder.parent, rows(server)) == (open_folder, [(50,)])
    finally:
        server.stop()


def test_a_killed_valkey_comes_back_at_the_same_address_with_its_keys(valkey: EmbeddedValkey) -> None:
    valkey.start()
    address = valkey.url()
    with redis.Redis.from_url(address) as client:
        client.set("task", "50")
        client.execute_command("WAITAOF", 1, 0, 5000)
        kill(valkey.process)
        valkey.start()
        assert (valkey.url(), client.get("task")) == (address, b"50")


def test_a_valkey_whose_port_was_taken_finds_another(valkey: EmbeddedValkey) -> None:
    valkey.start()
    valkey.stop()
    port = int(valkey.url().rpartition(":")[2].partition("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        valkey.start()
        assert f":{port}/" not in valkey.url()
