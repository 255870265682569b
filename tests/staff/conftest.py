"""Members of staff, signed in."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.test import Client

from config.tenants.models import Membership, Organization, User

SignIn = Callable[..., Client]
PASSWORD = "correct horse battery"
_numbers = count(1)


def make_member(organization: Organization, role: str, **fields: Any) -> User:
    """Create somebody who works there."""
    user = User.objects.create_user(f"{role}-{next(_numbers)}@example.org", is_staff=True, **fields)
    Membership.objects.create(organization=organization, user=user, role=role)
    return user


def sign_in_with_password(organization: Organization, role: str) -> Client:
    """Sign a new member of staff in, who can give a password once more."""
    user, client = make_member(organization, role), Client()
    user.set_password(PASSWORD)
    user.save()
    client.force_login(user)
    return client


@pytest.fixture
def sign_in(db: None) -> SignIn:
    """Sign a new member of an organization's staff in."""

    def sign_in(organization: Organization, role: str = "manager") -> Client:
        client = Client()
        client.force_login(make_member(organization, role))
        return client

    return sign_in
