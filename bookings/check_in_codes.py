"""What a booking's code at the door holds: its number, and a short proof that we have made it."""

from bookings.models import Booking
from config.kit.refusals import Refusal
from config.kit.tokens import is_valid_token, make_token

LETTERS = 16  # 96 bits of the signature: a small picture, and nobody guesses it


class UnknownCode(Refusal):
    """Not a code of ours, or one of before the booking changed hands."""

    code, title, status = "unknown_code", "This is not a code of a booking", 404


def check_in_code(booking: Booking) -> str:
    """Return `number.proof`. It opens the door's page to staff, and nothing to anybody else."""
    token = make_token(purpose="check_in", subject=booking.id, version=booking.token_version, letters=LETTERS)
    return f"{booking.number}.{token}"


def booking_of_code(code: str) -> Booking:
    """Return the booking that a code names, or raise UnknownCode."""
    number, _, token = code.strip().partition(".")
    booking = Booking.objects.filter(number=number.upper()).first()
    if booking is None or not is_valid_token(
        token, purpose="check_in", subject=booking.id, version=booking.token_version, letters=LETTERS
    ):
        raise UnknownCode("This code is not of a booking here, or it is of before the booking changed hands.")
    return booking
