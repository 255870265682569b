"""The way to the sandbox bank, in the admin's sidebar beside the other rooms of money."""

import pytest
from django.test import Client
from pytest_django import Settings

from tests.factories import make_organization
from tests.staff.conftest import make_member

BANK = "http://127.0.0.1:8003"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("demo", "provider", "role", "is_there"),
    [
        (True, BANK, "manager", True),
        (True, BANK, "instructor", False),
        (True, "https://api.stripe.com", "manager", False),
        (False, BANK, "manager", False),
    ],
)
def test_only_the_demos_staff_who_see_payments_are_shown_to_the_bank(
    *, demo: bool, provider: str, role: str, is_there: bool, client: Client, settings: Settings
) -> None:
    settings.DEMO, settings.STRIPE_API_BASE = demo, provider
    client.force_login(make_member(make_organization(), role))
    page = client.get("/admin/").content.decode()
    assert (f'href="{provider}/sandbox"' in page) is is_there
    assert "Sessions" in page
