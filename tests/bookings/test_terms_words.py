"""The terms in words: what a customer reads before booking is what is kept afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from bookings.policies import Situation, Terms
from bookings.services.cancellation import cancel_booking
from bookings.terms_words import terms_in_words
from scheduling.models import Activity
from tests.factories import CUSTOMER, book, make_activity, make_session
from tests.pages.test_booking_pages import hold_on_page, text

STARTS = datetime(2026, 12, 8, 10, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
CHANGES = "The time and how many come can be changed until Monday 7 December, 10:00."
SAID = "all of the price goes back. After that, 30 % of the price is kept."
HAND_OVER = "You can hand it over to somebody else."
UNTIL = "You can cancel until Monday 7 December, 10:00;"


def words(*, hours_before: float = 72, price_minor: int = 1000, **terms: Any) -> str:
    now = STARTS - timedelta(hours=hours_before)
    situation = Situation(Terms(**terms), STARTS, STARTS + timedelta(hours=1), now)
    return terms_in_words(situation, zone=LONDON, currency="GBP", price_minor=price_minor)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ({}, f"{UNTIL} all of the price goes back. After that, nothing of the price goes back."),
        (
            {"cancel_fee_percent": 20, "late_cancel_fee_percent": 50},
            f"{UNTIL} 20 % of the price is kept. After that, 50 % of the price is kept.",
        ),
        ({"late_cancel_fee_percent": 0}, "You can cancel until it begins; all of the price goes back."),
        ({"hours_before": 23}, "You can cancel until it begins; nothing of the price goes back."),
        ({"price_minor": 0}, "You can cancel until it begins."),
        ({"may_cancel": False}, "It cannot be cancelled once it is booked."),
    ],
)
def test_what_cancelling_costs_is_said_with_the_day_and_the_hour(case: dict[str, Any], said: str) -> None:
    assert words(**case).startswith(f"{said} ")


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ({}, f"{CHANGES} {HAND_OVER}"),
        ({"may_transfer": False}, CHANGES),
        ({"change_fee_minor": 300}, f"{CHANGES[:-1]}; another time costs £3.00. {HAND_OVER}"),
        ({"hours_before": 23}, f"The time and how many come cannot be changed. {HAND_OVER}"),
        ({"may_change": False, "may_transfer": False}, "The time and how many come cannot be changed."),
    ],
)
def test_until_when_it_can_be_changed_is_said(case: dict[str, Any], said: str) -> None:
    assert words(**case).endswith(f" {said}")


@pytest.mark.django_db
def test_the_checkout_says_the_terms_and_the_booking_keeps_them_when_the_activity_has_others(client: Client) -> None:
    activity = make_activity(price_minor=1000, cancel_fee_percent=0, late_cancel_fee_percent=30)
    session = make_session(activity, starts_in=timedelta(days=3))
    assert SAID in text(client.get(hold_on_page(client, session, Adult=1)["Location"]))
    booking = book(make_session(activity, starts_in=timedelta(days=4)))
    Activity.objects.filter(id=activity.id).update(cancel_fee_percent=90, late_cancel_fee_percent=90)
    shown = text(client.get(f"/bookings/{booking.number}.{booking.token}/", follow=True))
    assert SAID in shown
    assert cancel_booking(booking_id=booking.id, actor=CUSTOMER).total_minor == 0
