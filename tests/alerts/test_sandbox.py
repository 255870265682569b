"""The demo's mail provider: a program of its own, that knows nothing of ours."""

import ast
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from alerts.sandbox.server import Provider
from alerts.sandbox.store import KeyReused, Store
from tests.alerts.mail import serving

SANDBOX = Path(__file__).resolve().parents[2] / "alerts" / "sandbox"
MAIL = {"from": "a@example.org", "to": ["b@example.org"], "subject": "Hello"}


def ask(
    provider: Provider,
    path: str,
    body: object = None,
    *,
    method: str = "POST",
    key: str = "",
    token: str = "t",  # noqa: S107
) -> tuple[int, dict[str, Any]]:
    """Ask as a program would; return status and answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{provider.server_port}{path}",
        method=method,
        data=json.dumps(body).encode(),
        headers={"Idempotency-Key": key, **({"Authorization": f"Bearer {token}"} if token else {})},
    )
    try:
        with urllib.request.urlopen(request) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_it_imports_nothing_of_ours_and_nothing_that_is_installed() -> None:
    found = set()
    for file in SANDBOX.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {name.name.split(".")[0] for name in node.names}
            if isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).split(".")[0])
    assert found
    assert found <= set(sys.stdlib_module_names)


def test_it_takes_a_mail_once_by_key_and_remembers_it_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path) as provider:
        first = ask(provider, "/emails", MAIL, key="k1")
        assert ask(provider, "/emails", MAIL, key="k1") == first
        assert ask(provider, "/emails", MAIL, key="k2")[1] != first[1]
        assert ask(provider, "/emails", {**MAIL, "subject": "Else"}, key="k1")[0] == 409
    with serving(tmp_path) as provider:
        assert ask(provider, "/emails", MAIL, key="k1") == first
        assert ask(provider, f"/emails/{first[1]['id']}", method="GET")[1]["subject"] == "Hello"
        assert len(ask(provider, "/sandbox/mail", method="GET")[1]["data"]) == 2


def test_a_key_is_forgotten_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    first = store.accept(MAIL, "k")
    with pytest.raises(KeyReused):
        store.accept({**MAIL, "subject": "Else"}, "k")
    monkeypatch.setattr("alerts.sandbox.store.KEYS_ARE_KEPT_SECONDS", -1)
    assert store.accept(MAIL, "k") != first
    assert len(list(store.all())) == 2


@pytest.mark.parametrize(
    ("body", "token", "status"),
    [(MAIL, "", 401), ({"to": ["b@example.org"]}, "t", 422), ([], "t", 422), (MAIL, "t", 200)],
)
def test_it_refuses_what_resend_would(tmp_path: Path, body: object, token: str, status: int) -> None:
    with serving(tmp_path) as provider:
        assert ask(provider, "/emails", body, token=token)[0] == status


def test_it_misbehaves_as_told_and_refuses_faults_that_it_does_not_know(tmp_path: Path) -> None:
    with serving(tmp_path) as provider:
        assert ask(provider, "/sandbox/faults", {"rate_limited": 1}, method="PUT")[0] == 200
        assert [ask(provider, "/emails", MAIL)[0] for _ in range(2)] == [429, 200]
        assert ask(provider, "/sandbox/faults", {"down": True}, method="PUT")[0] == 200
        assert ask(provider, "/emails", MAIL)[0] == 503
        assert ask(provider, "/sandbox/faults", {"dwon": True}, method="PUT")[0] == 422
