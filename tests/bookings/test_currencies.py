"""Every currency of the world, at its own number of decimals; and a confirmed booking that no currency moves."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings.discounts import Rebate, discounts_of
from bookings.models import Booking
from bookings.services import changes
from config.kit import money
from config.kit.display import money_text
from config.kit.refusals import InvalidRequest
from config.tenants.models import Organization
from scheduling.models import Activity, Unit
from tests.factories import CUSTOMER, book, make_activity, make_organization, make_session, make_venue

CODES = sorted(money.currencies())
MINOR = st.integers(0, 99_999_999_999)


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("GBP", 2), ("JPY", 0), ("KWD", 3), ("TND", 3), ("ISK", 0), ("UGX", 0), ("RSD", 2), ("IQD", 3), ("CLF", 4)],
)
def test_a_currency_has_the_decimals_that_iso_gives_it(currency: str, digits: int) -> None:
    assert money.exponent(currency) == digits


@pytest.mark.parametrize("currency", CODES)
def test_what_is_written_in_a_currency_says_the_same_minor_units(currency: str) -> None:
    @given(MINOR)
    def says_the_same(minor: int) -> None:
        said = re.search(r"\d[\d,]*(\.\d+)?", money_text(minor, currency))
        assert said is not None
        assert money.minor_of(Decimal(said[0].replace(",", "")), currency) == minor
        assert money.minor_of(money.amount_of(minor, currency), currency) == minor

    says_the_same()


@given(st.sampled_from(CODES), st.lists(MINOR, min_size=1, max_size=6), st.integers(1, 100))
def test_lines_add_up_to_the_total_in_every_currency(currency: str, amounts: list[int], percent: int) -> None:
    discounts = discounts_of(Rebate("CODE", percent=percent), amounts, [True] * len(amounts))
    nets = [amount - off for amount, off in zip(amounts, discounts, strict=True)]
    total = sum(amounts) - sum(discounts)
    assert sum(money.amount_of(net, currency) for net in nets) == money.amount_of(total, currency)


@pytest.mark.parametrize(("amount", "currency"), [("1.005", "GBP"), ("1.5", "JPY"), ("0.0001", "KWD")])
def test_an_amount_finer_than_its_currency_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match=f"{currency} has"):
        money.minor_of(Decimal(amount), currency)


def test_what_no_country_uses_is_no_currency() -> None:
    assert [money.is_currency(code) for code in ("GBP", "gbp", "DEM", "XYZ", "")] == [True, False, False, False, False]


@pytest.mark.django_db
def test_a_confirmed_booking_keeps_its_amount_whatever_becomes_of_currencies_and_prices() -> None:
    organization = make_organization(other_currencies=["EUR"])
    activity = make_activity(make_venue(organization), currency="EUR")
    first, second = (make_session(activity, starts_in=timedelta(days=days)) for days in (3, 4))
    booking = book(first, party_size=2)
    kept = (booking.currency, booking.total_minor)

    Organization.objects.filter(id=organization.id).update(currency="USD", other_currencies=["GBP"])
    Unit.objects.filter(activity=activity).update(price_minor=99_999)
    Activity.objects.filter(id=activity.id).update(currency="USD")

    found = Booking.objects.get(id=booking.id)
    line = found.lines.get()
    assert (found.currency, found.total_minor) == kept == ("EUR", 2000)
    assert (line.amount_minor, line.reservation.currency, line.quote[0]["amount_minor"]) == (2000, "EUR", 2000)
    with pytest.raises(InvalidRequest) as refused:
        changes.move_line(line_id=line.id, session_id=second.id, actor=CUSTOMER)
    assert refused.value.errors[0].code == "other_currency"
