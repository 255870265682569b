"""Codes are not guessed: so many wrong ones of a network, and no code is looked up for a while."""

from collections import Counter
from functools import partial
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django.fixtures import Settings

from bookings import code_guesses
from bookings.models import Booking
from config.kit import counting
from config.tenants.models import ApiKey
from payments.models import Voucher
from scheduling.models import Session
from tests.bookings.selling import make_code
from tests.concurrency.races import race
from tests.factories import make_session, make_voucher
from tests.pages.test_booking_pages import contact, hold_on_page, text

pytestmark = pytest.mark.usefixtures("committed_db", "limited")
OTHER = "198.51.100.7"
MOST = code_guesses.MOST_WRONG


@pytest.fixture
def limited(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the limits on, with nothing counted yet."""
    settings.LIMITS = True
    monkeypatch.setattr(counting.Away, "until", 0.0)
    cache.clear()


@pytest.fixture
def session() -> Session:
    session = make_session(capacity=200)
    make_code(session.organization_id)
    return session


@pytest.fixture
def voucher(session: Session) -> Voucher:
    return make_voucher(session.organization, 500)


def ask(session: Session, *, dry: bool = True, address: str = "203.0.113.7", key: str = "", **codes: str) -> Any:
    """Try codes by the API: in a dry run, or in earnest."""
    body = {
        "customer": {"email": "anna@example.org", "name": "Anna"}, "confirm_duplicate": True,
        "lines": [{"session": str(session.id), "party_size": 1}], "payment_method": "pay_on_arrival", **codes,
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    path = f"/api/v1/bookings{'/validate' if dry else ''}"
    return Client(REMOTE_ADDR=address).post(path, body, content_type="application/json", headers=headers)


def guess(session: Session, times: int, *, prefix: str = "GUESS", **how: Any) -> set[int]:
    return {ask(session, promo_code=f"{prefix}{number}", **how).status_code for number in range(times)}


def test_after_so_many_wrong_codes_a_network_is_told_to_wait_and_learns_nothing_more(session: Session) -> None:
    assert guess(session, MOST) == {200}
    refused = [ask(session, promo_code="SUMMER", dry=dry, address="203.0.113.99") for dry in (True, False)]
    assert [(each.status_code, each.json()["code"]) for each in refused] == [(429, "too_many_codes")] * 2
    waits = {int(each["Retry-After"]) for each in refused}
    assert max(waits) <= 600
    assert min(waits) > 0
    assert not Booking.objects.exists()
    assert ask(session, promo_code="SUMMER", dry=False, address=OTHER).status_code == 201  # another network
    assert ask(session, dry=False).status_code == 201  # without a code


def test_without_the_count_a_code_is_found_by_trying(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_guesses, "COUNT", "return false")
    assert guess(session, 2 * MOST) == {200}
    assert ask(session, promo_code="SUMMER").json()["discount"]["amount_minor"] == 100


def test_vouchers_are_counted_with_promo_codes_and_bookings_with_dry_runs(session: Session) -> None:
    both = [ask(session, dry=False, promo_code="GUESS", voucher="ABCD").status_code for _ in range(MOST // 2)]
    assert set(both) == {409}
    assert ask(session, voucher="ABCD").status_code == 429


def test_right_codes_are_no_guesses_however_many(session: Session, voucher: Voucher) -> None:
    answers = [ask(session, promo_code="summer", voucher=voucher.code).status_code for _ in range(MOST)]
    assert set(answers) == {200}
    assert guess(session, MOST) == {200}
    assert guess(session, 1) == {429}


def test_what_was_refused_for_another_reason_is_no_guess(session: Session) -> None:
    Session.objects.filter(id=session.id).update(capacity_total=0)
    answers = [ask(session, dry=False, promo_code="SUMMER").status_code for _ in range(MOST + 1)]
    assert set(answers) == {409}


def test_many_at_once_get_no_further_than_one_after_another(session: Session) -> None:
    tries = [partial(guess, session, 1, prefix=f"AT-ONCE-{number}-") for number in range(2 * MOST)]
    answers = race(tries, at_once=8)
    assert Counter(map(str, answers)) == {"{200}": MOST, "{429}": MOST}
    assert ask(session, promo_code="SUMMER").status_code == 429


def test_programs_are_exempt_and_off_means_off(session: Session, settings: Settings) -> None:
    _, key = ApiKey.issue(organization_id=session.organization_id, name="till", scopes=[])
    assert guess(session, MOST + 1, key=key) == {200}
    settings.LIMITS = False
    assert guess(session, MOST + 1) == {200}


def test_with_redis_away_everybody_is_let_in(session: Session, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert guess(session, MOST + 1) == {200}
    assert counting.Away.until > 0


def test_the_checkout_says_it_in_words_and_books_without_a_code(session: Session, client: Client) -> None:
    here = str(hold_on_page(client, session, Adult=1)["Location"])
    wrong = {"act": "apply", **contact()}
    answers = [client.post(here, {**wrong, "promo_code": f"GUESS{number}"}) for number in range(MOST)]
    assert {each.status_code for each in answers} == {422}
    refused = client.post(here, {**wrong, "promo_code": "SUMMER"})
    assert (refused.status_code, int(refused["Retry-After"]) > 0) == (429, True)
    assert "Book without a code, or try again in 10 minutes." in text(refused)
    assert "SUMMER" not in refused.content.decode()
    client.post(here, contact())
    assert Booking.objects.get().total_minor == 1000
