"""The states to look at, made in the demo's organizations by the services that make them every day."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from alerts.models import Alert
from alerts.services import fan_out
from bookings.models import Booking
from bookings.services import checkout, schedule_changes
from bookings.services.checkout import Contact, Terms, Wanted
from bookings.services.duplicates import DuplicateBooking
from config.kit.clock import database_now
from config.kit.facts import SYSTEM
from config.tenants.models import Organization
from scheduling.models import Activity, Reservation, ScheduleChange, Session, Venue
from scheduling.services import reservations
from scheduling.services.assessing import Party
from scheduling.services.sessions import close_session
from tests import factories
from tests.screenshots.lives import Lives, set_lives
from tests.screenshots.money import Money, set_money

ORGANIZATION, ACTIVITY = "lantern-yard", "laser-tag"
UNPAYABLE, FREE, PASS = "climbing-wall", "board-game-evening", "open-wall"
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
    change: ScheduleChange  # rehearsed: a new timetable over booked sessions
    moved: ScheduleChange  # rehearsed before somebody booked
    closed_day: date
    lives: Lives
    money: Money


def set_stage() -> Stage:
    """Make every state; the demo is loaded already."""
    activity = Activity.objects.get(organization__slug=ORGANIZATION, slug=ACTIVITY)
    rows = activity.sessions.filter(
        status=Session.Status.PUBLISHED, starts_at__gt=database_now(), on_sale=True, is_legacy=False
    )
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
    moved = close_the_day_of(roomy[10])
    book([roomy[10]])
    return Stage(
        change=new_timetable(activity), moved=moved,
        activity=activity, full=full, few=few, roomy=roomy[4],
        closed=close_session(session_id=roomy[3].id, actor=SYSTEM),
        held=hold(activity, roomy[4], adults=2, children=1), twice=twice, alert=book_again(twice),
        unpayable=reservations.reserve_slot(session_id=first_session(UNPAYABLE).id, party_size=2, email=""),
        lapsed=lapsed, lapsed_full=lapsed_full, booking=booking, long_booking=book(roomy[5:9]),
        empty=Organization.objects.create(name="The Quiet Corner", slug="quiet-corner"),
        free=Activity.objects.get(organization__slug=ORGANIZATION, slug=FREE), venue=activity.venue, lives=set_lives(),
        money=set_money(),
        closed_day=database_now().astimezone(activity.venue.zone).date() + timedelta(days=12),
    )  # fmt: skip


def new_timetable(activity: Activity) -> ScheduleChange:
    """Rehearse a week that leaves out what some have booked."""
    rules = {**activity.schedules.latest("version").rules, "operatingDays": ["Friday", "Saturday", "Sunday"]}
    tomorrow = database_now().astimezone(activity.venue.zone).date() + timedelta(days=1)
    return schedule_changes.rehearse_change(
        kind="timetable", venue_id=activity.venue_id, activity_id=activity.id, author=None,
        parameters={"rules": rules, "effective_from": tomorrow.isoformat()},
    )  # fmt: skip


def close_the_day_of(session: Session) -> ScheduleChange:
    """Rehearse a closure of a session's day."""
    activity = session.activity
    day = session.starts_at.astimezone(activity.venue.zone).date().isoformat()
    return schedule_changes.rehearse_change(
        kind="closure", venue_id=activity.venue_id, activity_id=activity.id, author=None,
        parameters={"first_date": day, "last_date": day, "reason": "A film is being shot here"},
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
