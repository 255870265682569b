"""Vouchers and promo codes, made and ended by staff; and paid with by callers."""

from typing import Any

import pytest
from django.db.models import Model
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from bookings.models import Booking, PromoCode
from bookings.services.promo_code_issue import PromoTerms, create_promo_code
from config.tenants.models import Organization
from payments.models import (
    Payment,
    Voucher,
)
from payments.services.balances import balance_of
from scheduling.models import Session
from tests.factories import STAFF, make_activity, make_organization, make_session
from tests.payments.money import make_account, make_voucher
from tests.staff.admin_site import act, list_address, messages_of, page_address
from tests.staff.conftest import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> Session:
    return make_session(make_activity(price_minor=1000))


# Vouchers and promo codes -------------------------------------------------------------------------------------------


def test_a_voucher_is_issued_and_its_code_is_read_by_those_who_may(sign_in: SignIn) -> None:
    organization = make_organization()
    form = {"amount": "50", "currency": "GBP", "note": "for the long wait"}
    page = sign_in(organization).post(list_address(Voucher) + "add/", form, follow=True)
    voucher = Voucher.objects.get()
    assert (voucher.issued_minor, voucher.balance_minor, voucher.organization) == (5000, 5000, organization)
    assertContains(page, voucher.code)
    auditor = sign_in(organization, "auditor")
    for seen in (auditor.get(page_address(voucher)), auditor.get(list_address(Voucher))):
        assertContains(seen, f"… {voucher.code[-4:]}")
        assertNotContains(seen, voucher.code)


def test_a_voucher_is_found_by_its_whole_code_alone(sign_in: SignIn) -> None:
    organization = make_organization()
    voucher = make_voucher(organization.id)
    auditor = sign_in(organization, "auditor")
    told = (voucher.code, voucher.code.lower().replace("-", " "), voucher.code[:9], voucher.code[0])
    found = [len(auditor.get(list_address(Voucher), {"q": text}).context["cl"].result_list) for text in told]
    assert found == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"amount": ""}, "Say how much."),
        ({"currency": "EUR"}, "not one of the available choices"),
        ({"expires_on": "2020-01-01"}, "The last day has to be today or later."),
    ],
)
def test_a_wrong_voucher_is_refused_in_words(sign_in: SignIn, wrong: dict[str, str], words: str) -> None:
    form = {"amount": "50", "currency": "GBP", **wrong}
    answer = sign_in(make_organization()).post(list_address(Voucher) + "add/", form)
    assertContains(answer, words, status_code=422)
    assert not Voucher.objects.exists()


def test_a_voucher_of_a_currency_with_three_decimals_is_worth_no_more_than_we_can_write(sign_in: SignIn) -> None:
    organization = make_organization(currency="KWD")
    client, form = sign_in(organization), {"amount": "2147483.648", "currency": "KWD"}
    assertContains(client.post(list_address(Voucher) + "add/", form), "At most KWD", status_code=422)
    assert not Voucher.objects.exists()
    client.post(list_address(Voucher) + "add/", {**form, "amount": "2147483.647"})
    assert Voucher.objects.get().balance_minor == 2**31 - 1


def test_a_voucher_and_a_promo_code_are_ended_by_those_who_may(sign_in: SignIn) -> None:
    organization = make_organization()
    rows: tuple[tuple[Model, str], ...] = (
        (make_voucher(organization.id), "end_vouchers"),
        (
            create_promo_code(organization_id=organization.id, terms=PromoTerms("SPRING", percent=10), actor=STAFF),
            "end_promo_codes",
        ),
    )
    for row, name in rows:
        act(sign_in(organization, "auditor"), name, row)
        row.refresh_from_db()
        assert row.ended_at is None  # type: ignore[attr-defined]
        act(sign_in(organization), name, row, from_page=True)
        row.refresh_from_db()
        assert row.ended_at is not None  # type: ignore[attr-defined]


def test_a_promo_code_is_made_for_some_activities_and_says_what_it_gives(sign_in: SignIn, session: Session) -> None:
    client = sign_in(session.organization)
    form = {"code": "spring 26", "percent": "15", "currency": "GBP", "minimum": "10", "last_day": "2099-12-31",
            "most_uses": "3", "activities": [str(session.activity_id)]}  # fmt: skip
    page = client.post(list_address(PromoCode) + "add/", form, follow=True)
    promo = PromoCode.objects.get()
    assert messages_of(page) == ["Made: SPRING26, 15 % off, from £10.00 on."]
    assert (promo.percent, promo.minimum_minor, promo.most_uses) == (15, 1000, 3)
    assert str(promo.ends_at) == "2100-01-01 00:00:00+00:00"
    assertContains(client.get(list_address(PromoCode)), session.activity.name)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"percent": ""}, "Give either percent or an amount."),
        ({"amount": "5"}, "Give either percent or an amount."),
        ({"code": "Ä"}, "A code has 3 to 40 letters, digits and hyphens."),
        ({"code": "taken"}, "There is a code like this already"),
        ({"first_day": "2030-02-01", "last_day": "2030-01-01"}, "The end has to be later than the beginning."),
    ],
)
def test_a_wrong_promo_code_is_refused_in_words(sign_in: SignIn, wrong: dict[str, str], words: str) -> None:
    organization = make_organization()
    create_promo_code(organization_id=organization.id, terms=PromoTerms("TAKEN", percent=10), actor=STAFF)
    form = {"code": "SPRING", "percent": "15", "currency": "GBP", **wrong}
    assertContains(sign_in(organization).post(list_address(PromoCode) + "add/", form), words, status_code=422)
    assert PromoCode.objects.count() == 1


