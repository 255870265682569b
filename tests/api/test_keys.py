"""API keys: made once, and good for what they were made for."""

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from config.tenants.models import ApiKey
from tests.factories import make_organization, make_session

pytestmark = pytest.mark.django_db


def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("create_api_key", *arguments)
    return capsys.readouterr().out.strip()


def hold(client: Client, key: str) -> int:
    session = make_session()
    ApiKey.objects.update(organization=session.organization)
    body = {"session": str(session.id), "party_size": 1, "email": "a@example.org"}
    return client.post(
        "/api/v1/reservations", body, content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    ).status_code


def test_a_key_is_printed_once_and_only_its_digest_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    text = made(capsys, "--organization", make_organization().slug)
    key = ApiKey.objects.get()
    _, prefix, secret = text.split("_", 2)
    assert (key.prefix, key.opens_with(secret), secret in str(vars(key))) == (prefix, True, False)


def test_a_key_is_good_for_its_scopes_alone(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    slug = make_organization().slug
    everything = made(capsys, "--organization", slug)
    bookings = made(capsys, "--organization", slug, "--scope", "bookings")
    alerts = made(capsys, "--organization", slug, "--scope", "alerts")
    assert [hold(client, key) for key in (everything, bookings, alerts)] == [201, 201, 403]


def test_an_unknown_organization_or_scope_is_refused_with_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    slug = make_organization().slug
    with pytest.raises(CommandError, match=slug):
        made(capsys, "--organization", "nobody")
    with pytest.raises(CommandError, match="bookings"):
        made(capsys, "--organization", slug, "--scope", "everything")


def test_a_revoked_or_expired_key_opens_nothing(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    for ended in ("revoked_at", "expires_at"):
        key = made(capsys, "--organization", make_organization().slug)
        ApiKey.objects.update(**{ended: "2026-01-01T00:00:00Z"})
        assert hold(client, key) == 401
