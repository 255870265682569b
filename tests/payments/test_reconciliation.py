"""Our rows beside the bank's statement: every kind of difference is found; what can be asked for is put right."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from config.kit.clock import database_now
from config.kit.ids import uuid7
from config.kit.refusals import NotFound
from payments.models import LedgerEntry, LedgerTransaction, Payment, ProviderAccount, Reconciliation, Refund
from payments.providers.base import DisputeOutcome, ProviderDown
from payments.services import charges, reconciliation
from payments.services.balances import balance_of
from payments.services.disputes import apply_dispute_outcome
from payments.services.reconciliation import reconcile, reconcile_accounts
from payments.services.refund_submission import submit_refund
from tests.conftest import RunSql
from tests.factories import make_organization
from tests.payments.bank.shop import Shop
from tests.payments.money import (
    accounts,
    give_back,
    lines,
    opened,
    paid,
    paid_online,
    said_of_dispute,
)
from tests.payments.scenes import make_account

pytestmark = pytest.mark.usefixtures("committed_db")

LONG_AGO = timedelta(hours=2)
PAGES = {"return_url": "http://shop.test/paid", "back_url": "http://shop.test/"}
Row = tuple[str, int | None, int | None, bool]


def differences(found: Reconciliation) -> list[Row]:
    """Return kind, ours, theirs, and whether it was put right; sorted."""
    rows = [(each["kind"], each["ours_minor"], each["theirs_minor"], each["healed"]) for each in found.differences]
    return sorted(rows, key=str)


def age(account: ProviderAccount) -> None:
    """Let the account have been connected a while ago, so that what is written now is not too fresh to judge."""
    ProviderAccount.objects.filter(id=account.id).update(created_at=database_now() - LONG_AGO)


def paid_at_the_bank_alone(account: ProviderAccount, shop: Shop, amount_minor: int = 4500) -> Payment:
    """Pay at the bank; nobody tells us."""
    payment = charges.begin_payment(opened(account, amount_minor).id, **PAGES)
    shop.pay(payment.provider_ref)
    return payment


def refunded_by_hand(shop: Shop, payment: Payment, amount_minor: int) -> str:
    payment.refresh_from_db()
    return shop.client.v1.refunds.create({"payment_intent": payment.intent_ref, "amount": amount_minor}).id


def disputed(shop: Shop, payment: Payment) -> str:
    payment.refresh_from_db()
    shop.act("open_dispute", payment.provider_ref)
    return str(shop.client.v1.disputes.list({"payment_intent": payment.intent_ref}).data[0].id)


def written_long_ago(account: ProviderAccount, amount_minor: int = 4500) -> Payment:
    """Write a payment as settled an hour ago, of which the bank knows nothing."""
    payment = opened(account, amount_minor)
    at = database_now() - timedelta(hours=1)
    Payment.objects.filter(id=payment.id).update(status="succeeded", settled_at=at, intent_ref=f"pi_{payment.id}")
    payment.refresh_from_db()
    return payment


def test_where_everything_agrees_nothing_differs(account: ProviderAccount, shop: Shop) -> None:
    payment = paid_online(account, shop)
    submit_refund(give_back(payment, 1000).id)
    won, lost = (paid_online(account, shop, amount) for amount in (900, 800))
    for about, act in ((won, "win_dispute"), (lost, "lose_dispute")):
        dispute = disputed(shop, about)
        shop.act(act, dispute)
        status = "won" if about == won else "lost"
        for said in (("open", True), (status, about == lost)):
            news = said_of_dispute(about, said[0], is_withdrawn=said[1], provider_ref=dispute)
            apply_dispute_outcome(account.id, news)
    found = reconcile(account.id)
    assert (found.checked, found.differences, found.open_count) == (7, [], 0)
    account.refresh_from_db()
    assert (account.reconciled_until, found.since) == (found.until, account.created_at)


def test_a_payment_that_we_did_not_know_was_paid_is_settled(account: ProviderAccount, shop: Shop) -> None:
    payment = paid_at_the_bank_alone(account, shop)
    found = reconcile(account.id)
    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert differences(found) == [("missing_here", None, 4500, True)]
    assert found.open_count == 0
    assert reconcile(account.id, since=account.created_at).differences == []


def test_a_refund_that_was_made_at_the_bank_is_recorded(account: ProviderAccount, shop: Shop) -> None:
    payment = paid_online(account, shop)
    refunded_by_hand(shop, payment, 1500)
    found = reconcile(account.id)
    assert (differences(found), found.open_count) == ([("missing_here", None, -1500, True)], 0)
    assert Refund.objects.get().reason == "at_provider"
    assert balance_of(payment.reference).net_minor == 3000


def test_a_refund_that_came_back_is_booked_back(account: ProviderAccount, shop: Shop) -> None:
    payment = paid_online(account, shop)
    refund = give_back(payment)
    submit_refund(refund.id)
    refund.refresh_from_db()
    shop.act("fail_refund", refund.provider_ref)
    found = reconcile(account.id)
    assert (differences(found), found.open_count) == ([("missing_here", None, 4500, True)], 0)
    refund.refresh_from_db()
    assert (refund.status, refund.attempt, accounts()) == ("requested", 2, {"bookings": -4500, "clearing": 4500})


def test_a_dispute_of_which_no_news_came_is_opened_and_closed(account: ProviderAccount, shop: Shop) -> None:
    payment = paid_online(account, shop)
    dispute = disputed(shop, payment)
    assert differences(reconcile(account.id)) == [("missing_here", None, -4500, True)]
    assert balance_of(payment.reference).disputed_minor == 4500
    shop.act("win_dispute", dispute)
    found = reconcile(account.id)
    assert (differences(found), found.open_count) == ([("missing_here", None, 4500, True)], 0)
    assert (balance_of(payment.reference).net_minor, accounts()) == (4500, {"bookings": -4500, "clearing": 4500})


def test_money_of_no_payment_of_ours_is_shown_to_staff(account: ProviderAccount, shop: Shop) -> None:
    intent = shop.paid(700)
    shop.client.v1.refunds.create({"payment_intent": intent, "amount": 200})
    found = reconcile(account.id)
    assert differences(found) == [("unknown_charge", None, -200, False), ("unknown_charge", None, 700, False)]
    assert found.open_count == 2


def test_what_another_organization_took_with_the_same_account_is_on_its_own_reconciliation(
    account: ProviderAccount, shop: Shop
) -> None:
    other = make_account(make_organization(), shop, account_ref=account.account_ref)
    theirs = paid_online(other, shop)
    submit_refund(give_back(theirs, 500).id)
    refunded_by_hand(shop, theirs, 100)
    paid_at_the_bank_alone(other, shop, 900)
    paid_online(account, shop, 800)
    found = reconcile(account.id)
    assert (found.checked, found.differences) == (1, [])
    of_theirs = reconcile(other.id)
    assert (of_theirs.checked, of_theirs.open_count, len(of_theirs.differences)) == (4, 0, 2)


def test_a_second_charge_of_one_payment_is_not_overlooked(account: ProviderAccount, shop: Shop) -> None:
    payment = paid_online(account, shop)
    metadata = {"payment": str(payment.id)}
    again = shop.checkout(4500, payment_intent_data={"metadata": metadata}, metadata=metadata)
    shop.pay(again.id)
    found = reconcile(account.id)
    assert (differences(found), found.open_count) == ([("unknown_charge", None, 4500, False)], 1)


@pytest.mark.parametrize(
    ("amount", "currency", "kind"), [(4400, "gbp", "amount_differs"), (4500, "eur", "currency_differs")]
)
def test_another_amount_or_currency_than_ours_settles_nothing_and_is_shown(
    account: ProviderAccount, shop: Shop, amount: int, currency: str, kind: str
) -> None:
    payment = opened(account)
    metadata = {"payment": str(payment.id)}
    session = shop.checkout(amount, currency, payment_intent_data={"metadata": metadata}, metadata=metadata)
    shop.pay(session.id)
    found = reconcile(account.id)
    assert (differences(found), found.open_count) == ([(kind, 4500, amount, False)], 1)
    payment.refresh_from_db()
    assert payment.status != "succeeded"


def test_what_we_wrote_and_the_bank_does_not_know_is_shown(
    account: ProviderAccount, shop: Shop, admin_sql: RunSql
) -> None:
    good = paid_online(account, shop)
    age(account)
    written_long_ago(account, 200)
    for written, amount in ((written_long_ago(account, 300), 100), (good, 50)):
        refund = give_back(written, amount)
        at = database_now() - timedelta(minutes=30)
        Refund.objects.filter(id=refund.id).update(status="succeeded", settled_at=at, provider_ref=f"re_{amount}")
    news = DisputeOutcome("dp_none", good.intent_ref, 70, "GBP", "open", is_withdrawn=True)
    apply_dispute_outcome(account.id, news)
    admin_sql("SET session_replication_role = replica")
    admin_sql("UPDATE payments_ledgertransaction SET at = at - interval '1 hour' WHERE kind = 'dispute_withdrawn'")
    found = reconcile(account.id)
    assert found.open_count == 5
    assert differences(found) == [
        ("missing_there", -100, None, False),
        ("missing_there", -50, None, False),
        ("missing_there", -70, None, False),
        ("missing_there", 200, None, False),
        ("missing_there", 300, None, False),
    ]


def test_what_stands_further_back_on_the_statement_is_looked_for_there(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "CLOCKS_DIFFER", timedelta(0))
    payment = paid_online(account, shop)
    read = []

    def remember(account: ProviderAccount, since: datetime, until: datetime) -> list[Any]:
        read.append(since)
        return [] if len(read) == 1 else original(account, since - timedelta(seconds=1), until + timedelta(seconds=1))

    original = reconciliation._read
    monkeypatch.setattr(reconciliation, "_read", remember)
    assert payment.settled_at
    found = reconcile(account.id, since=payment.settled_at)  # the bank's line is before it
    assert (read, found.differences) == ([payment.settled_at, payment.created_at], [])


def test_a_ledger_that_does_not_come_to_the_same_sum_is_shown(
    account: ProviderAccount, shop: Shop, admin_sql: RunSql
) -> None:
    paid_online(account, shop)
    admin_sql("SET session_replication_role = replica")
    admin_sql("UPDATE payments_ledgerentry SET amount_minor = amount_minor - 1 WHERE account = 'clearing'")
    found = reconcile(account.id)
    assert (differences(found), found.open_count) == ([("totals_differ", 4499, 4500, False)], 1)


def test_what_was_written_in_the_last_minutes_is_looked_at_next_time(account: ProviderAccount, shop: Shop) -> None:
    age(account)
    paid(account)
    assert reconcile(account.id).differences == []
    ProviderAccount.objects.filter(id=account.id).update(reconciled_until=database_now() - timedelta(minutes=1))
    found = reconciliation._written(account, database_now() - timedelta(minutes=11), database_now())
    assert len(found) == 1  # the next time begins as much earlier as this one ended


def test_a_bank_that_cannot_be_read_leaves_no_note_and_the_next_time_begins_where_this_one_did(
    account: ProviderAccount, shop: Shop
) -> None:
    paid_online(account, shop)
    shop.faults(down=True)
    with pytest.raises(ProviderDown):
        reconcile(account.id)
    assert reconcile_accounts() == 0
    account.refresh_from_db()
    assert (Reconciliation.objects.count(), account.reconciled_until) == (0, None)
    with pytest.raises(NotFound):
        reconcile(uuid7())


def test_a_look_at_a_later_time_leaves_what_lies_before_it_to_be_read(account: ProviderAccount, shop: Shop) -> None:
    age(account)
    reconcile(account.id, since=database_now())
    account.refresh_from_db()
    assert account.reconciled_until is None
    assert reconcile(account.id).since == account.created_at


def test_one_account_that_breaks_stops_no_other(account: ProviderAccount, shop: Shop) -> None:
    broken = ProviderAccount(organization=make_organization(), sealed_webhook_secret="sealed", account_ref="acct_0")
    broken.api_key = "sk_live_revoked"
    broken.save()
    shop.paid(700)
    assert reconcile_accounts() == 1
    assert [each.account_id for each in Reconciliation.objects.all()] == [account.id]


def test_the_command_prints_what_differs_and_fails_while_something_does(
    account: ProviderAccount, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    paid_at_the_bank_alone(account, shop)
    call_command("reconcile")
    healed = capsys.readouterr().out
    assert "ours nothing, theirs £45.00, put right" in healed
    shop.paid(700)
    with pytest.raises(CommandError, match="1 differences are open"):
        call_command("reconcile", f"--organization={account.organization.slug}", "--since=2020-01-01")
    assert "unknown_charge" in capsys.readouterr().out
    call_command("reconcile", organization="nobody")
    assert capsys.readouterr().out == ""


def test_no_transaction_is_open_while_the_bank_is_read(
    account: ProviderAccount, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway refuses inside one; here the control: it does."""
    with transaction.atomic(), pytest.raises(RuntimeError, match="outside transactions"):
        reconcile(account.id)
    assert lines(shop) == []
    assert LedgerTransaction.objects.count() == LedgerEntry.objects.count() == 0
