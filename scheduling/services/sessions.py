"""Close a session for new bookings, and open it again. Who has booked stays booked."""

from uuid import UUID

from django.db import transaction
from django.db.models import F

from config.kit.refusals import NotFound, invalid
from scheduling.models import Session
from scheduling.services import capacity


def close_session(*, session_id: UUID) -> Session:
    """Take no new bookings; what staff closed stays closed, however many places come free."""
    return _move(session_id, Session.Status.CLOSED)


def reopen_session(*, session_id: UUID) -> Session:
    """Take bookings again."""
    return _move(session_id, Session.Status.PUBLISHED)


@transaction.atomic
def _move(session_id: UUID, status: Session.Status) -> Session:
    session = capacity.lock_sessions([session_id]).get(session_id)
    if session is None:
        raise NotFound
    if session.status == status:
        return session
    if not Session.TRANSITIONS.allows(session.status, status):
        raise invalid("status", "illegal_transition", f"A {session.status} session cannot become {status}.")
    Session.objects.filter(id=session_id).update(status=status, version=F("version") + 1)
    session.refresh_from_db()
    capacity.announce([session.id], [session.activity_id])
    return session
