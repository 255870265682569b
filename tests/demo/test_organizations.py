"""The demo: four organizations drawn from the source documents, and what is to be seen of them."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce
from django.test import Client

from bookings.models import Booking, BookingEvent, LineParticipant
from config.demo.credentials import STAFF_EMAIL, STAFF_PASSWORD
from config.kit.clock import database_now
from config.tenants.models import Membership, Organization, User
from scheduling.availability import judge, with_availability
from scheduling.models import Activity, Reservation, ScheduleVersion, Session, Unit, Venue
from scheduling.schedule_rules import parse_rules
from tests.demo.conftest import SLUGS, run_demo

# Document 004, "Schedule Configuration", with the days behind its "…" written out.
DOCUMENT_004 = {
    "operatingDays": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "startTime": "09:00",
    "endTime": "22:00",
    "slotInterval": 60,
    "customHours": {"Saturday": {"enabled": True, "startTime": "10:00", "endTime": "23:00"}},
}
SLOTS_A_DAY = 13  # of document 004, Saturdays too

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("demo_output")]


@pytest.fixture
def laser_tag() -> Activity:
    """Return the activity that runs by document 004's timetable."""
    return Activity.objects.select_related("venue").get(slug="laser-tag")


def test_four_organizations_in_four_zones() -> None:
    assert set(Organization.objects.values_list("slug", flat=True)) == SLUGS
    zones = dict(Venue.objects.values_list("organization__slug", "timezone"))
    assert zones == {
        "lantern-yard": "Australia/Sydney",
        "beacon-first-aid": "Europe/London",
        "silberhorn-ski-school": "Europe/Zurich",
        "riverside-arena": "America/New_York",
    }


def test_every_venue_has_an_embed_key_and_an_origin_that_may_embed_it() -> None:
    for venue in Venue.objects.select_related("organization"):
        assert f"https://www.{venue.organization.slug}.example" in venue.allowed_embed_origins
        assert len(venue.embed_key) == 32


def test_the_activity_venue_runs_by_the_timetable_of_document_004(laser_tag: Activity) -> None:
    version = ScheduleVersion.objects.get(activity=laser_tag)
    assert version.rules == {**DOCUMENT_004, "duration": 60}  # the default, written out when it was published
    assert version.parsed() == parse_rules(DOCUMENT_004)


def test_thirty_days_of_document_004_are_390_sessions(laser_tag: Activity) -> None:
    zone = ZoneInfo("Australia/Sydney")
    first = ScheduleVersion.objects.get(activity=laser_tag).effective_from
    start = datetime.combine(first, time(), tzinfo=zone)
    end = datetime.combine(first + timedelta(days=30), time(), tzinfo=zone)
    sessions = list(laser_tag.sessions.filter(starts_at__gte=start, starts_at__lt=end))
    assert len(sessions) == 30 * SLOTS_A_DAY
    hours = {(s.starts_at.astimezone(zone).weekday() == 5, s.starts_at.astimezone(zone).time()) for s in sessions}
    assert hours == {(False, time(hour)) for hour in range(9, 22)} | {(True, time(hour)) for hour in range(10, 23)}


def test_the_courses_are_in_pounds_for_twelve() -> None:
    course = Activity.objects.get(slug="emergency-first-aid-at-work")
    assert (course.currency, course.capacity, course.units.get(is_default=True).price_minor) == ("GBP", 12, 8500)
    assert set(course.sessions.values_list("capacity_total", flat=True)) == {12, 8}  # one was cut, and is honoured


def test_each_organization_has_something_to_pay_on_arrival_and_somebody_has_something_free() -> None:
    on_sale = Activity.objects.on_sale()
    assert set(on_sale.filter(pay_on_arrival=True).values_list("organization__slug", flat=True)) == SLUGS
    free = on_sale.exclude(units__price_minor__gt=0).values_list("slug", flat=True)
    assert set(free) == {"learn-cpr-in-an-hour", "board-game-evening"}


def test_every_activity_has_a_default_unit_of_one_place() -> None:
    defaults = Unit.objects.filter(is_default=True, places=1).values_list("activity", flat=True)
    assert sorted(defaults) == sorted(Activity.objects.values_list("id", flat=True))


def test_people_booked_and_hold_in_every_organization() -> None:
    confirmed = Booking.objects.filter(status=Booking.Status.CONFIRMED)
    assert set(confirmed.values_list("organization__slug", flat=True)) == SLUGS
    assert confirmed.count() == Booking.objects.count() > 100
    assert BookingEvent.objects.filter(kind="booking_confirmed").count() == confirmed.count()
    holds = Reservation.objects.held().filter(expires_at__gt=database_now())
    assert set(holds.values_list("organization__slug", flat=True)) == SLUGS
    assert LineParticipant.objects.filter(line__booking__organization__slug="beacon-first-aid").exists()


def test_counters_are_the_sums_of_the_reservations() -> None:
    held, confirmed = Q(reservations__status="held"), Q(reservations__status="confirmed")
    counted = Session.objects.annotate(
        held=Coalesce(Sum("reservations__places", filter=held), 0),
        booked=Coalesce(Sum("reservations__places", filter=confirmed), 0),
    )
    assert not counted.exclude(places_held=F("held"), places_booked=F("booked")).exists()
    assert counted.filter(places_booked__gt=0).exists()


def test_all_states_are_to_be_seen() -> None:
    upcoming = Session.objects.visible().upcoming(at=database_now())
    answers = [judge(row) for row in with_availability(upcoming)]
    assert {"full", "not_open_yet"} <= {reason for answer in answers for reason in answer.reasons}
    assert any(answer.is_available and answer.spots <= 2 for answer in answers)
    assert [session.over_by for session in upcoming if session.over_by] == [2]
    assert Activity.objects.get(status=Activity.Status.DRAFT).slug == "easter-race-camp"


def test_a_place_of_document_004_is_on_sale_over_http(client: Client, demo_output: str) -> None:
    paths = [line.split()[-1] for line in demo_output.splitlines() if "/api/v1/" in line]
    answers = [client.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200]
    assert answers[-1].json()["available"] is True


def test_the_command_shows_progress_and_the_way_in(demo_output: str) -> None:
    assert [line[:4] for line in demo_output.splitlines()[1:5]] == ["1/4 ", "2/4 ", "3/4 ", "4/4 "]
    assert "lantern-yard" in demo_output
    assert STAFF_EMAIL in demo_output


def test_every_organization_has_staff_of_its_own_beside_the_demo_login() -> None:
    assert Membership.objects.filter(user__email=STAFF_EMAIL, role="owner").count() == 4
    own = Membership.objects.exclude(user__email=STAFF_EMAIL)
    assert set(own.values_list("organization__slug", flat=True)) == SLUGS


def test_the_known_password_opens_nothing_where_things_are_real(demo_output: str) -> None:
    assert STAFF_PASSWORD not in demo_output
    assert not any(user.has_usable_password() for user in User.objects.all())


def test_again_changes_nothing() -> None:
    before = _fingerprint()
    assert "nothing was changed" in run_demo()
    assert _fingerprint() == before


def _fingerprint() -> list[object]:
    """Return what would change if anything did."""
    models = (
        User,
        Organization,
        Membership,
        Venue,
        Activity,
        Unit,
        ScheduleVersion,
        Booking,
        BookingEvent,
        Reservation,
    )
    versions = Session.objects.order_by("id").values_list("id", "version", "status", "capacity_total")
    return [*(model._default_manager.count() for model in models), list(versions)]
