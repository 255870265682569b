"""What is personal of a customer: handed out whole, or overwritten for good.

Numbers, money, times and the chain of facts stay; what could name somebody goes, wherever it stands. Apps above hear
`personal_data_asked` and `personal_data_erased` inside the transaction, and answer for their own tables.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import Case, Q, QuerySet, Value, When

from bookings import transfer_links
from bookings.models import (
    Attempt,
    Booking,
    BookingEvent,
    BookingEventDetail,
    Customer,
    Line,
    Participant,
    ResumeLink,
    WaitlistEntry,
    WaitlistEventDetail,
)
from bookings.services import lifecycle
from bookings.services.attempts import email_digest
from bookings.signals import personal_data_erased
from config.kit.clock import database_now
from config.kit.erasing import erase_rows
from config.kit.facts import Actor
from config.kit.refusals import NotFound, Refusal
from config.kit.retries import retry_on_deadlock
from payments.services.balances import lock_all_payments
from payments.services.privacy import forget_payers
from scheduling.models import Reservation, ScheduleEventDetail, Session
from scheduling.services import holders

ERASED = "Erased"
OPEN = (Booking.Status.PENDING, Booking.Status.CONFIRMED)
WAITING = (WaitlistEntry.Status.WAITING, WaitlistEntry.Status.OFFERED)


class StillToCome(Refusal):
    """A session of theirs is still to come, or they wait for one: the door must know who they are."""

    code, title = "still_to_come", "Something of this customer is still to come"


def erased_email(row_id: UUID) -> str:
    """Return what stands where an address was: nobody's, unique, in small letters."""
    return f"erased-{row_id}@erased.invalid"


@retry_on_deadlock
@transaction.atomic
def erase_customer(*, customer_id: UUID, actor: Actor) -> Customer:
    """Overwrite what is personal of a customer for good, with a fact on each booking; again is harmless.

    Refuses with NotFound, and with StillToCome while a live line of theirs is not over or they wait for a session.
    Whoever books with the address meanwhile becomes a new customer.
    """
    bookings = _lock_bookings(customer_id)
    customer = Customer.objects.select_for_update().filter(id=customer_id).first()  # keeps new bookings away
    if customer is None:
        raise NotFound
    if customer.erased_at:
        return customer
    bookings = _lock_bookings(customer_id)  # with those of a moment ago
    _require_nothing_to_come(customer, bookings)
    _erase_bookings(customer, bookings, replace(actor, detail={}))
    erase_waiters(WaitlistEntry.objects.filter(organization=customer.organization_id, email=customer.email))
    _erase_traces(customer, bookings)
    _erase_people(customer)
    return customer


def _lock_bookings(customer_id: UUID) -> list[Booking]:
    """Lock a customer's bookings, each after its payments as everywhere."""
    bookings = Booking.objects.filter(customer=customer_id).order_by("id")
    lock_all_payments(list(bookings.values_list("id", flat=True)))
    return list(bookings.select_for_update(no_key=True))


def _require_nothing_to_come(customer: Customer, bookings: Sequence[Booking]) -> None:
    now = database_now()
    to_come = Session.objects.filter(
        lines__booking__in=bookings, lines__booking__status__in=OPEN, lines__status=Line.Status.LIVE, ends_at__gt=now
    ).order_by("starts_at")
    waits = WaitlistEntry.objects.filter(
        organization=customer.organization_id, email=customer.email, status__in=WAITING
    ).exists()
    if first := to_come.select_related("activity__venue").first():
        starts = first.starts_at.astimezone(first.activity.venue.zone)
        words = f"They come on {starts:%d %b %Y, %H:%M}, {first.activity.venue.timezone}. Cancel that first, or wait."
        raise StillToCome(words, extra={"reasons": ["session_to_come"]})
    if waits:
        words = "They wait for a session. Take them off the waiting list first."
        raise StillToCome(words, extra={"reasons": ["waiting"]})


# What is overwritten ----------------------------------------------------------------------------------------------


def _erase_people(customer: Customer) -> None:
    """Overwrite the customer, and those who came along; that somebody consented, and when, stays."""
    customer.name, customer.phone, customer.email = ERASED, "", erased_email(customer.id)
    customer.erased_at = database_now()
    customer.save(update_fields=["name", "phone", "email", "erased_at"])
    Participant.objects.filter(customer=customer).update(
        name=ERASED, birth_date=None, level=None, languages=[], notes="",
        consent_by=Case(When(consent_by="", then=Value("")), default=Value(ERASED)),
    )  # fmt: skip


