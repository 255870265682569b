"""Scripts of other sites: only where a venue allows its widget."""

import pytest
from django.test import Client

from config.tenants.models import Organization
from tests.factories import make_activity, make_venue

pytestmark = pytest.mark.django_db

SITE = "https://venue.example"


def allowed(client: Client, path: str, origin: str) -> str | None:
    return client.get(path, headers={"Origin": origin}).get("Access-Control-Allow-Origin")


def test_a_venues_own_site_may_read_the_api_and_no_other_may(client: Client) -> None:
    activity = make_activity(make_venue(allowed_embed_origins=[SITE]))
    answers = [allowed(client, "/api/v1/activities", origin) for origin in (SITE, "https://evil.example", "null")]
    assert answers == [SITE, None, None]
    assert allowed(client, f"/{activity.organization.slug}/", SITE) is None
    Organization.objects.update(status="suspended")
    assert allowed(client, "/api/v1/activities", SITE) is None


def test_a_preflight_names_the_headers_of_ours(client: Client) -> None:
    make_venue(allowed_embed_origins=[SITE])
    asked = {
        "Origin": SITE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "idempotency-key",
    }
    response = client.options("/api/v1/reservations", headers=asked)
    assert response["Access-Control-Allow-Origin"] == SITE
    assert "idempotency-key" in response["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in response
