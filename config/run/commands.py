"""The command line of each program that `bin/run` serves, and of what it does before."""

import hashlib
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from config.run.options import Options
from config.run.state import ROOT, DataFolder

PYTHON = sys.executable
SOURCES = ("config", "scheduling", "payments", "bookings", "alerts", "templates")
WORKERS = 2
IDLE_SECONDS = "600"  # granian's longest: a thread that ends takes its database connection with it
AS_ROOT = "ignore:You're running the worker with superuser privileges"  # a fresh machine often has no other user
THREADS_PER_WORKER = 4  # eight connections in all: about four a core was fastest on a contended row


def manage(*arguments: str) -> list[str]:
    """Return a management command."""
    return [PYTHON, "manage.py", *arguments]


def source_folders() -> list[str]:
    """Return the folders whose changes start programs anew."""
    return [name for name in SOURCES if (ROOT / name).is_dir()]


def web(options: Options) -> list[str]:
    """Serve HTTP."""
    command = [PYTHON, "-m", "granian", "--interface", "wsgi", "--host", options.host, "--port", str(options.port)]
    command += ["--blocking-threads", str(THREADS_PER_WORKER), "--blocking-threads-idle-timeout", IDLE_SECONDS]
    command += ["--workers-kill-timeout", "10", "--log-level", "warning"]
    if options.reload:
        command += ["--workers", "1", "--reload"]
        command += [part for name in source_folders() for part in ("--reload-paths", name)]
    else:
        command += ["--workers", str(WORKERS), "--respawn-failed-workers"]
    return [*command, "config.wsgi:application"]


def realtime(options: Options) -> list[str]:
    """Serve sockets and server-sent events: one process, because it fans out in memory."""
    command = [PYTHON, "-m", "uvicorn", "--host", options.host, "--port", str(options.realtime_port)]
    command += ["--lifespan", "on", "--log-level", "warning", "--no-access-log", "--timeout-graceful-shutdown", "3"]
    # Visitors say nothing, and a message is smaller than what compressing it would keep in memory for each of them.
    command += ["--ws-max-size", "1024", "--ws-per-message-deflate", "false"]
    if options.reload:
        command += ["--reload", *(part for name in source_folders() for part in ("--reload-dir", name))]
    return [*command, "config.asgi:application"]


def celery(*arguments: str) -> list[str]:
    """Return a command of Celery's, without its banner."""
    level = os.environ.get("LOG_LEVEL", "WARNING")
    return [PYTHON, "-W", AS_ROOT, "-m", "celery", "--quiet", "-A", "config.celery", *arguments, "--loglevel", level]


def worker(options: Options) -> list[str]:
    """Do the tasks."""
    command = celery("worker", "--pool=threads", "-c", "4", "--without-gossip", "--without-mingle")
    if not options.reload:
        return command
    return [PYTHON, "-m", "watchfiles", "--filter", "python", shlex.join(command), *source_folders()]


def beat(folder: DataFolder) -> list[str]:
    """Do things by the clock."""
    return celery("beat", "--schedule", str(folder.path / "beat-schedule"), "--pidfile=")


def mail(options: Options, folder: DataFolder) -> list[str]:
    """Be the demo's mail provider."""
    return [PYTHON, "-m", "alerts.sandbox", "--port", str(options.mail_port), "--folder", str(folder.path / "mail")]


def bank(options: Options, folder: DataFolder) -> list[str]:
    """Be the demo's bank."""
    command = [PYTHON, "-m", "payments.sandbox", "--port", str(options.bank_port)]
    return [*command, "--folder", str(folder.path / "bank"), "--public-address", options.bank_address]


def program_command(name: str, options: Options, folder: DataFolder) -> list[str]:
    """Return the command of a program by its name."""
    ours = {"web": web(options), "realtime": realtime(options), "worker": worker(options)}
    return {**ours, "beat": beat(folder), "mail": mail(options, folder), "bank": bank(options, folder)}[name]


def asset_files(folders: Sequence[Path]) -> Iterator[Path]:
    """Find what collectstatic would collect of ours."""
    for folder in folders:
        yield from sorted(path for path in folder.rglob("*") if path.is_file())


def assets_version() -> str:
    """Return a digest that changes when the packages or our own static files do."""
    digest = hashlib.sha256((ROOT / "requirements.txt").read_bytes())
    ours = [path for path in (ROOT / "static", *(ROOT / name / "static" for name in SOURCES)) if path.is_dir()]
    for file in asset_files(ours):
        status = file.stat()
        digest.update(f"{file} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()
