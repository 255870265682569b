"""The report on cancellations, against figures counted by hand."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from bookings.models import Booking, BookingEvent
from bookings.reports import ACTORS, BANDS, CancellationReport, Figures, report_cancellations
from bookings.services.cancellation import cancel_booking
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.tenants.models import Organization
from scheduling.models import Activity, Session
from tests.factories import CUSTOMER, book, make_activity, make_organization, make_session, make_venue, stranger

pytestmark = pytest.mark.django_db

DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "called us"})
PROGRAM = Actor(kind=ActorKind.API_KEY, channel="api")
POLICY = Actor(kind=ActorKind.POLICY, channel="system")
TERMS: dict[str, Any] = {"cancel_fee_percent": 10, "late_cancel_fee_percent": 50}
DAY = timedelta(days=1)
NOTHING = dict.fromkeys(BANDS, (0, 0, 0))


def around_today() -> dict[str, date]:
    """Return days in which everything lies that a test does, whichever zone its venue is in."""
    today = database_now().date()
    return {"since": today - 2 * DAY, "until": today + 2 * DAY}


def report(organization: Organization) -> CancellationReport:
    return report_cancellations(organization_id=organization.id, **around_today())


def told(parts: Sequence[Figures]) -> dict[str, tuple[int, int, int]]:
    """Return lines, places and money given up, by label."""
    return {part.label: (part.lines, part.places, part.given_up_minor.get("GBP", 0)) for part in parts}


def booked(activity: Activity, *, ahead: timedelta, people: int = 1) -> Booking:
    session = make_session(activity, starts_in=ahead + timedelta(minutes=5))  # so that no second is lost to a band
    return book(session, party_size=people, contact=stranger())


def test_cancelled_lines_are_counted_by_lead_time_actor_reason_and_activity() -> None:
    venue = make_venue()
    archery, rowing = (make_activity(venue, name=name, **TERMS) for name in ("Archery", "Rowing"))
    hour = timedelta(hours=1)
    acts = [  # activity, how long before, people, who, why
        (archery, timedelta(minutes=20), 2, DESK, "weather"),  # 20.00, half is kept: 10.00 given up
        (archery, 5 * hour, 1, CUSTOMER, ""),  # 10.00, half is kept: 5.00
        (archery, 2 * DAY, 3, CUSTOMER, ""),  # 30.00, a tenth is kept: 27.00
        (rowing, 4 * DAY, 1, PROGRAM, "weather"),  # 10.00, a tenth is kept: 9.00
        (rowing, 9 * DAY, 4, POLICY, "too_few"),  # 40.00, a tenth is kept: 36.00
        (rowing, 8 * DAY, 1, DESK, "weather"),  # 10.00, a tenth is kept: 9.00
    ]
    for activity, ahead, people, actor, reason in acts:
        booking = booked(activity, ahead=ahead, people=people)
        cancel_booking(booking_id=booking.id, actor=actor, reason_code=reason)
    for _ in range(2):
        booked(archery, ahead=DAY)

    found = report(venue.organization)

    assert told([found.total]) == {"All": (6, 12, 9600)}
    assert told(found.by_lead) == {
        "Less than 1 hour": (1, 2, 1000), "1 to 24 hours": (1, 1, 500), "1 to 3 days": (1, 3, 2700),
        "3 to 7 days": (1, 1, 900), "7 days or more": (2, 5, 4500),
    }  # fmt: skip
    assert told(found.by_actor) == {
        "Customer": (2, 4, 3200), "Staff": (2, 3, 1900), "Policy": (1, 4, 3600), "Program with a key": (1, 1, 900),
    }  # fmt: skip
    assert list(told(found.by_reason).items()) == [
        ("weather", (3, 4, 2800)), ("No code", (2, 4, 3200)), ("too_few", (1, 4, 3600)),
    ]  # fmt: skip
    assert told(found.by_activity) == {"Archery, Hall": (3, 6, 4200), "Rowing, Hall": (3, 6, 5400)}
    assert (found.booked_lines, found.percent(found.total), found.percent(found.by_lead[0])) == (8, 75.0, 12.5)


def test_a_line_of_a_booking_that_goes_on_counts_and_a_whole_booking_counts_by_its_lines() -> None:
    activity = make_activity(**TERMS)
    sessions = [make_session(activity, starts_in=days * DAY + timedelta(minutes=5)) for days in (2, 4, 9)]
    partly, whole = (book(*sessions, contact=stranger()) for _ in range(2))
    cancel_booking(booking_id=partly.id, actor=CUSTOMER, lines=[partly.lines.get(session=sessions[2]).id])
    cancel_booking(booking_id=whole.id, actor=CUSTOMER)
    cancel_booking(booking_id=whole.id, actor=CUSTOMER)

    found = report(activity.organization)

    wanted = {"1 to 3 days": (1, 1, 900), "3 to 7 days": (1, 1, 900), "7 days or more": (2, 2, 1800)}
    assert told(found.by_lead) == NOTHING | wanted
    assert (found.booked_lines, found.total.lines) == (6, 4)


def test_sums_of_two_currencies_stay_apart() -> None:
    venue = make_venue(make_organization(other_currencies=["EUR"]))
    for currency in ("GBP", "EUR"):
        booking = booked(make_activity(venue, currency=currency), ahead=3 * DAY)
        cancel_booking(booking_id=booking.id, actor=CUSTOMER)
    total = report(venue.organization).total
    assert (total.lines, total.given_up_minor) == (2, {"EUR": 1000, "GBP": 1000})


def test_another_organizations_cancellations_and_bookings_are_not_counted() -> None:
    own, foreign = make_activity(), make_activity()
    for activity in (own, foreign, foreign):
        cancel_booking(booking_id=booked(activity, ahead=3 * DAY).id, actor=CUSTOMER)
    found = report(own.organization)
    assert (found.total.lines, found.booked_lines, list(told(found.by_activity))) == (1, 1, [f"{own.name}, Hall"])


def test_a_day_is_one_of_the_venues_own_clock() -> None:
    organization = make_organization()
    zones = ("Pacific/Kiritimati", "Pacific/Pago_Pago")  # 25 hours apart: never the same date
    dates = {}
    for zone in zones:
        venue = make_venue(organization, timezone=zone)
        booking = booked(make_activity(venue), ahead=3 * DAY)
        cancel_booking(booking_id=booking.id, actor=CUSTOMER)
        dates[zone] = booking.events.latest("seq").at.astimezone(venue.zone).date()
    for zone, other in (zones, reversed(zones)):
        found = report_cancellations(organization_id=organization.id, since=dates[zone], until=dates[zone])
        assert (found.total.lines, found.booked_lines) == (1, 1), (zone, other)
    both = report_cancellations(organization_id=organization.id, since=dates[zones[1]], until=dates[zones[0]])
    assert (both.total.lines, both.booked_lines) == (2, 2)


def test_days_in_which_nothing_happened_have_every_band_and_no_share() -> None:
    organization = make_activity().organization
    found = report(organization)
    assert (found.booked_lines, found.percent(found.total), found.by_reason, found.by_activity) == (0, None, [], [])
    assert (told(found.by_lead), told(found.by_actor)) == (NOTHING, dict.fromkeys(ACTORS.values(), (0, 0, 0)))


@pytest.mark.parametrize(("status", "counted"), [("pending", 0), ("confirmed", 1)])
def test_what_was_never_confirmed_is_no_cancellation_of_a_booking(status: str, counted: int) -> None:
    booking = booked(make_activity(), ahead=3 * DAY)
    BookingEvent.objects.create(
        organization_id=booking.organization_id, booking=booking, kind="line_cancelled", to_status=status,
        actor_kind="customer", channel="web", seq=0, at=database_now(), before={"amount_minor": 1000},
        after={"session": str(Session.objects.get().id), "places": 1, "fee_minor": 0},
    )  # fmt: skip
    assert report(booking.organization).total.lines == counted


def test_the_report_is_one_statement_however_much_there_is(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    activity = make_activity()
    days = around_today()
    for _ in range(3):
        cancel_booking(booking_id=booked(activity, ahead=3 * DAY).id, actor=CUSTOMER)
    with django_assert_num_queries(1):
        found = report_cancellations(organization_id=activity.organization_id, **days)
    assert found.total.lines == 3
