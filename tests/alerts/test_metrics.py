"""The figures: who may read them, what they count, and that they add up over processes."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from alerts.metrics import address_of
from alerts.tasks import audit_everything, fan_out_facts
from tests.conftest import RunPython
from tests.factories import book, make_session

pytestmark = pytest.mark.usefixtures("committed_db")


def figure(client: Client, name: str, **labels: str) -> float:
    """Return one figure as it is read over HTTP; what was never counted is zero."""
    text = client.get("/metrics").content.decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def post(client: Client, path: str, body: Any) -> int:
    return client.post(f"/api/v1/{path}", body, content_type="application/json").status_code


def test_only_this_machine_or_a_bearer_of_the_token_reads_them(client: Client, settings: Settings) -> None:
    remote = "203.0.113.9"
    proxied = {"headers": {"X-Forwarded-For": "203.0.113.9"}}
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 403
    assert client.get("/metrics", headers=proxied["headers"]).status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer "}, REMOTE_ADDR=remote).status_code == 403
    settings.METRICS_TOKEN = "a-token-for-the-monitor"
    for token, status in (("a-token-for-the-monitor", 200), ("a-token", 403), ("", 403)):
        assert (
            client.get("/metrics", headers={"Authorization": f"Bearer {token}"}, REMOTE_ADDR=remote).status_code
            == status
        )


def test_holds_and_refusals_are_counted_by_their_outcome(client: Client) -> None:
    session = make_session(capacity=1)
    body = {"session": str(session.id), "party_size": 1, "email": "a@example.org"}
    names = [
        ("holdfast_holds_total", {"outcome": "held"}),
        ("holdfast_holds_total", {"outcome": "not_enough_places"}),
        ("holdfast_refusals_total", {"code": "not_enough_places"}),
        ("holdfast_request_seconds_count", {"route": "/api/v1/reservations", "method": "POST", "status": "2xx"}),
        ("holdfast_request_seconds_count", {"route": "/api/v1/reservations", "method": "POST", "status": "4xx"}),
        ("holdfast_sql_statements_total", {"route": "/api/v1/reservations", "status": "2xx"}),
    ]
    before = [figure(client, name, **labels) for name, labels in names]
    assert [post(client, "reservations", body) for _ in range(3)] == [201, 409, 409]
    after = [figure(client, name, **labels) for name, labels in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 2, 2, 1, 2, 1]
    assert figure(client, "holdfast_sql_seconds_total", route="/api/v1/reservations") > 0


def test_bookings_are_counted_on_pages_and_over_rest(client: Client) -> None:
    session = make_session()

    def outcomes() -> list[float]:
        codes = ("booked", "duplicate_booking", "form_shown_again", "refused")
        return [figure(client, "holdfast_bookings_total", outcome=code) for code in codes]

    before = outcomes()
    order = {"lines": [{"session": str(session.id), "party_size": 1}], "customer": {"email": "a@x.org", "name": "A"}}
    assert [post(client, "bookings", order) for _ in range(2)] == [201, 409]
    units = {f"unit-{unit.id}": int(unit.is_default) for unit in session.activity.units.all()}
    activity = session.activity
    checkout = client.post(f"/{activity.organization.slug}/{activity.slug}/{session.id}/", units)["Location"]
    assert client.post(checkout, {"name": "A", "email": "x"}).status_code == 200
    assert client.post(checkout, {"name": "A", "email": "a@x.org"}).status_code == 409
    assert client.post(checkout, {"name": "B", "email": "b@x.org"}).status_code == 302
    assert [b - a for a, b in zip(before, outcomes(), strict=True)] == [2, 1, 1, 1]


def test_a_route_is_written_for_people_and_an_unknown_one_makes_no_label(client: Client) -> None:
    match = client.get("/api/v1/reservations/01a1fe93-8de9-76cf-9526-aba89b0df5f6").wsgi_request.resolver_match
    assert match is not None
    assert address_of(match.route) == "/api/v1/reservations/{reservation_id}"
    client.get("/no/such/place/at/all/1234")
    assert "no/such" not in client.get("/metrics").content.decode()


def test_tasks_are_counted_and_timed(client: Client) -> None:
    before = figure(client, "holdfast_tasks_total", task="alerts.tasks.fan_out_facts", state="success")
    fan_out_facts.apply()
    assert figure(client, "holdfast_tasks_total", task="alerts.tasks.fan_out_facts", state="success") == before + 1
    assert figure(client, "holdfast_task_seconds_total", task="alerts.tasks.fan_out_facts") > 0


def test_states_are_read_when_asked_for(client: Client) -> None:
    session = make_session()
    book(session)
    book(session)
    assert figure(client, "holdfast_unhandled_facts") == 1 + 2 + 1  # an alert; both customers and staff are to be told
    assert figure(client, "holdfast_queued_messages") == 0
    assert figure(client, "holdfast_oldest_unhandled_fact_seconds") > 0
    assert figure(client, "holdfast_sweep_running", sweep="fan-out-ran") == 0
    fan_out_facts()
    audit_everything()
    assert figure(client, "holdfast_unhandled_facts") == 0
    assert figure(client, "holdfast_parked_facts") == 0
    assert figure(client, "holdfast_queued_messages") == 2
    assert 0 < figure(client, "holdfast_oldest_queued_message_seconds") < 60
    assert figure(client, "holdfast_failed_messages") == 0
    assert figure(client, "holdfast_sweep_running", sweep="fan-out-ran") == 1
    assert figure(client, "holdfast_audit_findings", scope="everything") == 0
    assert 0 <= figure(client, "holdfast_audit_age_seconds", scope="everything") < 60
    assert figure(client, "holdfast_database_up") == 1


def test_the_counters_of_two_processes_add_up(run_python: RunPython, tmp_path: Path) -> None:
    look = "from django.test import Client\nclient = Client(SERVER_NAME='localhost')\nclient.get('/livez')\n"
    env = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(2):
        assert run_python(look, env=env).returncode == 0
    child = run_python(look + "print(client.get('/metrics').content.decode())", env=env)
    families = text_string_to_metric_families(child.stdout)
    counts = [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "holdfast_request_seconds_count" and sample.labels["route"] == "/livez"
    ]
    assert counts == [3.0], child.stderr
    assert len(list(tmp_path.glob("*.db"))) >= 3


def test_no_figure_bears_a_persons_name(client: Client) -> None:
    labels = {name for metric in REGISTRY.collect() if metric.name.startswith("holdfast") for sample in metric.samples
              for name in sample.labels}  # fmt: skip
    assert labels <= {"route", "method", "status", "outcome", "code", "task", "state", "le"}
