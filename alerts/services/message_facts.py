"""What happened to a message, as a fact of what it is about: a booking, or a waiting party."""

from uuid import UUID

from alerts.models import Notification
from bookings.models import Booking, WaitlistEntry
from bookings.services import lifecycle
from bookings.services.waitlist_events import record_waitlist_event
from config.kit.facts import Actor

Subject = Booking | WaitlistEntry | None


def lock_subject(row: Notification) -> Subject:
    """Lock what a message is about, before the message itself; a link to a basket has no chain of facts."""
    booking = Booking.objects.select_for_update(no_key=True).filter(id=row.subject_id).first()
    return booking or WaitlistEntry.objects.select_for_update(no_key=True).filter(id=row.subject_id).first()


def record_message_fact(subject: Subject, row: Notification, *, kind: str, actor: Actor) -> UUID | None:
    """Append the fact and return its id, or None where there is no chain."""
    after = {"notification": str(row.id), "message": row.kind}
    if isinstance(subject, Booking):
        return lifecycle.record_event(
            subject, kind=kind, from_status=subject.status, to_status=subject.status, actor=actor, after=after
        ).id
    if isinstance(subject, WaitlistEntry):
        return record_waitlist_event(subject, kind=kind, from_status=subject.status, actor=actor, after=after).id
    return None
