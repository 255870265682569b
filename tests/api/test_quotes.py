"""What a booking costs, told to programs and never believed of them: totals, codes, vouchers, deposits, currencies."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from bookings.models import Booking, PromoCode
from config.tenants.models import ApiKey, Organization
from payments.models import Payment
from scheduling.models import PriceRule, Reservation, Session
from tests.bookings.paid import shop
from tests.bookings.selling import make_code
from tests.factories import ANNA, make_activity, make_organization, make_session, make_venue, make_voucher

pytestmark = pytest.mark.django_db

FAR = timedelta(days=60)


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def order(*sessions: Session, people: int = 2, **changes: Any) -> dict[str, Any]:
    lines = [{"session": str(session.id), "party_size": people} for session in sessions]
    return {"lines": lines, "customer": {"email": ANNA.email, "name": ANNA.name}, **changes}


def named(answer: Any) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


def gbp(amount_minor: int) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "currency": "GBP"}


def far_session(**overrides: Any) -> Session:
    return make_session(make_activity(**overrides), starts_in=FAR)


# R-PAY: amounts and currencies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [0, 1, 1999, 2001, 200_000])
def test_a_tampered_total_is_refused_with_the_right_one_and_nothing_is_booked(client: Client, shown: int) -> None:
    answer = post(client, "bookings", order(far_session(), expected_total=shown))
    assert (answer.status_code, answer.json()["code"], answer.json()["total_minor"]) == (409, "total_differs", 2000)
    assert (Booking.objects.count(), Payment.objects.count(), Reservation.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize(
    "tampered",
    [
        {"total": 1},
        {"amount_minor": 1},
        {"discount": 1999},
        {"price": gbp(1)},
        {"deposit": 1},
        {"expected_total": -2000},
        {"expected_total": "2000"},
        {"expected_total": 19.99},
    ],
)
def test_an_amount_is_never_taken_from_the_caller(client: Client, tampered: dict[str, Any]) -> None:
    session = far_session()
    for path in ("bookings", "bookings/validate"):
        assert post(client, path, order(session, **tampered)).status_code == 422
    in_line = order(session)
    in_line["lines"][0] |= {"price": 1}
    assert post(client, "bookings", in_line).status_code == 422
    assert Booking.objects.count() == 0


def test_a_new_organization_sells_in_pounds(client: Client) -> None:
    assert Organization.objects.create(name="New", slug="new").currencies == ["GBP"]
    session = far_session()
    assert post(client, "bookings/validate", order(session, currency="GBP")).json()["total"] == gbp(2000)


@pytest.mark.parametrize(("path", "status"), [("bookings", 422), ("bookings/validate", 200)])
@pytest.mark.parametrize("asked", ["EUR", "USD", "XYZ"])
def test_a_currency_that_is_not_taken_is_refused_with_those_that_are(
    client: Client, path: str, status: int, asked: str
) -> None:
    answer = post(client, path, order(far_session(), currency=asked))
    assert (answer.status_code, named(answer)) == (status, [("currency", "currency_not_accepted")])
    assert answer.json()["errors"][0]["detail"] == f"This cannot be paid for in {asked}, but in GBP."
    assert answer.json().get("accepted", ["GBP"]) == ["GBP"]
    assert Booking.objects.count() == 0


@pytest.mark.parametrize("asked", ["gbp", "pounds", "", "£"])
def test_what_is_no_currency_is_refused_as_such(client: Client, asked: str) -> None:
    answer = post(client, "bookings", order(far_session(), currency=asked))
    assert (answer.status_code, named(answer)[0][0]) == (422, "currency")


def test_an_activity_in_a_currency_that_its_organization_does_not_take_is_not_sold(client: Client) -> None:
    organization = make_organization(currency="GBP", other_currencies=["CHF"])
    euros, francs = (make_activity(make_venue(organization), currency=each) for each in ("EUR", "CHF"))
    refused = post(client, "bookings", order(make_session(euros, starts_in=FAR)))
    assert (refused.status_code, refused.json()["code"]) == (422, "currency_not_accepted")
    assert refused.json()["accepted"] == ["GBP", "CHF"]
    sold = post(client, "bookings", order(make_session(francs, starts_in=FAR)))
    assert (sold.status_code, sold.json()["total"]) == (201, {"amount_minor": 2000, "currency": "CHF"})


def test_what_has_a_price_is_not_free_and_what_has_none_is(client: Client) -> None:
    answer = post(client, "bookings", order(far_session(), payment_method="free"))
    assert (answer.status_code, named(answer)) == (422, [("payment_method", "not_free")])
    booked = post(client, "bookings", order(far_session(price_minor=0))).json()
    assert (booked["status"], booked["payment_method"], booked["total"]) == ("confirmed", "free", gbp(0))
    assert not Payment.objects.exists()


def test_a_code_for_everything_books_without_money(client: Client) -> None:
    activity = shop()
    make_code(activity.organization_id, code="GUEST", percent=100)
    asked = order(make_session(activity, starts_in=FAR), promo_code="guest", expected_total=0)
    body = post(client, "bookings", asked).json()
    assert (body["status"], body["payment_method"], body["total"]) == ("confirmed", "free", gbp(0))
    assert (PromoCode.objects.get().uses, Payment.objects.count()) == (1, 0)


def test_a_voucher_that_covers_everything_books_and_is_spent(client: Client) -> None:
    activity = shop()
    voucher = make_voucher(activity.organization, 2500)
    asked = order(make_session(activity, starts_in=FAR), voucher=voucher.code, expected_total=2000)
    body = post(client, "bookings", asked).json()
    assert (body["status"], body["payment_method"], body["total"]) == ("confirmed", "online", gbp(2000))
    voucher.refresh_from_db()
    assert voucher.balance_minor == 500
    assert list(Payment.objects.values_list("provider", "status", "amount_minor")) == [("voucher", "succeeded", 2000)]


# The dry run ------------------------------------------------------------------------------------------------------


def test_a_dry_run_tells_every_step_from_the_price_to_what_is_due(client: Client) -> None:
    activity = shop(deposit_percent=30, balance_days=10)
    other = make_activity(activity.venue, pay_on_arrival=False)
    PriceRule.objects.create(
        organization_id=activity.organization_id, activity=activity, name="Summer", amount_minor=200, position=1
    )
    make_code(activity.organization_id, (activity.id,), code="TEN")
    voucher = make_voucher(activity.organization, 500)
    sessions = [make_session(each, starts_in=FAR) for each in (activity, other)]

    body = post(client, "bookings/validate", order(*sessions, promo_code="ten", voucher=voucher.code)).json()

    assert (body["bookable"], body["payment_method"], body["errors"]) == (True, "online", [])
    lines = [
        (each["price"]["amount_minor"], *map(each.get, ("discount", "total", "deposit"))) for each in body["lines"]
    ]
    assert lines == [
        (2400, gbp(240), gbp(2160), gbp(648)),
        (2000, gbp(0), gbp(2000), None),
    ]
    assert (body["total"], body["discount"], body["deposit"]) == (gbp(4160), gbp(240), gbp(2648))
    assert (body["due_now"], body["due_later"]) == (gbp(2148), gbp(1512))
    assert body["promo"] == {"code": "TEN", "discount": gbp(240)}
    assert body["voucher"] == {"code": voucher.code, "pays": gbp(500)}
    assert body["balance_due_at"].endswith("Z")
    assert [(row["label"], row["amount_minor"]) for row in body["explanation"]][:6] == [
        ("2 × Adult (Summer +£2.00 each)", 2400),
        ("2 × Adult", 2000),
        ("Code TEN (10 % off)", -240),
        ("Total", 4160),
        ("Voucher", -500),
        ("To pay now", 2148),
    ]
    assert (PromoCode.objects.get().uses, Payment.objects.count(), Booking.objects.count()) == (0, 0, 0)


def test_without_a_price_of_each_line_nothing_is_said_about_money(client: Client) -> None:
    unpriced = make_session(make_activity(price_minor=None), starts_in=FAR)
    body = post(client, "bookings/validate", order(unpriced)).json()
    assert (body["bookable"], body["explanation"]) == (False, [])
    assert [body[name] for name in ("total", "discount", "deposit", "due_now", "due_later", "promo")] == [None] * 6


@pytest.mark.parametrize("path", ["bookings", "bookings/validate"])
def test_a_code_that_does_not_fit_says_so_at_its_field(client: Client, path: str) -> None:
    session = far_session()
    make_code(session.organization_id, code="BIG", amount_minor=500, minimum_minor=10_000)
    answer = post(client, path, order(session, promo_code="big"))
    assert named(answer) == [("promo_code", "promo_code_below_minimum")]
    assert "£100.00" in answer.json()["errors"][0]["detail"]
    assert answer.json().get("minimum_minor", 10_000) == 10_000


def test_only_programs_of_the_organization_hear_in_a_dry_run_who_has_used_a_code(client: Client) -> None:
    session = far_session()
    make_code(session.organization_id, code="ONCE", percent=10, most_uses_each=1)
    assert post(client, "bookings", order(session, promo_code="ONCE")).status_code == 201
    again = order(session, promo_code="ONCE", confirm_duplicate=True)
    _, key = ApiKey.issue(organization_id=session.organization_id, name="ours", scopes=[])

    assert named(post(client, "bookings/validate", again)) == []
    by_key = post(client, "bookings/validate", again, Authorization=f"Bearer {key}")
    assert named(by_key) == [("promo_code", "promo_code_used_by_you")]
    refused = post(client, "bookings", again)
    assert (refused.status_code, refused.json()["code"]) == (409, "promo_code_used_by_you")
