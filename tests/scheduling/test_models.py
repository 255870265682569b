"""What the tables themselves hold, and refuse."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, DataError, IntegrityError, connection, transaction

from bookings.models import Booking, Customer, Participant
from config.tenants.models import Membership, Organization, User
from scheduling.models import Activity, Reservation, ScheduleVersion, Session, Unit, Venue
from scheduling.services import capacity
from scheduling.services.assessing import NotBookable
from scheduling.services.catalogue import refresh_on_sale, set_activity_status
from scheduling.services.reservations import release_reservation
from tests.factories import (
    STAFF,
    book,
    hold,
    lapse,
    make_activity,
    make_organization,
    make_session,
    make_unit,
    make_venue,
)

pytestmark = pytest.mark.django_db


def refused(constraint: str) -> Any:
    return pytest.raises(IntegrityError, match=constraint)


def test_an_organization_owns_venues_and_a_suspended_one_sells_nothing() -> None:
    organization = make_organization()
    venues = [make_venue(organization), make_venue(organization)]
    assert list(Venue.objects.filter(organization=organization).order_by("id")) == venues
    session = make_session(make_activity(venues[0]))
    Organization.objects.filter(id=organization.id).update(status="suspended")
    assert refresh_on_sale(organization_id=organization.id) == 1
    with pytest.raises(NotBookable):
        hold(session)


def test_a_venue_has_an_embed_key_of_its_own_and_a_known_zone() -> None:
    venue = make_venue()
    assert len(venue.embed_key) == 32
    assert venue.embed_key != make_venue().embed_key
    venue.timezone = "Europe/Atlantis"
    with pytest.raises(ValidationError, match="timezone"):
        venue.full_clean()
    with pytest.raises(DataError, match="not recognized"), transaction.atomic():
        venue.save()


def test_an_activity_carries_its_schedule_and_price_reference_and_owns_sessions() -> None:
    activity = make_activity(price_reference="price_123")
    sessions = [make_session(activity), make_session(activity, starts_in=timedelta(days=2))]
    assert list(activity.sessions.order_by("starts_at")) == sessions
    assert activity.price_reference == "price_123"
    with refused("activity_slug_once"), transaction.atomic():
        make_activity(activity.venue, slug=activity.slug)


def test_what_remains_is_the_total_less_holds_and_bookings_at_every_step() -> None:
    session = make_session(capacity=10)
    seen = []

    def look() -> None:
        session.refresh_from_db()
        seen.append((session.places_held, session.places_booked, session.capacity_remaining))

    first = hold(session, 3)
    look()
    book(session, party_size=2)
    look()
    release_reservation(reservation_id=first.id)
    look()
    capacity.set_capacity(session_id=session.id, capacity=1)
    look()
    assert seen == [(3, 0, 7), (3, 2, 5), (0, 2, 8), (0, 2, 0)]
    assert (session.honoured_capacity, session.over_by) == (2, 1)
    assert session.reservations.count() == 2


def test_a_customer_has_bookings_and_a_number_is_not_the_id() -> None:
    session = make_session()
    bookings = [book(session), book(session)]
    customer = Customer.objects.get()
    assert list(customer.bookings.order_by("created_at")) == bookings
    assert (customer.email, customer.name, customer.phone) == ("anna@example.org", "Anna Archer", "+44 20 7946 0000")
    assert bookings[0].number not in str(bookings[0].id)
    with refused("number"), transaction.atomic():
        Booking.objects.filter(id=bookings[0].id).update(number=bookings[1].number)


# What a raw writer cannot do ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignment", "constraint"),
    [
        ("places_booked = capacity_total + 1", "session_never_oversold"),
        ("places_held = capacity_total + 1", "session_never_oversold"),
        ("places_held = 6, places_booked = 5", "session_never_oversold"),
        ("capacity_total = 2", "session_never_oversold"),  # three are held: a cut must be honoured
        ("honoured_capacity = 3", "session_never_oversold"),
        ("places_held = -1", "places_held"),
        ("capacity_total = -1", "capacity_total|never_oversold"),
        ("ends_at = starts_at", "ends_after_start|closes_before_end"),
        ("status = 'full'", "illegal transition"),
        ("status = 'withdrawn'", "session_withdrawn_is_empty"),
    ],
)
def test_a_session_cannot_be_oversold_or_made_nonsense_of_by_any_writer(assignment: str, constraint: str) -> None:
    session = make_session(capacity=10)
    hold(session, 3)
    with refused(constraint), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE scheduling_session SET {assignment} WHERE id = %s", [session.id])
    session.refresh_from_db()
    assert (session.places_held, session.places_booked, session.capacity_total) == (3, 0, 10)


def test_an_oversold_session_cannot_be_inserted_and_what_remains_cannot_be_written() -> None:
    activity = make_activity()
    with refused("session_never_oversold"), transaction.atomic():
        make_session(activity, capacity=1, places_booked=2)
    session = make_session(activity)
    with pytest.raises(DatabaseError, match="capacity_remaining"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE scheduling_session SET capacity_remaining = 99 WHERE id = %s", [session.id])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("released", "held"),
        ("expired", "confirmed"),
        ("released", "confirmed"),
        ("confirmed", "held"),
        ("confirmed", "expired"),
    ],
)
def test_an_illegal_step_of_a_reservation_is_refused_by_the_database(before: str, after: str) -> None:
    reservation = book(make_session()).lines.get().reservation if before == "confirmed" else hold(make_session())
    if before == "released":
        release_reservation(reservation_id=reservation.id)
    if before == "expired":
        lapse(reservation)
        with transaction.atomic():
            capacity.lock_sessions([reservation.session_id])
            capacity.reclaim_lapsed([reservation.session_id])
    with refused("illegal transition"), transaction.atomic():
        Reservation.objects.filter(id=reservation.id).update(status=after)


def test_a_row_of_another_organization_cannot_be_a_child() -> None:
    ours, theirs = make_activity(), make_activity()
    now = make_session(theirs)
    with refused("scheduling_session_activity_tenant"), transaction.atomic():
        Session.objects.create(
            organization_id=ours.organization_id, activity_id=theirs.id, starts_at=now.ends_at, capacity_total=1,
            ends_at=now.ends_at + timedelta(hours=1), opens_at=now.opens_at, closes_at=now.ends_at,
        )  # fmt: skip
    with refused("scheduling_unit_activity_tenant"), transaction.atomic():
        Unit.objects.create(organization_id=ours.organization_id, activity=theirs, name="X", price_minor=1)
    customer = book(now).customer
    with refused("bookings_participant_customer_tenant"), transaction.atomic():
        Participant.objects.create(organization_id=ours.organization_id, customer=customer, name="X")


def test_a_fact_can_be_neither_rewritten_nor_removed() -> None:
    event = book(make_session()).events.first()
    assert event is not None
    for statement in ("UPDATE bookings_bookingevent SET kind = 'x'", "DELETE FROM bookings_bookingevent"):
        with (
            pytest.raises(DatabaseError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_the_system_cannot_end_a_booking() -> None:
    booking = book(make_session())
    with refused("booking_event_system_never_ends"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO bookings_bookingevent (id, organization_id, booking_id, seq, kind, from_status, to_status,
                actor_kind, channel, reason_code, before, after, detail_digest, at, previous_hash, hash)
            SELECT uuid7(), organization_id, id, 0, 'booking_cancelled', 'confirmed', 'cancelled', 'system', 'system',
                '', '{}', '{}', '', now(), '', '' FROM bookings_booking WHERE id = %s""",
            [booking.id],
        )


