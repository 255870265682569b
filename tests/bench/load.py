"""HTTP load by wrk, with its answers counted by status."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from config.run.processes import ServerError
from tests.bench.ground import Ground, Web, cpu_of
from tests.bench.table import Sample, WrongResult, say

LUA = Path(__file__).parent / "lua"
WRK_THREADS = 2
MARK = "bench-result "
SERVER_FAILURE = 500


@dataclass(frozen=True, slots=True)
class Load:
    """One run of wrk: the sample, and how many answers of each status came."""

    sample: Sample
    statuses: dict[int, int]

    def only(self, *allowed: int) -> None:
        """Raise WrongResult when any answer had another status."""
        others = {status: count for status, count in self.statuses.items() if status not in allowed}
        if others or not self.statuses:
            raise WrongResult(f"wanted answers {allowed}, got {self.statuses}")


def find_wrk() -> str:
    """Return wrk; install Debian's when we are root and it is missing, else ask for it."""
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        say("installing wrk with apt-get …")
        subprocess.run(["apt-get", "install", "-y", "-q", "wrk"], check=False, capture_output=True)
    found = shutil.which("wrk")
    if found is None:
        raise ServerError("bin/bench needs wrk: please install it (Debian: apt-get install wrk) and start again.")
    return found


def run_wrk(
    ground: Ground,
    web: Web,
    path: str,
    *,
    script: str,
    clients: int,
    arguments: list[str],
    seconds: float | None = None,
) -> Load:
    """Send requests from so many clients until the time is over."""
    command = [find_wrk(), f"-t{WRK_THREADS}", f"-c{clients}", f"-d{max(round(seconds or ground.seconds), 1)}s"]
    command += ["--timeout", "15s", "-s", str(LUA / script), web.url(path), "--", *arguments]
    with cpu_of(ground, web) as used:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in answer.stdout.splitlines() if line.startswith(MARK)]
    if answer.returncode != 0 or not lines:
        raise ServerError(f"wrk failed: {answer.stdout}{answer.stderr}")
    return _read(json.loads(lines[0].removeprefix(MARK)), used)


def _read(result: dict[str, float], used: list[float]) -> Load:
    statuses = {int(name.removeprefix("status_")): int(n) for name, n in result.items() if name.startswith("status_")}
    if result["socket_errors"] or any(status >= SERVER_FAILURE for status in statuses):
        raise WrongResult(f"{result['socket_errors']:.0f} failed connections, answers by status: {statuses}")
    count = max(result["requests"], 1)
    return Load(
        Sample(
            per_second=count / result["seconds"],
            p50=result["p50"],
            p95=result["p95"],
            p99=result["p99"],
            app_cpu=used[0] / count,
            db_cpu=used[1] / count,
        ),
        statuses,
    )