def _erase_bookings(customer: Customer, bookings: Sequence[Booking], actor: Actor) -> None:
    """Overwrite who booked; the links and codes are dead from now on; the fact names the customer's id alone."""
    Line.objects.filter(booking__in=bookings).update(duplicate_key="")
    for booking in bookings:
        lifecycle.amend(
            booking, contact_name=ERASED, contact_phone="", token_version=booking.token_version + 1
        )  # fmt: skip
        lifecycle.record_event(
            booking, kind="customer_erased", to_status=booking.status, actor=actor,
            after={"customer": str(customer.id)},
        )  # fmt: skip
    details = BookingEventDetail.objects.filter(Q(event__booking__in=bookings) | _of_former(customer))
    _forget_invited(customer, details)
    erase_rows(details)
    erase_rows(_offers_to(customer.email, customer.organization_id))


def _of_former(customer: Customer) -> Q:
    """Return which side rows are of facts of before the customer handed a booking over."""
    former = Q(pk__in=[])
    for event in _handed_over(customer):
        former |= Q(event__booking=event.booking_id, event__seq__lte=event.seq)
    return former


def _offers_to(email: str, organization_id: UUID) -> "QuerySet[BookingEventDetail]":
    """Return the side rows of offers to hand a booking over to this address."""
    rows = BookingEventDetail.objects.filter(organization=organization_id, event__kind=transfer_links.KIND)
    return rows.filter(note__contains=transfer_links.email_in_note(email))


def _forget_invited(customer: Customer, details: "QuerySet[BookingEventDetail]") -> None:
    """Tell the apps above of those whom a booking was offered to and who are nothing else here; others are known."""
    offered = details.filter(event__kind=transfer_links.KIND).select_related("event")
    asked = {contact.email for row in offered if (contact := transfer_links.contact_of(row.event))}
    here = {"organization": customer.organization_id, "email__in": asked}
    known = {*Customer.objects.filter(**here).values_list("email", flat=True)}
    known |= {*WaitlistEntry.objects.filter(**here).values_list("email", flat=True)}
    for email in sorted(asked - known):
        personal_data_erased.send(
            None, organization_id=customer.organization_id, email=email, subjects=[],
            instead=erased_email(customer.id),
        )  # fmt: skip


def _handed_over(customer: Customer) -> "QuerySet[BookingEvent]":
    return BookingEvent.objects.filter(
        organization=customer.organization_id, kind="booking_transferred", before__customer=str(customer.id)
    )


def erase_waiters(entries: "QuerySet[WaitlistEntry]") -> list[UUID]:
    """Overwrite who waited; return the entries' ids. The caller has seen to it that the wait is over."""
    rows = list(entries.order_by("id").values_list("id", flat=True))
    for entry_id in rows:
        WaitlistEntry.objects.filter(id=entry_id).update(name=ERASED, phone="", email=erased_email(entry_id))
    erase_rows(WaitlistEventDetail.objects.filter(event__entry__in=rows))
    return rows


def _erase_traces(customer: Customer, bookings: Sequence[Booking]) -> None:
    """Overwrite the address on reservations, attempts, links, in the admin's log, and in the tables of apps above."""
    email, instead = customer.email, erased_email(customer.id)
    own = Q(booking__in=bookings) | Q(booking__in=_handed_over(customer).values("booking"), reservation__email=email)
    reservation_ids = set(Line.objects.filter(own).values_list("reservation_id", flat=True))
    _erase_links(customer.organization_id, email)
    forget_payers(
        organization_id=customer.organization_id, references=[booking.id for booking in bookings], email=email,
        instead=instead,
    )  # fmt: skip
    holders.forget_holder(
        organization_id=customer.organization_id, email=email, reservation_ids=reservation_ids, instead=instead
    )
    erase_rows(ScheduleEventDetail.objects.filter(event__after__reservation__in=[str(i) for i in reservation_ids]))
    attempts = Q(booking_id__in=[booking.id for booking in bookings]) | Q(email_digest=email_digest(email))
    erase_rows(Attempt.objects.filter(attempts, organization=customer.organization_id))
    _erase_log(customer)
    personal_data_erased.send(
        None, organization_id=customer.organization_id, email=email, subjects=[], instead=instead
    )  # fmt: skip


def _erase_links(organization_id: UUID, email: str) -> None:
    baskets = Reservation.objects.filter(organization=organization_id, email=email).values("basket")
    ResumeLink.objects.filter(basket__in=baskets).update(email_digest="")


def _erase_log(customer: Customer) -> None:
    """Overwrite what the admin's log calls them by."""
    rows = [customer.id, *Participant.objects.filter(customer=customer).values_list("id", flat=True)]
    LogEntry.objects.filter(object_id__in=[str(row) for row in rows]).update(object_repr=ERASED)
