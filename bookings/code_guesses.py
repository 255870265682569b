"""Against guessing: how many promo codes and vouchers that do not exist one network may try.

Each code is counted before it is looked up, and what was no guess is taken back afterwards: so whoever asks a thousand
at once gets no further than whoever asks one after another. Programs with a key and staff are exempt.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil

from django.conf import settings
from django.http import HttpRequest

from bookings.services.promo_codes import UnknownPromoCode
from config.kit.counting import ask_counts, wait_in_words
from config.kit.refusals import FieldError, Refusal
from config.kit.tokens import keyed_digest
from payments.services.vouchers import UnknownVoucher
from scheduling.limits import visitor_of

WRONG = frozenset({UnknownPromoCode.code, UnknownVoucher.code})
MOST_WRONG, COUNTED_MS = 20, 10 * 60_000


class TooManyCodes(Refusal):
    """So many wrong ones came from this network that no code is looked up for a while."""

    code, title, status = "too_many_codes", "Too many wrong codes were tried", 429


@dataclass(slots=True)
class Guesses:
    """What became of the codes that somebody typed."""

    wrong: int = 0

    def tell(self, errors: Iterable[FieldError]) -> None:
        """Count those that nobody has ever made."""
        self.wrong = sum(error.code in WRONG for error in errors)


@contextmanager
def counted_guesses(request: HttpRequest, *codes: str, is_exempt: bool = False) -> Iterator[Guesses]:
    """Let these codes be looked up in the body, which tells what was wrong or raises it; empty ones are none.

    Refuses with TooManyCodes, before anything is looked up, when this network has tried too many.
    """
    guesses, network = Guesses(), visitor_of(request).network
    asked = sum(bool(code.strip()) for code in codes)
    if not asked or not network or is_exempt or not settings.LIMITS:
        yield guesses
        return
    key = f"codes:{keyed_digest(network, purpose='codes')[:32]}"
    _count(key, asked)
    try:
        yield guesses
    except Refusal as refusal:
        guesses.tell(refusal.errors)
        raise
    finally:
        ask_counts(TAKE_BACK, [key], [asked - guesses.wrong])


def _count(key: str, asked: int) -> None:
    wait_ms = ask_counts(COUNT, [key], [asked, MOST_WRONG, COUNTED_MS])
    if wait_ms:
        seconds = max(ceil(int(wait_ms) / 1000), 1)
        raise TooManyCodes(
            "Too many codes that we do not know were tried from your network. Book without a code, or try again in"
            f" {wait_in_words(seconds)}.",
            extra={"retry_after_seconds": seconds},
        )


COUNT = """
local there, asked = tonumber(redis.call('GET', KEYS[1]) or '0'), tonumber(ARGV[1])
if there + asked > tonumber(ARGV[2]) then return redis.call('PTTL', KEYS[1]) end
redis.call('INCRBY', KEYS[1], asked)
if there == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return false
"""
TAKE_BACK = """
if tonumber(ARGV[1]) > 0 and redis.call('EXISTS', KEYS[1]) == 1 then redis.call('DECRBY', KEYS[1], ARGV[1]) end
return false
"""
