"""The demo's sandbox bank, as a process of `bin/run`."""

import json
import os
import socket
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from config.run.addresses import check_port, program_environment
from config.run.commands import program_command
from config.run.manage import running_environment
from config.run.options import Options, parse_options
from config.run.processes import ServerError, wait_until
from config.run.program import Program
from config.run.state import DataFolder
from config.run.supervisor import Supervisor
from config.run.valkey import free_port

ADDRESSES = {"DATABASE_URL": "x", "DATABASE_OWNER_URL": "x", "DATABASE_ADMIN_URL": "x", "REDIS_URL": "y"}
MONEY = ("STRIPE_API_BASE", "PAYMENT_PAGES")
OURS = dict.fromkeys(MONEY, "http://127.0.0.1:8103")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin as somebody who has set nothing."""
    for name in (*MONEY, "MAIL_URL", "SITE_URL", "DEMO"):
        monkeypatch.delenv(name, raising=False)


def money_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what it says about where money is moved."""
    return {name: environment[name] for name in MONEY if name in environment}


def start(arguments: list[str], environment: Mapping[str, str], folder: Path) -> tuple[Options, dict[str, str]]:
    """Return the options and the programs' environment of a run."""
    options = parse_options(arguments, {"PORT": "8100", **environment})
    return options, program_environment(DataFolder(folder), options, ADDRESSES)


@pytest.mark.parametrize(
    ("environment", "has_one"),
    [({}, True), ({"STRIPE_API_BASE": ""}, True), ({"DEMO": "off"}, False)],
)
def test_the_demo_alone_has_a_bank_of_its_own(
    environment: Mapping[str, str], has_one: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    options, found = start([], environment, tmp_path)
    assert ("bank" in options.programs, options.ports.get("bank"), money_in(found)) == (
        (True, 8103, OURS) if has_one else (False, None, {})
    )
    assert found["DEMO"] == ("on" if has_one else "off")  # by which the bank knows where nothing is real


def test_another_provider_that_is_named_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_BASE", "https://api.stripe.com")
    options, found = start([], os.environ, tmp_path)
    assert ("bank" in options.programs, money_in(found)) == (False, {"STRIPE_API_BASE": "https://api.stripe.com"})


@pytest.mark.parametrize("arguments", [["--without", "bank"], ["--only", "web,worker"]])
def test_without_it_the_demos_keys_still_go_nowhere_else(arguments: list[str], tmp_path: Path) -> None:
    options, found = start(arguments, {}, tmp_path)
    assert ("bank" in options.programs, "bank" in options.ports, money_in(found)) == (False, False, OURS)


def test_it_is_started_on_the_port_after_the_mail_provider(tmp_path: Path) -> None:
    options, _ = start([], {}, tmp_path)
    command = program_command("bank", options, DataFolder(tmp_path))
    where = ["--port", "8103", "--folder", str(tmp_path / "bank"), "--public-address", "http://127.0.0.1:8103"]
    assert command[1:] == ["-m", "payments.sandbox", *where]


def test_its_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        options = parse_options(["--only", "bank"], {"PORT": str(port - 3)})
        with pytest.raises(ServerError, match=f"Port {port}, for bank, is taken by another program"):
            check_port(options)


def test_commands_find_it_where_the_programs_do(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.prepare()
    assert folder.take_lock()
    folder.secret_key()
    secret = {"SECRET_KEY_FILE": str(tmp_path / "secret_key")}
    folder.write_state({**ADDRESSES, **secret, **OURS, "SITE_URL": "http://127.0.0.1:8100/", "DEMO": "on"})
    found = running_environment(folder) or {}
    assert (money_in(found), found["SITE_URL"], found["DEMO"]) == (OURS, "http://127.0.0.1:8100/", "on")


@pytest.fixture
def kept_bank(tmp_path: Path) -> Iterator[tuple[Supervisor, Program, Options]]:
    """Have a bank run as the demo has."""
    options = parse_options(["--only", "bank"], {"PORT": str(free_port() - 3)})
    environment = program_environment(DataFolder(tmp_path), options, ADDRESSES)
    program = Program("bank", program_command("bank", options, DataFolder(tmp_path)), environment)
    supervisor = Supervisor()
    supervisor.keep("bank", program)
    yield supervisor, program, options
    supervisor.stop()


def open_checkout(options: Options) -> Any:
    """Have a checkout at the bank, the same each time, and return it; None while the bank does not answer."""
    price = "line_items[0][price_data][currency]=gbp&line_items[0][price_data][unit_amount]=4500"
    body = f"mode=payment&{price}&line_items[0][price_data][product_data][name]=Tour&line_items[0][quantity]=1"
    body += "&success_url=http://shop.test/paid&cancel_url=http://shop.test/back"
    headers = {"Authorization": "Bearer sk_test_shop", "Idempotency-Key": "one"}
    address = f"{options.bank_address}/v1/checkout/sessions"
    request = urllib.request.Request(address, body.encode(), headers)  # noqa: S310 our own server
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return json.load(answer)
    except ConnectionError:
        return None
    except OSError as error:
        if isinstance(error.__cause__ or error.args[0], ConnectionError):
            return None
        raise


def test_a_killed_bank_is_started_again_with_its_books(kept_bank: tuple[Supervisor, Program, Options]) -> None:
    supervisor, program, options = kept_bank
    found: list[Any] = []

    def answers() -> bool:
        supervisor.turn()
        found.append(open_checkout(options))
        return bool(found[-1])

    assert wait_until(answers, seconds=30)
    first = found[-1]
    assert first["url"].startswith(f"{options.bank_address}/pay/")
    assert program.process is not None
    killed = program.process
    killed.kill()
    killed.wait()
    assert wait_until(answers, seconds=30)
    assert (found[-1]["id"], program.process is killed) == (first["id"], False)
