"""Promo codes: who may use one, for what, how often; what becomes of it when the booking changes or is over."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from bookings.models import Booking, PromoCode, PromoUse
from bookings.orders import Contact, Terms, Wanted
from bookings.services import cancellation, changes, checkout, duplicates, party_changes, promo_codes
from bookings.services.promo_code_issue import end_promo_code
from bookings.services.validation import Order, Verdict, validate_booking
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import InvalidRequest, Refusal
from payments.methods import PaymentMethod
from payments.models import Payment
from scheduling.models import PriceRule, Session, Unit
from scheduling.services.assessing import Party
from tests.bookings.selling import make_code
from tests.factories import ANNA, CUSTOMER, STAFF, make_activity, make_extra, make_organization, make_session, stranger

pytestmark = pytest.mark.django_db

FAR = timedelta(days=5)
DAY = timedelta(days=1)
VENUE = Actor(kind=ActorKind.API_KEY, channel="api")


def far(session: Session | None = None, **overrides: Any) -> Session:
    activity = session.activity if session else make_activity()
    return make_session(activity, starts_in=FAR, **overrides)


def order(*sessions: Session, code: str = "SUMMER", contact: Contact = ANNA, people: int = 2) -> Order:
    lines = [Wanted(Party(session.id, people)) for session in sessions]
    terms = Terms(promo_code=code, confirm_duplicate=True)
    return Order(contact, terms, lines=lines, asked_by=ActorKind.CUSTOMER, look=duplicates.find_twins)


def book_with(*sessions: Session, code: str = "SUMMER", contact: Contact = ANNA, people: int = 2) -> Booking:
    asked = order(*sessions, code=code, contact=contact, people=people)
    return checkout.book_lines(lines=asked.lines, contact=contact, terms=asked.terms, actor=CUSTOMER)


def uses_of(code: str = "SUMMER") -> int:
    return PromoCode.objects.get(code=code).uses


def named(verdict: Verdict) -> list[tuple[str, str]]:
    return [(error.field, error.code) for error in verdict.errors]


# Whether it may be used -------------------------------------------------------------------------------------------


def not_made(session: Session) -> None:
    """Make none."""


def of_another_organization(session: Session) -> None:
    make_code(make_organization().id)


def of_tomorrow(session: Session) -> None:
    make_code(session.organization_id, starts_at=database_now() + DAY)


def of_yesterday(session: Session) -> None:
    make_code(session.organization_id, starts_at=database_now() - 2 * DAY, ends_at=database_now() - DAY)


def ended(session: Session) -> None:
    end_promo_code(promo_code_id=make_code(session.organization_id).id, actor=STAFF)


def used_up(session: Session) -> None:
    make_code(session.organization_id, most_uses=1)
    book_with(session, contact=stranger())


def used_by_anna(session: Session) -> None:
    make_code(session.organization_id, most_uses_each=1)
    book_with(session, contact=Contact("anna+club@example.org", "Anna"))


def used_twice_by_anna(session: Session) -> None:
    make_code(session.organization_id, most_uses_each=2)
    book_with(session)
    book_with(session)


def for_another_activity(session: Session) -> None:
    make_code(session.organization_id, (make_activity(session.activity.venue).id,))


def for_larger_bookings(session: Session) -> None:
    make_code(session.organization_id, minimum_minor=2001)


def in_euros(session: Session) -> None:
    session.organization.other_currencies = ["EUR"]
    session.organization.save()
    make_code(session.organization_id, amount_minor=500, currency="EUR")


REFUSED: Mapping[str, Callable[[Session], None]] = {
    "unknown_promo_code": not_made,
    "promo_code_not_yet": of_tomorrow,
    "promo_code_over": of_yesterday,
    "promo_code_used_up": used_up,
    "promo_code_used_by_you": used_by_anna,
    "promo_code_not_for_this": for_another_activity,
    "promo_code_below_minimum": for_larger_bookings,
    "promo_code_other_currency": in_euros,
}


@pytest.mark.parametrize(
    ("expected", "make"),
    [
        *REFUSED.items(),
        ("unknown_promo_code", of_another_organization),
        ("promo_code_over", ended),
        ("promo_code_used_by_you", used_twice_by_anna),
    ],
)
def test_a_code_is_refused_in_words_by_the_dry_run_and_by_the_booking_and_nothing_is_written(
    expected: str, make: Callable[[Session], None]
) -> None:
    session = far()
    make(session)
    before = (Booking.objects.count(), PromoUse.objects.count())

    verdict = validate_booking(order(session))
    assert named(verdict) == [("promo_code", expected)]
    assert (verdict.promo, verdict.total_minor, verdict.is_bookable) == (None, 2000, False)
    with pytest.raises(promo_codes.PromoCodeRefused) as refused:
        book_with(session)

    assert refused.value.code == expected
    assert "\N{POUND SIGN}20.01" in refused.value.detail or expected != "promo_code_below_minimum"
    assert (Booking.objects.count(), PromoUse.objects.count()) == before


def test_everything_that_stands_against_a_code_is_told_at_once_with_the_rest() -> None:
    session = far()
    make_code(session.organization_id, minimum_minor=9000, most_uses=1)
    PromoCode.objects.update(uses=1)
    asked = order(session)
    terms = Terms(promo_code="SUMMER", expected_total=1, payment_method="free")
    found = validate_booking(Order(asked.contact, terms, lines=asked.lines))
    assert named(found) == [
        ("promo_code", "promo_code_used_up"), ("promo_code", "promo_code_below_minimum"),
        ("expected_total", "total_differs"), ("payment_method", "not_free"),
    ]  # fmt: skip


@pytest.mark.parametrize("typed", ["SUMMER", "summer", " Sum mer "])
def test_a_code_is_known_however_it_is_typed_and_its_terms_reach_both_ends(typed: str) -> None:
    session = far()
    now = database_now()
    make_code(
        session.organization_id, (session.activity_id,), starts_at=now - DAY, ends_at=now + DAY, minimum_minor=2000,
        most_uses=1, most_uses_each=1,
    )  # fmt: skip
    booking = book_with(session, code=typed)
    use = PromoUse.objects.get(booking=booking)
    assert (booking.total_minor, booking.lines.get().discount_minor, booking.status) == (1800, 200, "confirmed")
    assert (use.code, use.percent, use.amount_minor, use.customer_id) == ("SUMMER", 10, 200, booking.customer_id)
    assert uses_of() == 1


def test_a_stranger_who_asks_for_a_dry_run_is_not_told_who_has_used_a_code() -> None:
    session = far()
    used_by_anna(session)
    asked = order(session)
    assert named(validate_booking(Order(asked.contact, asked.terms, lines=asked.lines))) == []


# How it goes with prices ------------------------------------------------------------------------------------------


def weekend(session: Session) -> None:
    PriceRule.objects.create(
        organization_id=session.organization_id, activity=session.activity, name="Early", amount_minor=200, position=1
    )


@pytest.mark.parametrize(
    ("terms", "rule", "extra", "session_price", "expected"),
    [
        # of two people, in minor units: the lines' amount, and what the code takes off
        ({"percent": 10}, False, False, None, (2000, 200)),
        ({"percent": 10}, True, False, None, (2400, 240)),  # on the moved price
        ({"percent": 10}, False, True, None, (2300, 230)),  # on extras, too
        ({"percent": 10}, True, True, None, (2700, 270)),
        ({"percent": 10}, True, True, 1500, (3700, 370)),  # a session's own price first, then the rule
        ({"amount_minor": 500}, True, True, None, (2700, 500)),
        ({"amount_minor": 9999}, False, False, None, (2000, 2000)),  # no more than it costs
        ({"percent": 100}, True, True, None, (2700, 2700)),
    ],
)
def test_a_code_comes_after_session_prices_dated_rules_and_extras(
    terms: dict[str, Any], rule: bool, extra: bool, session_price: int | None, expected: tuple[int, int]
) -> None:
    session = far(price_minor=session_price)
    make_code(session.organization_id, **terms)
    if rule:
        weekend(session)
    extras = ((make_extra(session.activity, price_minor=300).id, 1),) if extra else ()
    asked = Order(ANNA, Terms(promo_code="SUMMER"), lines=[Wanted(Party(session.id, 2, extras=extras))])
    verdict = validate_booking(asked)
    assert verdict.errors == []
    assert (verdict.lines[0].amount_minor, verdict.discounts, verdict.total_minor) == (
        expected[0], [expected[1]], expected[0] - expected[1],
    )  # fmt: skip


def test_a_code_for_one_activity_takes_nothing_off_another() -> None:
    session = far()
    other = make_session(make_activity(session.activity.venue), starts_in=FAR)
    make_code(session.organization_id, (session.activity_id,), amount_minor=5000)
    booking = book_with(session, other)
    discounts = dict(booking.lines.values_list("session", "discount_minor"))
    assert (discounts, booking.total_minor) == ({session.id: 2000, other.id: 0}, 2000)


def test_a_code_for_everything_is_a_free_booking_that_is_confirmed_without_money() -> None:
    session = far()
    make_code(session.organization_id, percent=100)
    booking = book_with(session)
    assert (booking.total_minor, booking.payment_method, booking.status) == (0, PaymentMethod.FREE, "confirmed")
    assert not Payment.objects.filter(reference=booking.id).exists()


# Changes ----------------------------------------------------------------------------------------------------------


def test_a_booking_keeps_its_price_and_a_move_is_priced_anew_with_its_code() -> None:
    session = far()
    later = far(session)
    promo = make_code(session.organization_id)
    booking = book_with(session)
    Unit.objects.filter(activity=session.activity).update(price_minor=1500)
    end_promo_code(promo_code_id=promo.id, actor=STAFF)

    found = Booking.objects.get(id=booking.id)
    line = found.lines.get()
    assert (found.total_minor, line.amount_minor, line.discount_minor) == (1800, 2000, 200)

    assert changes.preview_move(found, line.id, later.id, CUSTOMER).total_minor == 2700
    moved = changes.move_line(line_id=line.id, session_id=later.id, actor=CUSTOMER)
    line.refresh_from_db()
    assert (moved.total_minor, line.amount_minor, line.discount_minor) == (2700, 3000, 300)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        # total, and the line's discount, with three people at 10.00, and with one
        ({"percent": 15}, ((2550, 450), (850, 150))),
        ({"amount_minor": 1500}, ((1500, 1500), (0, 1000))),
    ],
)
def test_a_changed_party_keeps_percent_or_its_share(
    terms: dict[str, Any], expected: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    session = far()
    make_code(session.organization_id, **terms)
    booking = book_with(session, people=2)
    line = booking.lines.get()
    for people, (total, off) in zip((3, 1), expected, strict=True):
        shown = party_changes.preview_party(Booking.objects.get(id=booking.id), line.id, CUSTOMER, party_size=people)
        after = party_changes.change_party(line_id=line.id, party_size=people, actor=CUSTOMER)
        line.refresh_from_db()
        assert (after.total_minor, line.discount_minor, shown.total_minor) == (total, off, total)


def test_what_is_kept_of_a_cancelled_line_is_a_share_of_what_it_cost_and_takes_its_discount_along() -> None:
    session = far()
    second = far(session)
    session.activity.cancel_fee_percent = 50
    session.activity.save()
    make_code(session.organization_id, amount_minor=1000)
    booking = book_with(session, second)
    line = booking.lines.get(session=session)
    assert booking.total_minor == 3000

    after = cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER, lines=[line.id])
    line.refresh_from_db()
    assert (line.fee_minor, after.total_minor) == (750, 2250)  # half of 1500; the other line still costs 1500


def test_a_cancelled_booking_gives_its_use_back_once() -> None:
    session = far()
    make_code(session.organization_id, most_uses=1, most_uses_each=1)
    booking = book_with(session)
    for _ in range(2):
        cancellation.cancel_booking(booking_id=booking.id, actor=CUSTOMER)
    assert uses_of() == 0
    assert book_with(session).total_minor == 1800
    assert uses_of() == 1


def test_a_booking_that_lives_after_all_counts_again_as_long_as_a_use_is_left() -> None:
    session = far()
    make_code(session.organization_id, most_uses=1)
    booking = book_with(session)
    promo_codes.release_promo_use(booking)
    promo_codes.renew_promo_use(booking)
    assert (uses_of(), PromoUse.objects.get(booking=booking).released_at) == (1, None)

    promo_codes.release_promo_use(booking)
    book_with(session, contact=stranger())
    promo_codes.renew_promo_use(booking)
    assert uses_of() == 1
    assert PromoUse.objects.get(booking=booking).released_at is not None


def test_the_fact_of_a_booking_says_what_the_code_took_off() -> None:
    session = far()
    make_code(session.organization_id)
    facts = book_with(session).events.filter(kind="booking_confirmed")
    assert [each["discount_minor"] for each in facts.get().after["lines"]] == [200]


# The venue's side -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"code": "A B"}, [("code", "code_form")]),
        ({"code": "TEN%"}, [("code", "code_form")]),
        ({"percent": None}, [("percent", "one_of_both")]),
        ({"amount_minor": 100, "percent": 10}, [("percent", "one_of_both")]),
        ({"percent": 101}, [("percent", "percent_range")]),
        ({"amount_minor": 0}, [("amount_minor", "not_positive")]),
        ({"currency": "EUR"}, [("currency", "currency_not_accepted")]),
        ({"most_uses": 0, "most_uses_each": 0}, [("most_uses", "not_positive"), ("most_uses_each", "not_positive")]),
    ],
)
def test_a_code_that_could_not_work_is_not_made(terms: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    organization = make_organization()
    with pytest.raises(InvalidRequest) as refused:
        make_code(organization.id, **terms)
    assert [(error.field, error.code) for error in refused.value.errors] == expected
    assert not PromoCode.objects.exists()


def test_a_code_is_in_use_once_and_free_again_when_it_was_ended() -> None:
    organization = make_organization()
    first = make_code(organization.id)
    with pytest.raises(InvalidRequest, match="already"):
        make_code(organization.id, code="summer")
    make_code(make_organization().id)
    assert (
        end_promo_code(promo_code_id=first.id, actor=STAFF).ended_at
        == end_promo_code(promo_code_id=first.id, actor=STAFF).ended_at
    )
    assert make_code(organization.id).id != first.id


def test_a_code_is_made_for_ones_own_activities_alone() -> None:
    organization, other = make_organization(), make_activity()
    with pytest.raises(InvalidRequest) as refused:
        make_code(organization.id, (other.id,))
    assert refused.value.errors[0].code == "unknown_activity"


def test_each_refusal_of_a_code_names_its_field() -> None:
    kinds = promo_codes.PromoCodeRefused.__subclasses__()
    assert {kind.code for kind in kinds} == set(REFUSED)
    assert all(isinstance(kind(), Refusal) and kind().errors[0].field == "promo_code" for kind in kinds)
