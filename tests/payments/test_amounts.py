"""Our minor units and Stripe's."""

import pytest

from config.kit.refusals import InvalidRequest
from payments.providers.amounts import LARGEST, from_stripe, to_stripe


@pytest.mark.parametrize(
    ("minor", "currency", "stripes"),
    [
        (4500, "GBP", 4500), (4500, "EUR", 4500), (4500, "JPY", 4500), (4500, "ISK", 450000), (4500, "UGX", 450000),
        (4500, "KWD", 4500), (4510, "BHD", 4510), (4500, "HUF", 4500), (4500, "TWD", 4500), (4500, "RSD", 4500),
        (4500, "MGA", 45), (1, "GBP", 1), (LARGEST, "GBP", LARGEST),
    ],
)  # fmt: skip
def test_an_amount_is_the_same_there_and_back(minor: int, currency: str, stripes: int) -> None:
    assert to_stripe(minor, currency) == stripes
    assert from_stripe(stripes, currency) == minor


@pytest.mark.parametrize(("minor", "currency"), [(4501, "KWD"), (4501, "MGA"), (LARGEST + 1, "GBP"), (10**6, "ISK")])
def test_what_stripe_cannot_charge_is_refused_at_its_field(minor: int, currency: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        to_stripe(minor, currency)
    assert [(error.field, error.code) for error in refused.value.errors] == [("amount_minor", "not_chargeable")]


@pytest.mark.parametrize(("currency", "step"), [("KWD", "0.01"), ("MGA", "1")])
def test_who_is_refused_a_fraction_hears_which_steps_there_are(currency: str, step: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"Cards take {currency} in steps of {step}\."):
        to_stripe(4501, currency)


def test_a_fraction_that_we_do_not_count_is_never_taken_for_what_was_asked() -> None:
    assert from_stripe(450050, "ISK") == 4501