def test_another_organizations_activity_is_not_offered_for_a_promo_code(sign_in: SignIn, session: Session) -> None:
    client = sign_in(make_organization())
    form = {"code": "SPRING", "percent": "15", "currency": "GBP", "activities": [str(session.activity_id)]}
    answer = client.post(list_address(PromoCode) + "add/", form)
    assertContains(answer, "not one of the available choices", status_code=422)
    assertNotContains(client.get(list_address(PromoCode) + "add/"), session.activity.name)


# The desk, and what is sold -----------------------------------------------------------------------------------------


def desk_of(session: Session) -> str:
    day = session.starts_at.astimezone(session.activity.venue.zone).date()
    return reverse("admin:bookings_booking_add") + f"?activity={session.activity_id}&day={day}"


def caller(session: Session, **fields: Any) -> dict[str, Any]:
    unit = session.activity.units.get()
    return {"session": session.id, f"unit-{unit.id}": 1, "name": "Grace", "email": "grace@example.org", **fields}


def test_a_caller_is_sent_a_link_and_the_places_are_kept_until_it_is_paid(sign_in: SignIn, session: Session) -> None:
    make_account(session.organization)
    client = sign_in(session.organization, "reception")
    assertContains(client.get(desk_of(session)), "Now, with a link to the payment page")
    page = client.post(desk_of(session), caller(session, payment_method="online"), follow=True)
    booking, payment = Booking.objects.get(), Payment.objects.get()
    assert (booking.status, payment.status, payment.amount_minor) == ("pending", "created", 1000)
    assertContains(page, "Kept until it is paid")
    assertContains(page, f"/pay/{payment.id}")


def test_a_way_to_pay_that_is_not_possible_is_not_offered(sign_in: SignIn, session: Session) -> None:
    client = sign_in(session.organization, "reception")
    assertNotContains(client.get(desk_of(session)), "with a link to the payment page")
    answer = client.post(desk_of(session), caller(session, payment_method="online"))
    assertContains(answer, "not one of the available choices", status_code=422)


def test_a_callers_promo_code_and_voucher_count_and_wrong_ones_are_said_at_their_fields(
    sign_in: SignIn, session: Session
) -> None:
    client, organization = sign_in(session.organization, "reception"), session.organization
    create_promo_code(organization_id=organization.id, terms=PromoTerms("SPRING", percent=10), actor=STAFF)
    voucher = make_voucher(organization.id, 5000)
    wrong = client.post(desk_of(session), caller(session, promo_code="WINTER", voucher="nothing"))
    assertContains(wrong, "We know no promo code like this", status_code=wrong.status_code)
    assert (wrong.status_code >= 400, Booking.objects.count()) == (True, 0)
    client.post(desk_of(session), caller(session, promo_code="spring", voucher=voucher.code))
    booking = Booking.objects.get()
    assert (booking.status, booking.total_minor, balance_of(booking.id).paid_minor) == ("confirmed", 900, 900)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"currency": "EUR"}, "takes GBP and CHF."),
        ({"deposit_percent": "0"}, "A deposit is 1 to 99 percent"),
        ({"deposit_percent": "100"}, "A deposit is 1 to 99 percent"),
    ],
)
def test_an_activity_is_sold_in_a_currency_of_its_organization_and_asks_a_sane_deposit(
    sign_in: SignIn, fields: dict[str, str], words: str
) -> None:
    activity = make_activity(price_minor=None)
    Organization.objects.filter(id=activity.organization_id).update(other_currencies=["CHF"])
    form = {
        "name": activity.name, "slug": activity.slug, "kind": "open", "currency": "CHF", "capacity": 10,
        "hold_minutes": 10, "opens_days_before": 365, "closes_minutes_before": 0, "balance_days": 14,
        "units-TOTAL_FORMS": 0, "units-INITIAL_FORMS": 0, "extras-TOTAL_FORMS": 0, "extras-INITIAL_FORMS": 0,
        "deposit_percent": "30",
    }  # fmt: skip
    client = sign_in(activity.organization)
    assertContains(client.post(page_address(activity), {**form, **fields}), words)
    assert client.post(page_address(activity), form).status_code == 302
    activity.refresh_from_db()
    assert (activity.currency, activity.deposit_percent) == ("CHF", 30)


def test_an_organization_takes_other_currencies_and_keeps_what_it_sells_in(sign_in: SignIn) -> None:
    organization = make_activity(currency="EUR").organization
    form = {"name": organization.name, "currency": "GBP", "other_currencies": "eur, chf", "language": "en",
            "reminder_hours": 24, "retention_days": 1095, "outcome_policy": "by_staff"}  # fmt: skip
    client = sign_in(organization, "owner")
    assert client.post(page_address(organization), form).status_code == 302
    organization.refresh_from_db()
    assert organization.currencies == ["GBP", "EUR", "CHF"]
    for text, words in (("CHF", "Activities are sold in EUR"), ("EUR XXB", "XXB is not a currency that we know.")):
        assertContains(client.post(page_address(organization), {**form, "other_currencies": text}), words)