# Small rules --------------------------------------------------------------------------------------------------------


def test_the_default_unit_is_one_and_takes_one_place() -> None:
    activity = make_activity()
    with refused("unit_one_default"), transaction.atomic():
        make_unit(activity, is_default=True)
    with refused("unit_default_takes_one_place"), transaction.atomic():
        Unit.objects.filter(activity=activity).update(places=2)


def test_an_activity_without_a_default_unit_is_not_published_and_sells_nothing() -> None:
    activity = make_activity(price_minor=None, status="draft")
    with pytest.raises(Exception, match="default unit"):
        set_activity_status(activity_id=activity.id, status=Activity.Status.PUBLISHED, actor=STAFF)
    session = make_session(make_activity(price_minor=None))
    with pytest.raises(Exception, match="cannot be booked"):
        hold(session)
    session.refresh_from_db()
    assert session.places_held == 0


def test_people_and_their_roles_are_unique_without_case() -> None:
    user = User.objects.create_user("Anna@Example.org", "a long password")
    assert user.email == "anna@example.org"
    assert User.objects.get_by_natural_key("ANNA@example.org") == user
    organization = make_organization()
    Membership.objects.create(organization=organization, user=user, role="manager")
    with refused("membership_once"), transaction.atomic():
        Membership.objects.create(organization=organization, user=user, role="owner")
    with refused("membership_role_known"), transaction.atomic():
        Membership.objects.filter(user=user).update(role="king")
    with refused("user_email_is_lower"), transaction.atomic():
        User.objects.filter(id=user.id).update(email="A@B.org")


def test_schedule_versions_belong_to_their_activity() -> None:
    activity = make_activity()
    version = ScheduleVersion.objects.create(
        organization_id=activity.organization_id, activity=activity, version=1, effective_from="2027-01-01", rules={}
    )
    with refused("schedule_version_once"), transaction.atomic():
        ScheduleVersion.objects.create(
            organization_id=activity.organization_id, activity=activity, version=1, effective_from="2028-01-01",
            effective_to="2028-01-01", rules={},
        )  # fmt: skip
    with refused("schedule_dates_in_order"), transaction.atomic():
        ScheduleVersion.objects.filter(id=version.id).update(effective_to="2026-12-31")
