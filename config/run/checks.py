"""`bin/test`: every check, then every test, on servers of their own; with arguments, pytest alone with these."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config.run.chromium import find_or_install_chromium
from config.run.commands import PYTHON, manage
from config.run.processes import ServerError
from config.run.state import ROOT
from config.run.temporary import TemporaryServers, create_servers

MOST_WORKERS = 8  # each has a database and a share of the servers' connections
BROWSER_TESTS = {"journeys", "realtime"}
PYTEST = [PYTHON, "-m", "pytest"]
PRODUCTION = {
    "DEBUG": "off",
    "DEMO": "off",
    "BEHIND_TLS_PROXY": "on",
    "SECRET_KEY": "as-long-and-as-random-as-a-real-one-wX5tq0b7Lk2Vd9RzJm4Ys8Nc1Hf6Gp3A",
    "ALLOWED_HOSTS": "book.example.com",
}


@dataclass(frozen=True)
class Check:
    """A command that must succeed; its words are shown only when it does not."""

    title: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def checks(owner_url: str) -> list[Check]:
    """Return every check, the quick ones first."""
    as_owner = {"DATABASE_URL": owner_url}
    return [
        Check("ruff: rules", [PYTHON, "-m", "ruff", "check", "."]),
        Check("ruff: format", [PYTHON, "-m", "ruff", "format", "--check", "."]),
        Check("import contracts", [str(Path(PYTHON).with_name("lint-imports"))]),
        *template_checks(),
        Check("types", [PYTHON, "-m", "mypy"]),
        Check("migrations up to date", manage("makemigrations", "--check", "--dry-run"), as_owner),
        Check("migrations safe", [PYTHON, "-m", "config.run.migration_lint"], as_owner),
        Check("production settings", manage("check", "--deploy", "--fail-level", "WARNING"), PRODUCTION),
    ]


def template_checks() -> list[Check]:
    """Lint the templates of every app; say so when there are none yet."""
    folders = [path for path in (ROOT / "templates", *ROOT.glob("*/templates")) if any(path.rglob("*.html"))]
    if not folders:
        print("templates: there are none yet, so none are linted", flush=True)
        return []
    names = [str(path.relative_to(ROOT)) for path in sorted(folders)]
    return [Check("templates", [PYTHON, "-m", "djlint", "--quiet", "--lint", *names])]


def run_check(check: Check, environment: Mapping[str, str]) -> bool:
    """Run a check and say how it went, in one line when all is well."""
    print(f"{check.title:<24} ", end="", flush=True)
    started_at = time.monotonic()
    answer = subprocess.run(
        check.command,
        cwd=ROOT,
        env={**environment, **check.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(f"{'ok' if answer.returncode == 0 else 'FAILED':<7} {time.monotonic() - started_at:5.1f} s", flush=True)
    if answer.returncode != 0:
        print(answer.stdout, flush=True)
    return answer.returncode == 0


def needs_browser(arguments: Sequence[str]) -> bool:
    """Answer whether these arguments of pytest can reach a browser test."""
    paths = [argument for argument in arguments if (ROOT / argument.partition("::")[0]).exists()]
    return not paths or any(
        BROWSER_TESTS.intersection(Path(path).parts) or path.rstrip("/") == "tests" for path in paths
    )


def run_pytest(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run pytest with its own words; return its exit code."""
    browser = {"CHROMIUM_PATH": find_or_install_chromium()} if needs_browser(arguments) else {}
    command = [*PYTEST, *arguments]
    return subprocess.run(command, cwd=ROOT, env={**environment, **browser}, check=False).returncode


def run_everything(servers: TemporaryServers) -> int:
    """Run all checks and all tests to the end; return 1 when any of them failed."""
    environment = os.environ | servers.environment()
    failed = [check.title for check in checks(servers.postgres.owner_url()) if not run_check(check, environment)]
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    print("tests", flush=True)
    try:
        code = run_pytest(["-q", "-n", str(workers)], environment)
    except ServerError as error:
        print(error, flush=True)
        code = 1
    failed += ["tests"] if code != 0 else []
    if failed:
        print(f"FAILED: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    """Check everything, or run pytest with the given arguments."""
    os.chdir(ROOT)
    try:
        if arguments:
            return run_pytest(arguments, os.environ)
        with create_servers() as servers:
            return run_everything(servers)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
