"""What a notification is about, gathered from the rows as they are when it is sent. Of money: money_letters.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from email.utils import parseaddr
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse

from alerts.messages import Letter, Visit, money_in, write_letter
from alerts.models import Notification
from alerts.services import money_letters, notifications
from alerts.services.letter_parts import Draft, NotSoAnyMore, booking_link, fact_of, letter_of, lines_of, visit_of
from alerts.services.notifications import RECEIVED, REMINDER, TRANSFERRED
from bookings.calendars import invitation
from bookings.models import Booking, Customer, Line, ResumeLink, WaitlistEntry
from bookings.pages import BookingPage, booking_page
from bookings.services import transfers
from bookings.transfer_links import offer_address
from config.kit.clock import database_now
from scheduling.models import Reservation, Session

__all__ = ["WRITERS", "Draft", "NotSoAnyMore", "draft"]

CANCELLING = frozenset({"booking_cancelled", "line_cancelled"})
CHANGING = frozenset({"line_moved", "party_changed"})
CONFIRMED = "booking_confirmed"
LIVING = frozenset({CONFIRMED, "line_moved", "party_changed", RECEIVED, notifications.CLOSED})


def draft(row: Notification) -> Draft:
    """Write a message, or raise NotSoAnyMore; whatever else is raised is a fault of ours, or of a template."""
    base = row.kind.partition("_2")[0] if row.kind.startswith(f"{REMINDER}_") else row.kind
    return WRITERS[base](row)


# About a booking --------------------------------------------------------------------------------------------------


def _about_booking(row: Notification) -> Draft:
    booking = Booking.objects.select_related("customer").get(id=row.subject_id)
    fact = fact_of(row)
    if row.kind in LIVING and booking.status != Booking.Status.CONFIRMED:
        raise NotSoAnyMore
    page = booking_page(booking.number)
    lines = lines_of(fact, page)
    letter = replace(
        letter_of(row, page, lines),
        visits=_visits_now(fact, lines),
        visits_before=_visits_before(fact),
    )
    letter = replace(letter, **_money(fact, booking, row.language))  # type: ignore[arg-type]  # names of its strings
    if row.kind in LIVING:
        letter = money_letters.with_balance(letter, booking)
    if row.kind == CONFIRMED and letter.paid:
        letter = replace(letter, receipt=booking_link(booking, to="receipt"))
    if row.kind == notifications.CLOSED:
        return Draft(write_letter(replace(letter, link_label="choose")), "")
    method = "CANCEL" if row.kind in CANCELLING else "REQUEST"
    return Draft(write_letter(letter), _invitations(row, page, lines, method, fact))


def _visits_now(fact: Any, lines: Sequence[Line]) -> tuple[Visit, ...]:
    """Return where a change has led to, by its fact; else the lines as they are."""
    now = _visit_at(fact.after) if fact.kind in CHANGING else None
    return (now,) if now else tuple(visit_of(line.session, line.party_size) for line in lines)


def _visits_before(fact: Any) -> tuple[Visit, ...]:
    """Return what a changed line was, by its fact."""
    before = _visit_at(fact.before) if fact.kind in CHANGING else None
    return (before,) if before else ()


def _visit_at(placed: Mapping[str, Any]) -> Visit | None:
    if "session" not in placed or "party_size" not in placed:
        return None
    session = Session.objects.select_related("activity__venue").get(id=placed["session"])
    return visit_of(session, placed["party_size"])


def _money(fact: Any, booking: Booking, language: str) -> dict[str, str]:
    """Return the total after a fact, the fee in it, and by how much it differs from before, written out."""
    consequence = fact.after.get("consequence", {})
    difference = consequence.get("due_minor", 0) - consequence.get("refundable_minor", 0)
    sums = {"total": fact.after.get("total_minor", booking.total_minor), "fee": consequence.get("fee_minor", 0)}
    written = {name: money_in(value, booking.currency, language) for name, value in sums.items() if value}
    sign = "+" if difference > 0 else "−"
    if difference:
        written["difference"] = sign + money_in(abs(difference), booking.currency, language)
    return written


def _invitations(row: Notification, page: BookingPage, lines: Sequence[Line], method: str, fact: Any) -> str:
    organizer = parseaddr(settings.MAIL_FROM)[1]
    files = (
        invitation(page, line, method=method, organizer=organizer, attendee=row.recipient, at=fact.at) for line in lines
    )
    return b"".join(files).decode()


def _given_away(row: Notification) -> Draft:
    """Tell who had it: no link, no new name; and their calendar forgets it."""
    booking = Booking.objects.get(id=row.subject_id)
    fact = fact_of(row)
    page = booking_page(booking.number)
    lines = lines_of(fact, page)
    former = Customer.objects.filter(id=fact.before.get("customer")).first()
    letter = replace(letter_of(row, page, lines), link="", name=former.name if former else "")
    return Draft(write_letter(letter), _invitations(row, page, lines, "CANCEL", fact))


def _offered(row: Notification) -> Draft:
    """Ask whether somebody takes a booking over, while it is offered to them."""
    booking = Booking.objects.get(id=row.subject_id)
    fact = fact_of(row)
    try:
        contact = transfers.require_open(fact, booking)
    except transfers.TransferOfferOver as over:
        raise NotSoAnyMore from over
    page = booking_page(booking.number)
    live = [line for line in page.lines if line.status == Line.Status.LIVE]
    letter = replace(
        letter_of(row, page, live), name=contact.name, giver=booking.contact_name, number="",
        link=settings.SITE_URL + reverse("transfer-offer", kwargs=offer_address(fact)), link_label="take_over",
        until=transfers.ends_at(fact),
        total=money_in(booking.total_minor, booking.currency, row.language) if booking.total_minor else "",
    )  # fmt: skip
    return Draft(write_letter(letter), "")


def _reminder(row: Notification) -> Draft:
    """Remind of what begins at the time that the kind names, if it still does, and is still to come."""
    booking = Booking.objects.select_related("customer").get(id=row.subject_id)
    now = database_now()
    lines = [
        line
        for line in notifications.live_lines(booking.id)
        if notifications.reminder_kind(line.session.starts_at) == row.kind and line.session.starts_at > now
    ]
    if not lines or booking.customer.email != row.recipient:
        raise NotSoAnyMore
    letter = replace(letter_of(row, booking_page(booking.number), lines), kind=REMINDER)
    return Draft(write_letter(letter), "")


def _to_staff(row: Notification) -> Draft:
    """Tell staff of a booking, with the way to its page in the admin."""
    page = booking_page(Booking.objects.get(id=row.subject_id).number)
    link = settings.SITE_URL + reverse("admin:bookings_booking_change", args=[row.subject_id])
    letter = replace(letter_of(row, page, page.lines), name="", link=link, link_label="look")
    return Draft(write_letter(letter), "")


# About others -----------------------------------------------------------------------------------------------------


def _waiting(row: Notification) -> Draft:
    entry = WaitlistEntry.objects.select_related("organization", "activity__venue", "reservation__session").get(
        id=row.subject_id
    )
    if row.kind == "waitlist_offered" and entry.status != WaitlistEntry.Status.OFFERED:
        raise NotSoAnyMore
    offer = entry.reservation
    choices = entry.choices.select_related("session__activity__venue").order_by("rank")
    sessions = [offer.session] if offer and row.kind != "waitlist_joined" else [c.session for c in choices]
    letter = Letter(
        kind=row.kind, language=row.language, organization=entry.organization.name, name=entry.name,
        link=settings.SITE_URL + reverse("open-wait", args=[entry.id, entry.token]) if entry.ended_at is None else "",
        link_label="accept" if row.kind == "waitlist_offered" else "leave",
        visits=tuple(visit_of(session, entry.party_size) for session in sessions),
        until=offer.expires_at if offer else None, zone=entry.activity.venue.zone,
    )  # fmt: skip
    return Draft(write_letter(letter), "")


def _resume(row: Notification) -> Draft:
    link = ResumeLink.objects.select_related("organization").get(id=row.subject_id)
    if link.used_at is not None or link.expires_at <= database_now():
        raise NotSoAnyMore
    rows = Reservation.objects.of_basket(link.basket).select_related("session__activity__venue")
    visits = tuple(visit_of(reservation.session, reservation.party_size) for reservation in rows)
    letter = Letter(
        kind=row.kind, language=row.language, organization=link.organization.name, name="",
        link=settings.SITE_URL + reverse("resume-basket", args=[link.id, link.token]), link_label="resume",
        visits=visits, until=link.expires_at, zone=visits[0].zone if visits else ZoneInfo("UTC"),
    )  # fmt: skip
    return Draft(write_letter(letter), "")


WRITERS: Mapping[str, Callable[[Notification], Draft]] = {
    **dict.fromkeys(notifications.CHANGED | {RECEIVED}, _about_booking),
    **dict.fromkeys(notifications.TO_STAFF, _to_staff),
    **money_letters.WRITERS,
    TRANSFERRED: _given_away,
    notifications.OFFERED: _offered,
    REMINDER: _reminder,
    **dict.fromkeys(notifications.TOLD["waitlist"] - {notifications.REPEATED}, _waiting),
    "resume_link_asked": _resume,
}
