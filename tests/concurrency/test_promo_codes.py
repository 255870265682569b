"""Eight customers race for the last use of a code: one gets it, by one conditional statement."""

import threading
from functools import partial
from typing import Any

import pytest
from django.db.models import F, Q, QuerySet
from django.db.transaction import TransactionManagementError

from bookings.models import Booking, PromoCode, PromoUse
from bookings.orders import Contact, Terms, Wanted
from bookings.services import checkout, promo_codes
from scheduling.models import Session
from scheduling.services.assessing import Party
from tests.bookings.selling import make_code
from tests.concurrency.races import places_of, race, tally
from tests.factories import CUSTOMER, make_activity, make_session, stranger

pytestmark = pytest.mark.usefixtures("committed_db")


def sessions_with_a_code(
    number: int, *, most_uses: int | None = None, most_uses_each: int | None = None
) -> list[Session]:
    """Return sessions of one activity, so that no session's lock lines the buyers up, and a code for them."""
    activity = make_activity()
    make_code(activity.organization_id, most_uses=most_uses, most_uses_each=most_uses_each)
    return [make_session(activity, capacity=50) for _ in range(number)]


def buy(session: Session, contact: Contact) -> Booking:
    lines, terms = [Wanted(Party(session.id, 1))], Terms(promo_code="SUMMER", confirm_duplicate=True)
    return checkout.book_lines(lines=lines, contact=contact, terms=terms, actor=CUSTOMER)


def ways_to_write_one() -> list[Contact]:
    """Return eight addresses that are one mailbox, and eight customers: no customer's row lines the buyers up."""
    anna = stranger()
    return [Contact(anna.email.replace("@", f"+{number}@"), anna.name) for number in range(8)]


def counted() -> tuple[int, int]:
    """Return what the code's row says, and what its uses add up to."""
    return PromoCode.objects.get().uses, PromoUse.objects.filter(released_at=None).count()


def booked(sessions: list[Session]) -> int:
    return sum(places_of(session).booked for session in sessions)


def test_one_of_eight_racing_customers_gets_the_last_use_and_the_others_take_nothing() -> None:
    sessions = sessions_with_a_code(8, most_uses=3)
    for session in sessions[:2]:
        buy(session, stranger())

    outcomes = race([partial(buy, session, stranger()) for session in sessions])

    assert tally(outcomes) == {"Booking": 1, "PromoCodeUsedUp": 7}
    assert (counted(), booked(sessions)) == ((3, 3), 3)


def test_one_of_eight_bookings_of_one_customer_gets_a_code_that_is_for_each_once() -> None:
    sessions = sessions_with_a_code(8, most_uses_each=1)

    outcomes = race([partial(buy, *each) for each in zip(sessions, ways_to_write_one(), strict=True)])

    assert tally(outcomes) == {"Booking": 1, "PromoCodeUsedByYou": 7}
    assert (counted(), booked(sessions)) == ((1, 1), 1)


@pytest.mark.usefixtures("no_look")
def test_the_database_refuses_the_other_seven_when_the_condition_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = sessions_with_a_code(8, most_uses=1)
    monkeypatch.setattr(promo_codes, "_count_use", count_without_looking)

    outcomes = race([partial(buy, session, stranger()) for session in sessions])

    assert tally(outcomes) == {"Booking": 1, "IntegrityError": 7}
    assert (counted(), booked(sessions)) == ((1, 1), 1)


@pytest.mark.usefixtures("no_look")
def test_one_customer_uses_a_code_eight_times_when_its_row_is_not_locked_before_the_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sessions, all_there = sessions_with_a_code(8, most_uses_each=1), threading.Barrier(8, timeout=20)
    look = promo_codes._is_used_by

    def look_together(*asked: Any) -> bool:  # whoever is slow would see what the first one has committed
        is_used = look(*asked)
        all_there.wait()
        return is_used

    monkeypatch.setattr(promo_codes, "_count_use", lambda _: True)
    monkeypatch.setattr(promo_codes, "_is_used_by", look_together)

    outcomes = race([partial(buy, *each) for each in zip(sessions, ways_to_write_one(), strict=True)])

    assert tally(outcomes) == {"Booking": 8}


@pytest.fixture
def no_look(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the look at a code's uses away that comes before the locks are all there."""
    monkeypatch.setattr(promo_codes, "faults_of_use", lambda *_, **__: iter(()))


def count_without_looking(promo_id: object) -> bool:
    """Add a use whether one is left or not."""
    rows: QuerySet[PromoCode] = PromoCode.objects.filter(Q(id=promo_id))
    return bool(rows.update(uses=F("uses") + 1))


def test_a_use_is_never_counted_outside_a_transaction() -> None:
    session = sessions_with_a_code(1)[0]
    booking, promo = buy(session, stranger()), PromoCode.objects.get()
    with pytest.raises(TransactionManagementError):
        promo_codes.take_promo_use(promo, booking, amount_minor=1)
    with pytest.raises(TransactionManagementError):
        promo_codes.release_promo_use(booking)
    with pytest.raises(TransactionManagementError):
        promo_codes.renew_promo_use(booking)
    assert counted() == (1, 1)
