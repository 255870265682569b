"""How the system says that it is well: each thing it stands on is taken away in turn."""

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.cache import cache
from django.db import connections
from django.test import Client
from pytest_django import Settings

from alerts import health
from alerts.models import Notification
from alerts.services import auditor, fan_out
from alerts.tasks import audit_everything, audit_sessions, fan_out_facts
from config.kit.clock import database_now
from config.tenants.models import ApiKey, User
from scheduling.tasks import SWEEP_RAN, release_expired_reservations
from tests.conftest import RunPython
from tests.factories import book, make_organization, make_session
from tests.invariants.test_auditor import corrupt

pytestmark = pytest.mark.usefixtures("committed_db")

NOWHERE = "redis://127.0.0.1:1/0"


class Disk(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def key() -> dict[str, str]:
    _, text = ApiKey.issue(organization_id=make_organization().id, name="monitor", scopes=[])
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture
def well(settings: Settings) -> None:
    """Let the clock's work be done once, with a mail provider that nobody needs."""
    settings.MAIL_URL = "resend+http://key@127.0.0.1:1"
    release_expired_reservations()
    fan_out_facts()
    audit_sessions()
    audit_everything()


@contextmanager
def database_at(**changes: object) -> Iterator[None]:
    """Let the probe look for the database elsewhere; other connections stay."""
    found = connections["default"].settings_dict
    before = {name: found[name] for name in changes}
    found.update(changes)
    try:
        yield
    finally:
        found.update(before)


def components(client: Client, **headers: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/health", headers=headers).json()["components"]
    return found


@pytest.mark.parametrize("path", ["/livez", "/livez/", "/readyz", "/readyz/", "/health", "/health/", "/metrics/"])
def test_each_answers_with_and_without_the_slash(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200


def test_livez_asks_nobody(client: Client) -> None:
    connections.close_all()
    with database_at(PORT="1"):
        assert client.get("/livez").content == b"ok\n"


def test_readyz_is_about_the_database_alone(client: Client, settings: Settings) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": NOWHERE}}
    assert client.get("/readyz").status_code == 200
    with database_at(PORT="1"):
        assert (client.get("/readyz").status_code, client.get("/livez").status_code) == (503, 200)
    assert client.get("/readyz").status_code == 200


def test_readyz_waits_less_than_two_seconds_for_a_database_that_hangs(client: Client) -> None:
    silent = socket.create_server(("127.0.0.1", 0))  # takes connections and says nothing
    with silent, database_at(HOST="127.0.0.1", PORT=str(silent.getsockname()[1])):
        for _ in range(2):  # the second shares what the first began
            began = time.monotonic()
            assert client.get("/readyz").status_code == 503
            assert time.monotonic() - began < 2
    while health.database._running:
        time.sleep(0.05)


def test_all_is_well(client: Client, key: dict[str, str], well: None) -> None:
    answer = client.get("/health", headers=key)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    found = answer.json()["components"]
    assert {name: component["status"] for name, component in found.items()} == dict.fromkeys(
        ("database", "disk", "memory", "redis", "worker_and_beat", "audit", "facts", "mail", "payments"), "ok"
    )
    assert found["worker_and_beat"]["running"] == {"release_expired_reservations": True, "fan_out_facts": True}
    assert found["audit"]["last"]["everything"]["findings"] == 0
    assert found["facts"]["oldest_unhandled_seconds"] == 0


def test_the_public_sees_the_status_and_no_detail(client: Client, well: None) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    User.objects.create_user("customer@example.org", "a long password")
    client.login(username="customer@example.org", password="a long password")
    assert client.get("/health").json() == {"status": "ok"}


def test_staff_and_the_metrics_token_see_details(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "a-token-for-the-monitor"
    assert "database" in components(client, Authorization="Bearer a-token-for-the-monitor")
    client.force_login(User.objects.create_superuser("staff@example.org", "a long password"))
    assert "database" in components(client)


def test_without_the_database_it_is_down_and_tells_only_who_needs_no_database(
    client: Client, settings: Settings, key: dict[str, str]
) -> None:
    settings.METRICS_TOKEN = "a-token-for-the-monitor"
    with database_at(PORT="1"):
        answer = client.get("/health", headers=key)
        assert (answer.status_code, answer.json()) == (503, {"status": "down"})
        told = components(client, Authorization="Bearer a-token-for-the-monitor")
    assert (told["database"], told["facts"]["status"]) == ({"status": "down", "error": "OperationalError"}, "down")


def test_without_redis_it_is_degraded_and_serves_on(run_python: RunPython, key: dict[str, str]) -> None:
    code = (
        "import time\nimport config.urls\nfrom django.test import Client\nbegan = time.monotonic()\n"
        f"answer = Client().get('/health', headers={key!r}, SERVER_NAME='localhost')\n"
        "found = answer.json()\n"
        "print(answer.status_code, found['status'], *(found['components'][name]['status'] for name in"
        " ('database', 'redis', 'worker_and_beat', 'audit', 'payments')), time.monotonic() - began < 2)"
    )
    child = run_python(code, env={"REDIS_URL": NOWHERE})
    assert child.stdout.split() == ["200", "degraded", "ok", "down", *["degraded"] * 3, "True"], child.stderr


def test_a_place_is_held_and_booked_without_redis(run_python: RunPython) -> None:
    session = make_session()
    code = (
        "from django.test import Client\nclient = Client(SERVER_NAME='localhost')\n"
        f"body = {{'session': '{session.id}', 'party_size': 1, 'email': 'a@example.org'}}\n"
        "held = client.post('/api/v1/reservations', body, content_type='application/json').json()\n"
        "who = {'customer': {'email': 'a@example.org', 'name': 'A'}}\n"
        "done = client.post(f\"/api/v1/reservations/{held['id']}/confirm\", who, content_type='application/json',\n"
        "    headers={'Reservation-Token': held['token']})\n"
        "print(done.status_code, done.json()['status'])"
    )
    child = run_python(code, env={"REDIS_URL": NOWHERE})
    assert child.stdout.split() == ["200", "confirmed"], child.stderr


def test_a_full_disk_degrades(client: Client, key: dict[str, str], well: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(10**12, 10**12, 299_999_999))
    answer = client.get("/health", headers=key)
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["components"]["disk"] == {"status": "degraded", "free_bytes": 299_999_999}


@pytest.mark.parametrize(("kilobytes", "status"), [(97_656, "degraded"), (97_657, "ok")])
def test_little_memory_degrades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kilobytes: int, status: str) -> None:
    (tmp_path / "meminfo").write_text(f"MemTotal: 8000000 kB\nMemAvailable:   {kilobytes} kB\n")
    monkeypatch.setattr(health, "MEMORY_FILE", tmp_path / "meminfo")
    assert health.check_memory().status == status


def test_a_system_that_does_not_say_how_much_memory_it_has_is_not_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "MEMORY_FILE", tmp_path / "none")
    assert health.check_memory() == health.Component("ok", {"available_bytes": None})


@pytest.mark.parametrize(
    ("heartbeat", "name"), [(SWEEP_RAN, "release_expired_reservations"), (fan_out.FAN_OUT_RAN, "fan_out_facts")]
)
def test_a_clockwork_that_stands_still_degrades(
    client: Client, key: dict[str, str], well: None, heartbeat: str, name: str
) -> None:
    cache.delete(heartbeat)
    found = components(client, **key)["worker_and_beat"]
    assert (found["status"], found["running"][name]) == ("degraded", False)


def test_a_fact_that_waits_too_long_degrades(client: Client, key: dict[str, str], well: None) -> None:
    session = make_session()
    book(session)
    fact = book(session).events.get(kind="duplicate_overridden")
    assert components(client, **key)["facts"]["status"] == "ok"
    corrupt("UPDATE bookings_bookingevent SET at = at - interval '6 minutes' WHERE id = %s", [fact.id])
    found = components(client, **key)["facts"]
    assert (found["status"], 360 <= found["oldest_unhandled_seconds"] < 400) == ("degraded", True)


def test_mail_that_waits_too_long_degrades_and_so_does_a_missing_provider(
    client: Client, key: dict[str, str], well: None, settings: Settings
) -> None:
    book(make_session())
    fan_out_facts()
    found = components(client, **key)["mail"]
    assert (found["status"], found["queued"], found["failed"], found["provider"]) == ("ok", 1, 0, True)
    long_ago = database_now() - timedelta(minutes=6)
    Notification.objects.update(due_at=long_ago)
    found = components(client, **key)["mail"]
    assert (found["status"], 360 <= found["oldest_queued_seconds"] < 400) == ("degraded", True)
    Notification.objects.update(status="failed")
    found = components(client, **key)["mail"]
    assert (found["status"], found["queued"], found["failed"]) == ("ok", 0, 1)
    settings.MAIL_URL = ""
    answer = client.get("/health", headers=key)
    assert (answer.status_code, answer.json()["components"]["mail"]["status"]) == (200, "degraded")


def test_a_broken_invariant_degrades(client: Client, key: dict[str, str], well: None) -> None:
    auditor.remember_result("everything", findings=2)
    found = components(client, **key)["audit"]
    assert (found["status"], found["last"]["everything"]["findings"]) == ("degraded", 2)
