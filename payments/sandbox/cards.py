"""The test cards: what each number does. A number is looked up and forgotten; it is never written down anywhere."""

from dataclasses import dataclass, replace

from .errors import Problem

BRANDS = {"2": "mastercard", "3": "amex", "4": "visa", "5": "mastercard"}


@dataclass(frozen=True)
class Card:
    """A test card. `name` is what the bank keeps of it, with its brand and last four digits."""

    name: str
    says: str  # on the payment page's button
    decline: str = ""  # the error's code; a decline's reason behind a colon
    words: str = ""  # what the cardholder reads
    challenge: bool = False  # the cardholder's bank asks first
    late: str = ""  # "succeeds" or "fails", some seconds after the session is complete
    refunds: str = ""  # "fail" or "wait"
    disputed: str = ""  # the reason
    brand: str = ""
    last4: str = ""


CARDS = {
    "4242424242424242": Card("succeeds", "succeeds"),
    "5555555555554444": Card("succeeds_mastercard", "succeeds, Mastercard"),
    "378282246310005": Card("succeeds_amex", "succeeds, American Express"),
    "4000000000000002": Card("declined", "is declined", "card_declined:generic_decline", "Your card was declined."),
    "4000000000009995": Card(
        "no_funds",
        "has too little money",
        "card_declined:insufficient_funds",
        "Your card has insufficient funds. Try a different card.",
    ),
    "4000000000000069": Card("expired", "has expired", "expired_card", "Your card has expired. Try a different card."),
    "4000000000000127": Card(
        "wrong_cvc", "has another CVC", "incorrect_cvc", "Your card's security code is incorrect."
    ),
    "4000000000000119": Card(
        "error", "cannot be processed", "processing_error", "An error occurred while processing your card. Try again."
    ),
    "4000002500003155": Card("challenge", "asks you to approve", challenge=True),
    "4000000000100018": Card("late", "is paid some seconds later", late="succeeds"),
    "4000000000100026": Card("late_fails", "fails some seconds later", late="fails"),
    "4000000000000259": Card("disputed", "is paid, then disputed", disputed="fraudulent"),
    "4000000000002685": Card("disputed_missing", "is paid, then “not received”", disputed="product_not_received"),
    "4000000000005126": Card("refunds_fail", "is paid; refunds fail later", refunds="fail"),
    "4000000000007726": Card("refunds_wait", "is paid; refunds take a while", refunds="wait"),
}


def look_up(typed: str) -> Card:
    """Return the test card with a number; any other number is refused as the payment page would."""
    number = "".join(each for each in typed if each not in " -")
    if not number.isascii() or not number.isdigit() or not is_plausible(number) or number not in CARDS:
        raise Problem(
            "Your card number is invalid. Only the test cards below work here.",
            status=402,
            kind="card_error",
            code="incorrect_number",
            param="number",
        )
    return replace(CARDS[number], brand=BRANDS[number[0]], last4=number[-4:])


def named(name: str, last4: str) -> Card:
    """Return the card that was kept by its name."""
    number = next(each for each, card in CARDS.items() if card.name == name and each.endswith(last4))
    return look_up(number)


def is_plausible(number: str) -> bool:
    """Return whether the digits add up (Luhn's sum)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0  # noqa: PLR2004 the two digits' sum
