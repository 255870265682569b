"""Close a session for new bookings, open it again, or cancel it once nobody is booked. Who has booked stays booked."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import F

from config.kit.facts import Actor
from config.kit.refusals import NotFound, Refusal, invalid
from scheduling.models import Session
from scheduling.services import capacity, events


class SessionInUse(Refusal):
    """Somebody is booked in it, or about to be: a session is cancelled when nobody is left."""

    code, title = "session_in_use", "Somebody still has places in this session"


def close_session(*, session_id: UUID, actor: Actor, reason_code: str = "") -> Session:
    """Take no new bookings; what staff closed stays closed, however many places come free. Again is harmless."""
    return _move(session_id, Session.Status.CLOSED, "session_closed", actor, reason_code)


def reopen_session(*, session_id: UUID, actor: Actor, reason_code: str = "") -> Session:
    """Take bookings again."""
    return _move(session_id, Session.Status.PUBLISHED, "session_reopened", actor, reason_code)


def cancel_session(*, session_id: UUID, actor: Actor, reason_code: str = "") -> Session:
    """Say for good that a session does not take place, or raise SessionInUse while anybody has places in it.

    Nobody is cancelled by it: those who booked have moved or cancelled before, each by an act of their own.
    """
    return _move(session_id, Session.Status.CANCELLED, "session_cancelled", actor, reason_code)


def close_locked(session_ids: Iterable[UUID]) -> None:
    """Close locked sessions that are not closed yet; the fact is the caller's."""
    capacity.require_transaction()
    rows = Session.objects.filter(id__in=list(session_ids), status=Session.Status.PUBLISHED)
    open_now = list(rows.order_by("id").values_list("id", "activity_id"))
    rows.update(status=Session.Status.CLOSED, version=F("version") + 1)
    if open_now:
        capacity.announce([row[0] for row in open_now], [row[1] for row in open_now])


@transaction.atomic
def _move(session_id: UUID, status: Session.Status, kind: str, actor: Actor, reason_code: str) -> Session:
    session = capacity.lock_sessions([session_id]).get(session_id)
    if session is None:
        raise NotFound
    if session.status == status:
        return session
    if status == Session.Status.CANCELLED:
        session = _emptied(session)
    if not Session.TRANSITIONS.allows(session.status, status):
        raise invalid("status", "illegal_transition", f"A {session.status} session cannot become {status}.")
    before = session.status
    Session.objects.filter(id=session_id).update(status=status, version=F("version") + 1)
    session.refresh_from_db()
    events.record_schedule_event(
        organization_id=session.organization_id, activity_id=session.activity_id, session_id=session.id, kind=kind,
        actor=actor, reason_code=reason_code, before={"status": before}, after={"status": status},
    )  # fmt: skip
    capacity.announce([session.id], [session.activity_id])
    return session


def _emptied(session: Session) -> Session:
    """Give back what has lapsed in a locked session, and refuse while anybody has places."""
    capacity.reclaim_lapsed([session.id])
    session.refresh_from_db()
    if session.places_booked or session.places_held:
        booked, held = session.places_booked, session.places_held
        raise SessionInUse(
            f"{booked} places are booked and {held} are held. Offer those who booked to move or to cancel first.",
            extra={"places_booked": booked, "places_held": held},
        )
    return session
