"""A checkout that waits for its money: a pending booking over held reservations, until it is paid, left or lapsed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F

from bookings.models import Booking, Line, PromoUse
from bookings.orders import Contact, Person, Terms
from bookings.services import lifecycle, promo_codes, settlement
from bookings.services.verdicts import Verdict
from config.kit.clock import database_now
from config.kit.facts import Actor
from payments.models import Payment, Refund
from payments.services import vouchers
from scheduling.models import Reservation
from scheduling.services import reservations

LEFT = "checkout_left"


class BegunMeanwhile(Exception):
    """Somebody, or a second click, has begun this checkout since we looked: look again."""


def find_begun(reservation_ids: Collection[UUID]) -> UUID | None:
    """Return the booking whose live lines these reservations are on."""
    rows = Line.objects.filter(reservation__in=reservation_ids, status=Line.Status.LIVE)
    found: UUID | None = rows.order_by("id").values_list("booking_id", flat=True).first()
    return found


def lock_begun(reservation_ids: Collection[UUID]) -> Booking | None:
    """Lock the booking that these reservations are on, before their sessions are locked."""
    found = find_begun(reservation_ids)
    return lifecycle.lock_booking(found) if found else None


def require_unbegun(reservation_ids: Collection[UUID]) -> None:
    """Refuse, now that the sessions are locked, what was begun since `lock_begun` looked."""
    if find_begun(reservation_ids):
        raise BegunMeanwhile


def is_same(
    booking: Booking, held: Sequence[Reservation], contact: Contact, terms: Terms,
    people: Mapping[UUID, tuple[Person, ...]],
) -> bool:  # fmt: skip
    """Is a pending booking just what is asked for now? A second click is; another name, code or way to pay is not."""
    lines = list(booking.lines.filter(status=Line.Status.LIVE).prefetch_related("links__participant"))
    named = {line.reservation_id: sorted(person.name for person in line.people) for line in lines}
    asked = {each.id: sorted(person.name for person in people.get(each.id, ())) for each in held}
    return (
        named == asked
        and (booking.customer.email, booking.contact_name, booking.contact_phone) == _who(contact)
        and terms.payment_method in (None, booking.payment_method)
        and terms.expected_total in (None, booking.total_minor)
        and _codes(booking) == (promo_codes.read_code(terms.promo_code), vouchers.read_code(terms.voucher))
    )


def _who(contact: Contact) -> tuple[str, str, str]:
    return contact.email, contact.name, contact.phone


def _codes(booking: Booking) -> tuple[str, str]:
    """Return the promo code and the voucher with which it was begun."""
    promo = PromoUse.objects.filter(booking=booking).first()
    rows = Payment.objects.filter(reference=booking.id, provider="voucher").order_by("id")
    return promo.code if promo else "", rows.values_list("voucher__code", flat=True).first() or ""


def leave(booking: Booking, *, actor: Actor) -> None:
    """Let go of a locked booking whose customer begins anew; what is held stays held, for the next one.

    One that is pending is cancelled. One that has expired stays so: of its places some may be held still, and are not
    its own any more, so that money that comes late for it goes back.
    """
    lines = booking.lines.filter(status=Line.Status.LIVE)
    left = [str(line) for line in lines.order_by("id").values_list("id", flat=True)]
    lines.update(cancelled_at=database_now(), fee_minor=0, status=Line.Status.CANCELLED)
    lifecycle.amend(booking, total_minor=0, deposit_minor=None, balance_due_at=None)
    after: dict[str, Any] = {"lines": left, "total_minor": 0}
    if booking.status == Booking.Status.EXPIRED:
        lifecycle.record_event(booking, kind=LEFT, to_status=booking.status, actor=actor, after=after)
    else:
        lifecycle.transition(booking, to=Booking.Status.CANCELLED, kind=LEFT, actor=actor, after=after)
    promo_codes.release_promo_use(booking)
    settlement.settle_up(booking, actor=actor, reason=Refund.Reason.CHANGED)


def await_money(booking: Booking, held: Sequence[Reservation], verdict: Verdict, *, actor: Actor, email: str) -> None:
    """Keep the places a little longer, take what a voucher pays, and open the payment of the rest.

    A voucher that pays all that is due now confirms the booking here and now.
    """
    until = keep_longer(held)
    take_voucher(booking, verdict, actor=actor)
    if verdict.due_now_minor:
        settlement.open_payment(booking, verdict.due_now_minor, until=until, actor=actor, payer_email=email)
    booking.refresh_from_db()


def take_voucher(booking: Booking, verdict: Verdict, *, actor: Actor) -> None:
    """Let the voucher pay its part, also of what is paid on arrival; the last lock that an act takes."""
    if verdict.voucher and verdict.voucher_minor:
        vouchers.redeem_voucher(
            voucher_id=verdict.voucher.id, reference=booking.id, amount_minor=verdict.voucher_minor, actor=actor
        )


def keep_longer(held: Sequence[Reservation]) -> datetime:
    """Extend locked holds once, those that were not extended yet; return until when all of them are kept."""
    fresh = [reservation.id for reservation in held if not reservation.extended]
    Reservation.objects.filter(id__in=fresh).update(expires_at=F("expires_at") + reservations.EXTENSION, extended=True)
    ids = [reservation.id for reservation in held]
    return min(Reservation.objects.filter(id__in=ids).values_list("expires_at", flat=True))
