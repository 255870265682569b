"""Who paid: theirs to have, and overwritten for good."""

import pytest
from django.db import transaction

from config.kit.facts import Actor, ActorKind
from config.kit.ids import uuid7
from payments.models import Payment, PaymentEvent, PaymentEventDetail
from payments.services.privacy import export_payments, forget_payers
from tests.payments.money import give_back, make_account, paid

pytestmark = pytest.mark.django_db

ANNA, BEN, NOBODY = "anna@example.org", "ben@example.org", "erased@erased.invalid"
A_PERSON = Actor(kind=ActorKind.CUSTOMER, channel="web", detail={"ip_address": "192.0.2.7", "note": "Anna was ill"})


def test_a_payers_address_and_what_lies_beside_the_facts_go_and_the_money_stays() -> None:
    account = make_account()
    theirs, elsewhere, others = (paid(account) for _ in range(3))
    Payment.objects.filter(id=others.id).update(payer_email=BEN)
    abroad = paid(make_account())  # of another organization
    give_back(theirs, 100, actor=A_PERSON)
    before = list(PaymentEvent.objects.order_by("id").values())
    with transaction.atomic():
        forget_payers(
            organization_id=account.organization_id, references=[theirs.reference], email=ANNA, instead=NOBODY
        )
    rows = dict(Payment.objects.values_list("id", "payer_email"))
    assert [rows[each.id] for each in (theirs, elsewhere, others, abroad)] == [NOBODY, NOBODY, BEN, ANNA]
    assert PaymentEventDetail.objects.count() == 0
    assert list(PaymentEvent.objects.order_by("id").values()) == before


def test_an_export_has_payments_and_refunds_and_no_other_payers_address() -> None:
    account, reference = make_account(), uuid7()
    first, second = (paid(account, amount, reference=reference) for amount in (4500, 500))
    Payment.objects.filter(id=second.id).update(payer_email=BEN)
    refund = give_back(first, 100, actor=A_PERSON)
    paid(account)
    found = export_payments([reference], email=ANNA)
    assert [(row["id"], row["amount_minor"], row["payer_email"]) for row in found[reference]] == [
        (first.id, 4500, ANNA), (second.id, 500, ""),
    ]  # fmt: skip
    assert [[each["id"] for each in row["refunds"]] for row in found[reference]] == [[refund.id], []]
    assert list(found) == [reference]
