"""An organization's account at the provider, connected by its owner through the admin to a bank."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.asserts import assertContains, assertNotContains
from pytest_django.fixtures import Settings

from payments.models import ProviderAccount, Reconciliation
from tests.factories import make_organization
from tests.payments.bank.shop import Shop, open_bank
from tests.payments.money import make_account
from tests.staff.admin_site import act, list_address, messages_of, page_address
from tests.staff.conftest import PASSWORD, SignIn, sign_in_with_password

ROLES = ("owner", "manager", "reception", "instructor", "auditor")


@pytest.fixture
def bank(tmp_path: Path, settings: Settings) -> Iterator[Shop]:
    """An account of one's own at a bank."""
    with open_bank(tmp_path / "bank") as server:
        settings.STRIPE_API_BASE = server.url
        yield Shop(server.url)


@pytest.mark.usefixtures("committed_db")
def test_an_owner_connects_an_account_that_is_then_checked_compared_and_looked_at(bank: Shop) -> None:
    organization = make_organization()
    client = sign_in_with_password(organization, "owner")
    add = list_address(ProviderAccount) + "add/"
    refused = client.post(add, {"do": "", "api_key": "pk_nonsense", "password": PASSWORD})
    assertContains(refused, "does not accept this key", status_code=refused.status_code)
    assertNotContains(refused, "pk_nonsense", status_code=refused.status_code)
    page = client.post(add, {"do": "", "api_key": bank.key, "password": PASSWORD}, follow=True)
    account = ProviderAccount.objects.get()
    assert (account.organization, account.api_key) == (organization, bank.key)
    assertContains(page, "Customers can pay online now.")
    assertNotContains(page, bank.key)
    assert messages_of(act(client, "check_accounts", account)) == [f"{account}: healthy."]
    assert messages_of(act(client, "reconcile_accounts", account)) == [f"{account}: agrees."]
    assert Reconciliation.objects.get().open_count == 0
    page = client.post(page_address(account).replace("/change/", "/rotate/"), {"do": ""}, follow=True)
    assertContains(page, "the one before is good until")


@pytest.mark.parametrize("role", ROLES)
def test_whose_account_the_money_goes_to_is_the_owners_word_alone(sign_in: SignIn, role: str) -> None:
    account = make_account()
    client = sign_in(account.organization, role)
    addresses = [list_address(ProviderAccount) + "add/", *(
        page_address(account).replace("/change/", f"/{act}/") for act in ("rotate", "end")
    )]  # fmt: skip
    assert [client.get(each).status_code == 200 for each in addresses] == [role == "owner"] * 3


def test_an_account_is_disconnected_with_the_password_and_its_key_is_never_shown(db: None) -> None:
    account = make_account()
    client = sign_in_with_password(account.organization, "owner")
    here = page_address(account).replace("/change/", "/end/")
    assert client.post(here, {"do": ""}).status_code == 422
    account.refresh_from_db()
    assert account.ended_at is None
    page = client.post(here, {"do": "", "password": PASSWORD}, follow=True)
    assertContains(page, "disconnected")
    for secret in (account.api_key, account.sealed_key, account.sealed_webhook_secret):
        assertNotContains(page, secret)
