"""Alerts: what staff see of a duplicate, and what they say about it."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from alerts.models import Alert
from alerts.services import alerts, fan_out
from alerts.services.alerts import IllegalTransition
from bookings.models import Booking
from config.kit.ids import uuid7
from config.tenants.models import ApiKey, Organization, User
from tests.factories import ANNA, book, make_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client, settings: Settings) -> User:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    user = User.objects.create_superuser("staff@example.org", "a long password")
    client.force_login(user)
    return user


def an_alert() -> Alert:
    """Return the alert of a booking made twice on purpose."""
    session = make_session()
    book(session)
    second = book(session)
    fan_out.fan_out_facts()
    return Alert.objects.get(fact_id=second.events.get(kind="duplicate_overridden").id)


def try_twice(client: Client) -> Booking:
    session = make_session()
    first = book(session)
    body = {
        "lines": [{"session": str(session.id), "party_size": 1}],
        "customer": {"email": "ANNA+again@example.org", "name": "A"},
    }
    assert client.post("/api/v1/bookings", body, content_type="application/json").status_code == 409
    return first


def key_of(organization: Organization, name: str = "key") -> dict[str, str]:
    _, text = ApiKey.issue(organization_id=organization.id, name=name, scopes=[])
    return {"Authorization": f"Bearer {text}"}


def test_a_refused_duplicate_becomes_an_alert_with_the_fields_of_document_000(client: Client) -> None:
    first = try_twice(client)
    fan_out.fan_out_facts()
    alert, fact = Alert.objects.get(), first.events.get(kind="duplicate_refused")
    assert (alert.organization_id, alert.fact_id) == (first.organization_id, fact.id)
    assert (alert.type, alert.severity, alert.title, alert.status) == (
        "duplicate_booking_attempt", "medium", "Potential duplicate booking", "unread",
    )  # fmt: skip
    assert alert.description == (
        f"Somebody tried to book {first.number} once more: the same e-mail address, session and people."
        " It was not booked."
    )
    assert alert.metadata == {
        "booking": str(first.id), "number": first.number, "session": str(first.lines.get().session_id),
        "attempted_at": fact.at.isoformat(), "actor_kind": "customer", "actor_id": None, "channel": "api",
    }  # fmt: skip
    assert (alert.acknowledged_at, alert.acknowledged_by) == (None, None)
    assert alert.created_at >= fact.at


def test_a_confirmed_duplicate_becomes_a_quieter_alert() -> None:
    alert = an_alert()
    assert (alert.type, alert.severity) == ("duplicate_booking_confirmed", "low")


def test_an_alert_holds_nothing_personal(client: Client) -> None:
    try_twice(client)
    fan_out.fan_out_facts()
    alert = Alert.objects.get()
    written = f"{alert.title} {alert.description} {alert.metadata}".lower()
    assert ("anna" in written, ANNA.name.lower() in written) == (False, False)


def test_the_database_takes_one_alert_of_a_type_per_fact() -> None:
    alert = an_alert()
    with pytest.raises(IntegrityError, match="alert_once_per_fact"), transaction.atomic():
        Alert.objects.create(
            organization_id=alert.organization_id, type=alert.type, severity="low", title="x", fact_id=alert.fact_id
        )


@pytest.mark.parametrize("change", [{"status": "resolved"}, {"status": "seen"}, {"severity": "loud"}])
def test_the_database_refuses_illegal_states(change: dict[str, str]) -> None:
    alert = an_alert()
    with pytest.raises(IntegrityError), transaction.atomic():
        Alert.objects.filter(id=alert.id).update(**change)


def test_acknowledging_says_who_and_when_and_again_changes_nothing(staff: User) -> None:
    alert = alerts.acknowledge_alert(alert_id=an_alert().id, user_id=staff.id)
    assert (alert.status, alert.acknowledged_by_id) == ("acknowledged", staff.id)
    again = alerts.acknowledge_alert(alert_id=alert.id, user_id=None)
    assert (again.acknowledged_at, again.acknowledged_by_id) == (alert.acknowledged_at, staff.id)


def test_resolving_comes_after_acknowledging(staff: User) -> None:
    alert = an_alert()
    with pytest.raises(IllegalTransition):
        alerts.resolve_alert(alert_id=alert.id)
    alerts.acknowledge_alert(alert_id=alert.id, user_id=staff.id)
    assert [alerts.resolve_alert(alert_id=alert.id).status for _ in range(2)] == ["resolved", "resolved"]


# The admin --------------------------------------------------------------------------------------------------------


def test_staff_see_the_newest_first_and_the_list_refreshes_every_minute(staff: User, client: Client) -> None:
    first, second = an_alert(), an_alert()
    response = client.get(reverse("admin:alerts_alert_changelist"))
    page = response.content.decode()
    assert response["Refresh"] == "60"
    assert page.index(str(second.id)) < page.index(str(first.id))
    only = client.get(reverse("admin:alerts_alert_changelist"), {"severity__exact": "high"}).content.decode()
    assert str(first.id) not in only


def test_staff_acknowledge_and_resolve_by_actions_of_the_list(staff: User, client: Client) -> None:
    alert = an_alert()
    for action, status in (("acknowledge_alerts", "acknowledged"), ("resolve_alerts", "resolved")):
        form = {"action": action, "_selected_action": [str(alert.id)]}
        assert client.post(reverse("admin:alerts_alert_changelist"), form).status_code == 302
        alert.refresh_from_db()
        assert (alert.status, alert.acknowledged_by) == (status, staff)


# REST -------------------------------------------------------------------------------------------------------------


def test_a_program_lists_its_own_organizations_alerts_the_newest_first(client: Client) -> None:
    first = an_alert()
    theirs = an_alert()
    alert = Alert.objects.create(
        organization_id=first.organization_id, type="other", severity="high", title="Newer", fact_id=uuid7()
    )
    headers = key_of(first.organization)
    body = client.get("/api/v1/alerts", headers=headers).json()
    assert ([row["id"] for row in body["results"]], body["next"]) == ([str(alert.id), str(first.id)], None)
    assert set(body["results"][0]) == {
        "id", "type", "severity", "title", "description", "metadata", "status", "created_at", "acknowledged_at",
        "acknowledged_by",
    }  # fmt: skip
    assert str(theirs.id) not in str(body)
    high = client.get("/api/v1/alerts/?severity=high", headers=headers).json()
    assert [row["id"] for row in high["results"]] == [str(alert.id)]
    assert client.get("/api/v1/alerts?severity=loud", headers=headers).status_code == 422


def test_a_long_list_comes_in_pages(client: Client) -> None:
    alert = an_alert()
    Alert.objects.bulk_create(
        Alert(organization_id=alert.organization_id, type=f"t{n}", severity="low", title="x") for n in range(100)
    )
    headers = key_of(alert.organization)
    page = client.get("/api/v1/alerts", headers=headers).json()
    rest = client.get(page["next"], headers=headers).json()
    assert (len(page["results"]), [row["id"] for row in rest["results"]], rest["next"]) == (100, [str(alert.id)], None)


def test_a_program_acknowledges_its_own_alerts_and_again_is_harmless(client: Client) -> None:
    alert = an_alert()
    address = f"/api/v1/alerts/{alert.id}/acknowledge"

    def answer(**headers: str) -> Any:
        return client.post(address, headers=headers)

    assert [answer().json()["code"], answer(**key_of(an_alert().organization)).json()["code"]] == [
        "api_key_required", "not_found",
    ]  # fmt: skip
    alert.refresh_from_db()
    assert alert.status == "unread"
    bodies = [answer(**key_of(alert.organization, name)).json() for name in ("one", "two")]
    key = ApiKey.objects.get(name="one", organization=alert.organization)
    assert bodies[0] == bodies[1]
    assert (bodies[0]["status"], bodies[0]["acknowledged_by"]) == ("acknowledged", str(key.id))


def test_the_public_sees_no_alert(client: Client) -> None:
    an_alert()
    answer = client.get("/api/v1/alerts")
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_required")
