"""The bank as a program: it keeps everything when it is killed, stays out of production, and stands alone."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.payments.bank.shop import DISPUTED, Ear, Shop, until

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "payments.sandbox", "--port", "0", "--folder"]


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Shop]]:
    """Start the program on a free port; yield it, and a shop that uses it."""
    environment = {**os.environ, "DEMO": "on"}
    with subprocess.Popen([*COMMAND, folder], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process, Shop(process.stdout.readline().split()[-1])
        process.kill()


def test_a_killed_bank_still_has_its_books_its_keys_and_what_it_has_to_tell(tmp_path: Path, ear: Ear) -> None:
    ear.answers = [500] * 2
    with running(tmp_path) as (process, shop):
        shop.client.v1.webhook_endpoints.create({"url": ear.url, "enabled_events": ["charge.dispute.created"]})
        first = shop.checkout(key="k-1")
        shop.pay(first.id, DISPUTED)
        ledger = shop.ledger()
        until(lambda: ear.heard)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with running(tmp_path) as (_, shop):
        assert shop.ledger() == ledger
        assert shop.checkout(key="k-1").id == first.id
        until(lambda: len(ear.heard) == 3)
        assert {heard.event["id"] for heard in ear.heard} == {ear.heard[0].event["id"]}


@pytest.mark.parametrize("environment", [{}, {"DEMO": "off", "DEBUG": "off"}, {"DEMO": "no"}])
def test_the_bank_does_not_start_in_production(environment: dict[str, str], tmp_path: Path) -> None:
    others = {name: value for name, value in os.environ.items() if name not in ("DEMO", "DEBUG")}
    refused = subprocess.run(
        [*COMMAND, tmp_path / "bank"], cwd=ROOT, env=others | environment, capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "does not start in production" in refused.stderr
    assert not (tmp_path / "bank").exists()


def test_the_bank_imports_the_standard_library_and_itself_alone() -> None:
    outside = []
    for file in sorted((ROOT / "payments" / "sandbox").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                outside += [name.name for name in node.names if name.name.split(".")[0] not in sys.stdlib_module_names]
            elif isinstance(node, ast.ImportFrom) and (node.level > 1 or not is_near(node)):
                outside.append(f"{file.name}: {'.' * node.level}{node.module}")
    assert outside == []


def is_near(node: ast.ImportFrom) -> bool:
    """Return whether something comes from the bank's own folder, which has none inside it, or from Python."""
    return node.level == 1 or str(node.module).split(".")[0] in sys.stdlib_module_names
