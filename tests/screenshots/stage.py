"""The states to look at, made in the demo's organizations by the services that make them every day."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from alerts.models import Alert
from alerts.services import fan_out
from bookings.models import Booking
from bookings.services import checkout
from bookings.services.checkout import Contact, Terms, Wanted
from bookings.services.duplicates import DuplicateBooking
from config.kit.clock import database_now
from config.tenants.models import Organization
from scheduling.models import Activity, Reservation, Session, Venue
from scheduling.services import reservations
from scheduling.services.reservations import Party
from scheduling.services.sessions import close_session
from tests import factories

ORGANIZATION, ACTIVITY = "lantern-yard", "laser-tag"
UNPAYABLE, FREE = "climbing-wall", "board-game-evening"
GUEST = Contact(email="robin@example.org", name="Robin Okafor", phone="+44 20 7946 0000")


@dataclass(frozen=True, slots=True)
class Stage:
    """What the pictures need to know."""

    activity: Activity
    full: Session
    few: Session
    closed: Session
    roomy: Session
    held: Reservation
    twice: Reservation  # its guest has booked the same already
    unpayable: Reservation
    lapsed: Reservation
    lapsed_full: Reservation
    booking: Booking
    long_booking: Booking
    alert: Alert
    empty: Organization
    free: Activity
    venue: Venue


def set_stage() -> Stage:
    """Make every state; the demo is loaded already."""
    activity = Activity.objects.get(organization__slug=ORGANIZATION, slug=ACTIVITY)
    rows = activity.sessions.filter(status=Session.Status.PUBLISHED, starts_at__gt=database_now())
    sessions = [s for s in rows.order_by("starts_at") if s.opens_at < database_now()]
    roomy = [session for session in sessions[30:] if session.capacity_remaining == session.capacity_total]
    full = next(session for session in sessions if session.capacity_remaining == 0)
    few = next(session for session in sessions if 0 < session.capacity_remaining * 5 <= session.capacity_total)
    booking = book([roomy[0]])
    lapsed, lapsed_full = hold(activity, roomy[1], adults=2, children=1), hold(activity, roomy[2], adults=2)
    factories.lapse(lapsed, lapsed_full, ago=timedelta(minutes=2))
    reservations.release_expired_reservations()
    reservations.reserve_slot(session_id=roomy[2].id, party_size=roomy[2].capacity_total, email="")
    twice = hold(activity, roomy[0], adults=2)
    return Stage(
        activity=activity, full=full, few=few, closed=close_session(session_id=roomy[3].id), roomy=roomy[4],
        held=hold(activity, roomy[4], adults=2, children=1), twice=twice, alert=book_again(twice),
        unpayable=reservations.reserve_slot(session_id=first_session(UNPAYABLE).id, party_size=2, email=""),
        lapsed=lapsed, lapsed_full=lapsed_full, booking=booking, long_booking=book(roomy[5:9]),
        empty=Organization.objects.create(name="The Quiet Corner", slug="quiet-corner"),
        free=Activity.objects.get(organization__slug=ORGANIZATION, slug=FREE), venue=activity.venue,
    )  # fmt: skip


def book_again(reservation: Reservation) -> Alert:
    """Try to book what is booked already; return the alert that staff get."""
    with suppress(DuplicateBooking):
        checkout.book_basket(basket=reservation.basket, contact=GUEST, terms=Terms(), actor=factories.CUSTOMER)
    fan_out.fan_out_facts()
    return Alert.objects.latest("id")


def first_session(slug: str) -> Session:
    """Return the first session that can be booked of another activity."""
    now = database_now()
    rows = Session.objects.filter(activity__organization__slug=ORGANIZATION, activity__slug=slug, closes_at__gt=now)
    return rows.order_by("starts_at")[3]


def hold(activity: Activity, session: Session, *, adults: int, children: int = 0) -> Reservation:
    """Hold a party of two kinds."""
    counts = {"Adult": adults, "Child": children}
    units = tuple((unit.id, counts[unit.name]) for unit in activity.units.all() if counts.get(unit.name))
    return reservations.reserve_parties([Party(session.id, None, units)], email="")[0]


def book(sessions: list[Session]) -> Booking:
    """Book two places in each."""
    lines = [Wanted(Party(session_id=session.id, party_size=2)) for session in sessions]
    return checkout.book_lines(lines=lines, contact=GUEST, terms=Terms(), actor=factories.CUSTOMER)
