"""What becomes of bookings after they are made, in an organization of its own: changed, waited for, met at the door."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from alerts.models import Notification
from alerts.services import delivery, fan_out
from bookings.models import Booking, BookingEvent, Customer, Line, ResumeLink, WaitlistEntry
from bookings.orders import Person
from bookings.services import attendance, cancellation, people, recovery, session_closure, transfers, waitlist
from bookings.services.checkout import Contact
from config.kit.facts import Actor, ActorKind
from config.tenants.models import Organization
from scheduling.models import Activity, Reservation, Session
from scheduling.services import reservations
from tests import factories

DESK = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "A storm is coming"})
SOON, LATER = timedelta(days=3), timedelta(days=5)
GUESTS = ("Amara Osei", "Jonas Weber", "Mei Tanaka", "Lucia Fernandez", "Owen Price", "Priya Raman", "Noor Haddad")
PICTURES = 4  # of each shot: what a shot uses up is there for each of them


@dataclass(frozen=True, slots=True)
class Lives:
    """What the pictures need to know."""

    activity: Activity
    full: Session
    target: Session  # for a move: dearer, with room
    booking: Booking
    several: Booking
    partly: Booking
    cancelled: Booking
    closed: Booking
    late: Booking  # its terms let nobody change it any more
    offered_on: Booking  # to somebody who has not answered yet
    offer: BookingEvent
    offer_over: BookingEvent
    behind_a_hold: Session  # nobody waits yet
    waiting: WaitlistEntry
    next_in_line: WaitlistEntry
    offered: WaitlistEntry
    lapsed: WaitlistEntry
    left: WaitlistEntry
    converted: WaitlistEntry
    two_sessions: Reservation
    family: Reservation
    resumed: ResumeLink
    used_up: ResumeLink
    too_many: ResumeLink
    past: Customer
    erased: Sequence[Customer]
    arrived: Line
    message: Notification


def guest(name: str) -> Contact:
    """Return somebody with an address of their name."""
    return Contact(email=f"{name.partition(' ')[0].lower()}@example.org", name=name, phone="+44 20 7946 0123")


def set_lives() -> Lives:
    """Make every state."""
    organization = factories.make_organization(name="Harbour Archery", slug="harbour-archery")
    venue = factories.make_venue(organization, name="Harbour Hall")
    activity = factories.make_activity(
        venue, name="Target archery", slug="target-archery", price_minor=1500, change_fee_minor=200,
        cancel_fee_percent=10, hold_minutes=60, offer_minutes=60,
    )  # fmt: skip
    factories.make_unit(activity, name="Child", price_minor=750)
    made = bookings_of(activity) | waits_of(activity) | baskets_of(activity)
    arrived = people_at_the_door(activity)
    past, *erased = [former_customer(activity, number) for number in range(PICTURES + 1)]
    Organization.objects.filter(id=organization.id).update(
        consent_under_age=16
    )  # from here on, checkouts ask who comes
    return Lives(activity=activity, arrived=arrived, past=past, erased=erased, message=messages(), **made)


def session_at(activity: Activity, hours: int, **overrides: object) -> Session:
    """Create a session some hours after the first."""
    return factories.make_session(activity, starts_in=SOON + timedelta(hours=hours), **overrides)  # type: ignore[arg-type]


def bookings_of(activity: Activity) -> dict[str, Any]:
    """Return bookings in their states."""
    first, target = session_at(activity, 0), session_at(activity, 1, price_minor=1800)
    full = session_at(activity, 2, capacity=2)
    factories.book(full, party_size=2, contact=guest(GUESTS[6]))
    second, third = session_at(activity, 24), session_at(activity, 48)
    partly, cancelled = (factories.book(first, second, contact=guest(name)) for name in GUESTS[:2])
    cancellation.cancel_booking(
        booking_id=partly.id, lines=[partly.lines.order_by("id")[0].id], actor=factories.CUSTOMER
    )
    cancellation.cancel_booking(booking_id=cancelled.id, actor=factories.CUSTOMER)
    closed = factories.book(third, party_size=2, contact=guest(GUESTS[2]))
    session_closure.close_with_offers(session_id=third.id, actor=DESK, reason="A storm is coming")
    strict = factories.make_activity(activity.venue, name="Night archery", cancel_until_minutes=60 * 24 * 30,
                                     change_until_minutes=60 * 24 * 30, customers_may_cancel=False)  # fmt: skip
    booking = factories.book(first, party_size=2, contact=guest(GUESTS[3]))
    named = [Person(name=GUESTS[3]), Person(name="Nico Fernandez")]
    people.change_participants(line_id=booking.lines.get().id, participants=named, actor=factories.CUSTOMER)
    return {
        "full": full, "target": target, "partly": partly, "cancelled": cancelled, "closed": closed,
        "booking": booking, "several": factories.book(first, second, party_size=2, contact=guest(GUESTS[4])),
        "late": factories.book(session_at(strict, 5), contact=guest(GUESTS[4])),
        **offers_of(target),
    }  # fmt: skip


def offers_of(session: Session) -> dict[str, Any]:
    """Return a booking that is offered to somebody else, the offer, and one that is over."""
    offered_on = factories.book(session, contact=guest("Ines Costa"))
    offers = [
        transfers.offer_transfer(booking_id=offered_on.id, contact=guest(name), actor=factories.CUSTOMER)
        for name in ("Bela Novak", "Ravi Menon")
    ]
    return {"offered_on": offered_on, "offer": offers[1], "offer_over": offers[0]}


def waits_of(activity: Activity) -> dict[str, Any]:
    """Return parties that wait, or did."""
    only_held, given = session_at(activity, 3, capacity=2), session_at(activity, 4, capacity=4)
    behind_a_hold = session_at(activity, 13, capacity=2)
    factories.hold(only_held, 2)
    factories.hold(behind_a_hold, 2)
    held = [factories.hold(given, 2), factories.hold(given, 2)]
    converted, offered = factories.join(given, 2), factories.join(given, 2)
    for reservation in held:
        reservations.release_reservation(reservation_id=reservation.id)
    factories.confirm(waitlist.accept_offer(entry_id=converted.id), contact=guest(GUESTS[5]))
    busy = session_at(activity, 6, capacity=4)
    factories.book(busy, party_size=4, contact=guest(GUESTS[0]))
    factories.join(busy, 4)
    next_in_line = factories.join(only_held, 2)
    waiting, left = factories.join(busy, 2, only_held), factories.join(busy, 1)
    waitlist.leave_waitlist(entry_id=left.id, actor=factories.CUSTOMER)
    return {
        "behind_a_hold": behind_a_hold, "waiting": waiting, "next_in_line": next_in_line, "left": left,
        "lapsed": lapsed_offer(activity), "offered": offered, "converted": converted,
    }  # fmt: skip


def lapsed_offer(activity: Activity) -> WaitlistEntry:
    """Return a party that did not take what it was offered."""
    session = session_at(activity, 7, capacity=1)
    held = factories.hold(session, 1)
    entry = factories.join(session, 1)
    reservations.release_reservation(reservation_id=held.id)
    entry.refresh_from_db()
    assert entry.reservation
    factories.lapse(entry.reservation)
    reservations.release_expired_reservations()
    return entry


def baskets_of(activity: Activity) -> dict[str, Any]:
    """Return what is held, and links to it."""
    tagged, other = session_at(activity, 8), session_at(activity, 9)
    two_sessions = factories.hold(tagged, 2, email="")
    factories.hold(other, 1, email="", basket=two_sessions.basket)
    links = [
        recovery.ask_resume_link(basket=factories.hold(tagged, 1).basket, email=factories.ANNA.email) for _ in range(3)
    ]
    recovery.open_resume_link(link_id=links[1].id, token=links[1].token)
    for _ in range(recovery.MOST_LINKS - 1):
        recovery.ask_again(link_id=links[2].id, token=links[2].token)
    recovery.open_resume_link(link_id=links[2].id, token=links[2].token)
    return {
        "two_sessions": two_sessions, "family": factories.hold(tagged, 2, email=""),
        "resumed": links[0], "used_up": links[1], "too_many": links[2],
    }  # fmt: skip


def people_at_the_door(activity: Activity) -> Line:
    """Let a session have begun, some of whose people are here."""
    now_on = session_at(activity, 10, capacity=16)
    lines = [factories.book(now_on, party_size=n % 3 + 1, contact=guest(name)).lines.get()
             for n, name in enumerate(GUESTS)]  # fmt: skip
    factories.shift_session(now_on, starts_in=timedelta(minutes=-5))
    attendance.check_in_line(line_id=lines[0].id, actor=DESK)
    attendance.set_outcome(line_id=lines[1].id, outcome="no_show", actor=DESK)
    factories.shift_session(session_at(activity, 11), starts_in=timedelta(minutes=30))
    return lines[2]


def former_customer(activity: Activity, number: int) -> Customer:
    """Return somebody whose session is over."""
    session = session_at(activity, 12)
    customer = factories.book(session, contact=guest(f"Former{number} Guest")).customer
    factories.shift_session(session, starts_in=timedelta(days=-20 - number))
    return customer


def messages() -> Notification:
    """Have all messages sent, but one that could not be."""
    fan_out.fan_out_facts()
    rows = Notification.objects.filter(organization__slug="harbour-archery", kind="booking_confirmed").order_by("-id")
    Notification.objects.filter(id=rows[1].id, status="queued").update(
        status="failed", tries=12, last_error="550 5.1.1 mailbox unavailable"
    )
    delivery.deliver_due()
    return rows.filter(status="sent")[0]
