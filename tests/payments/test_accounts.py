"""An account at the provider: connected with a key, given a new secret without a gap, ended."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import InvalidRequest, NotFound
from config.tenants.models import Organization
from payments.models import ProviderAccount, ProviderEvent
from payments.providers.stripe import Stripe
from payments.services import accounts, charges
from payments.services.accounts import AccountCheck, AlreadyConnected, ProviderUnreachable, RotatedLately
from payments.services.reconciliation import reconcile
from payments.services.refund_submission import submit_refund
from tests.concurrency.races import race, tally
from tests.factories import make_organization
from tests.payments.bank.shop import Ear, Shop, listening, until
from tests.payments.money import give_back, make_due, paid_online
from tests.payments.scenes import begin, begun_payment, facts_of, open_payment, send

OWNER = Actor(kind=ActorKind.STAFF, channel="admin", id=uuid4())


@pytest.fixture
def ear(settings: Settings) -> Iterator[Ear]:
    """Be where our site is, and keep what the bank sends there."""
    with listening() as ear:
        settings.SITE_URL = ear.url.partition("/hook")[0]
        yield ear


@pytest.fixture
def school(committed_db: None, ear: Ear) -> Organization:
    return make_organization()


def connect(school: Organization, shop: Shop) -> ProviderAccount:
    return accounts.connect_account(organization_id=school.id, api_key=f" {shop.key}\n", actor=OWNER)


def addresses(shop: Shop) -> list[str]:
    """Return where the bank sends events of the account."""
    return [endpoint.url for endpoint in shop.client.v1.webhook_endpoints.list().data]


def test_a_connected_account_hears_of_its_payments(school: Organization, shop: Shop, ear: Ear) -> None:
    account = connect(school, shop)
    assert addresses(shop) == [f"{ear.url.partition('/hook')[0]}/api/v1/payments/webhooks/stripe?account={account.id}"]
    assert accounts.test_account(account.id) == AccountCheck(account.account_ref, hears_us=True)
    assert shop.key not in ProviderAccount.objects.get().sealed_key

    payment = begun_payment(account)
    shop.pay(payment.provider_ref)
    until(lambda: "checkout.session.completed" in ear.kinds())
    heard = [(each.body.encode(), each.signature) for each in ear.heard]
    assert [send(account.id, *each).status_code for each in heard] == [204] * len(heard)


def test_a_key_that_opens_nothing_is_refused_at_its_field(school: Organization, shop: Shop) -> None:
    shop.key = "sk_live_of_somebody"
    with pytest.raises(InvalidRequest) as refused:
        connect(school, shop)
    assert [(error.field, error.code) for error in refused.value.errors] == [("api_key", "key_refused")]
    assert not ProviderAccount.objects.exists()


def test_while_the_bank_is_down_nothing_is_connected(school: Organization, shop: Shop) -> None:
    shop.faults(down=True)
    with pytest.raises(ProviderUnreachable):
        connect(school, shop)
    assert not ProviderAccount.objects.exists()


def test_an_organization_has_one_account_however_often_it_is_asked_for(school: Organization, shop: Shop) -> None:
    outcomes = race([lambda: connect(school, shop)] * 2)
    assert tally(outcomes) == {"ProviderAccount": 1, "AlreadyConnected": 1}
    with pytest.raises(AlreadyConnected):
        connect(school, shop)
    assert len(addresses(shop)) == 1, "what the loser registered is taken away again"


def test_a_secret_is_changed_and_no_event_is_lost(school: Organization, shop: Shop, ear: Ear) -> None:
    account = connect(school, shop)
    first = begun_payment(account)
    shop.pay(first.provider_ref)
    until(lambda: "checkout.session.completed" in ear.kinds())
    before = list(ear.heard)

    account = accounts.rotate_webhook_secret(account.id, actor=OWNER)
    second = begun_payment(account)
    shop.pay(second.provider_ref)
    until(lambda: ear.kinds().count("checkout.session.completed") == 3)
    both = [each for each in ear.heard if each not in before]

    answers = {send(account.id, each.body.encode(), each.signature).status_code for each in [*before, *both]}
    assert answers == {204}, "signed with the former secret, and with the new one"
    events = {each.event["id"] for each in [*before, *both]}
    assert ProviderEvent.objects.count() == len(events), "once each, though both endpoints told of them"

    with pytest.raises(RotatedLately):
        accounts.rotate_webhook_secret(account.id, actor=OWNER)
    assert accounts.retire_former_secrets() == 0
    ProviderAccount.objects.update(former_secret_until=database_now() - timedelta(seconds=1))
    assert [send(account.id, each.body.encode(), each.signature).status_code for each in before] == [400] * len(before)
    assert accounts.retire_former_secrets() == 1
    assert len(addresses(shop)) == 1
    assert accounts.test_account(account.id).hears_us


def test_an_ended_account_takes_nothing_new_and_goes_on_with_what_it_has(school: Organization, shop: Shop) -> None:
    account = connect(school, shop)
    payment = begun_payment(account)
    for _ in range(2):
        assert accounts.end_account(account.id, actor=OWNER).ended_at
    with pytest.raises(charges.OnlinePaymentsOff):
        open_payment(account)
    shop.pay(payment.provider_ref)
    assert charges.refresh_payment(payment.id).status == "succeeded"


def test_an_account_that_is_connected_again_pays_back_what_it_owes_though_its_former_key_is_dead(
    school: Organization, shop: Shop
) -> None:
    account = connect(school, shop)
    refund = give_back(paid_online(account, shop))
    account.api_key = "revoked"
    account.save()
    assert submit_refund(refund.id).status == "requested"
    accounts.end_account(account.id, actor=OWNER)

    again = connect(school, shop)
    assert (again.id, again.ended_at, again.api_key) == (account.id, None, shop.key)
    assert reconcile(again.id).differences == [], "as one account, which knows all that is on its statement"
    make_due(refund)
    assert submit_refund(refund.id).status == "succeeded"
    assert len(accounts.webhook_secrets(again, at=database_now())) == 2, "news from before are good for a day"
    with pytest.raises(RotatedLately):
        accounts.rotate_webhook_secret(again.id, actor=OWNER)


def test_an_account_of_another_name_or_of_test_money_is_another_one(
    school: Organization, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = connect(school, shop)
    accounts.end_account(first.id, actor=OWNER)
    shop.key = f"sk_test_{uuid4().hex}"
    second = connect(school, shop)
    accounts.end_account(second.id, actor=OWNER)
    monkeypatch.setattr(Stripe, "is_live", lambda _, account: account.endpoint_ref == "")  # the new key's money is real
    third = connect(school, shop)
    assert len({first.id, second.id, third.id}) == 3
    assert third.account_ref == second.account_ref


def test_an_account_whose_secrets_are_lost_is_as_one_whose_key_is_dead_until_it_is_connected_again(
    school: Organization, shop: Shop
) -> None:
    account = connect(school, shop)
    lost = "sealed with a key that is gone"
    ProviderAccount.objects.update(sealed_key=lost, sealed_webhook_secret=lost)
    payment = open_payment(account)
    with pytest.raises(charges.PaymentUnavailable):
        begin(payment)
    assert facts_of(payment)["account_refused"] == 1, "of which staff are told"
    assert send(account.id, b"{}", "t=1,v1=0").status_code == 400
    accounts.end_account(account.id, actor=OWNER)
    assert connect(school, shop).id == account.id
    assert begin(payment).status == "processing"
    assert send(account.id, b"{}", "t=1,v1=0").status_code == 400


def test_two_who_connect_an_ended_account_again_connect_it_once(school: Organization, shop: Shop) -> None:
    account = connect(school, shop)
    accounts.end_account(account.id, actor=OWNER)
    outcomes = race([lambda: connect(school, shop)] * 2)
    assert tally(outcomes) == {"ProviderAccount": 1, "AlreadyConnected": 1}
    assert len(addresses(shop)) == 2, "the one from before, for a day, and the winner's"


def test_a_secret_is_changed_again_only_when_the_one_before_is_gone_everywhere(
    school: Organization, shop: Shop
) -> None:
    account = connect(school, shop)
    accounts.rotate_webhook_secret(account.id, actor=OWNER)
    ProviderAccount.objects.update(former_secret_until=database_now() - timedelta(seconds=1))
    with pytest.raises(RotatedLately):  # what was registered now would be taken away with the old one
        accounts.rotate_webhook_secret(account.id, actor=OWNER)
    accounts.retire_former_secrets()
    accounts.rotate_webhook_secret(account.id, actor=OWNER)


def test_what_is_not_there_is_not_found(school: Organization) -> None:
    with pytest.raises(NotFound):
        accounts.rotate_webhook_secret(uuid4(), actor=OWNER)
