"""What pages may load: the admin has a policy of its own; its exceptions reach no other page."""

import pytest
from django.conf import settings
from django.test import Client

from tests.factories import make_session
from tests.staff.conftest import SignIn

pytestmark = pytest.mark.django_db
LOOSE = ("'unsafe-eval'", "'unsafe-inline'")


def policy(client: Client, address: str) -> dict[str, str]:
    """Return the policy that a page is sent with, by directive."""
    header = client.get(address).headers["Content-Security-Policy"]
    return dict(part.split(" ", 1) for part in header.split("; "))


def test_the_admins_exceptions_are_these_two() -> None:
    strict = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    loose = settings.ADMIN_CONTENT_SECURITY_POLICY["DIRECTIVES"]
    added = {name: sorted(set(values) - set(strict[name])) for name, values in loose.items()}
    assert {name: values for name, values in added.items() if values} == {
        "script-src": ["'unsafe-eval'"],
        "style-src": ["'unsafe-inline'"],
    }


@pytest.mark.parametrize("address", ["/admin/login/", "/admin/", "/admin/scheduling/session/"])
def test_admin_pages_have_the_admins_policy_and_no_frame(sign_in: SignIn, address: str) -> None:
    found = policy(sign_in(make_session().organization), address)
    assert found["script-src"] == "'self' 'unsafe-eval'"
    assert (found["frame-ancestors"], found["default-src"]) == ("'none'", "'none'")


@pytest.mark.parametrize("address", ["/", "/nothing-here/", "/administrator/"])
def test_other_pages_keep_the_strict_one(sign_in: SignIn, address: str) -> None:
    found = policy(sign_in(make_session().organization), address)
    assert not any(word in value for word in LOOSE for value in found.values())
    assert found["frame-ancestors"] == "'none'"
