"""A way back to a basket: on another device, by a link in the mail, which opens it once."""

from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import transaction

from bookings.models import ResumeLink
from bookings.signals import fact_recorded
from config.kit.clock import database_now
from config.kit.refusals import NotFound, Refusal, invalid
from config.kit.tokens import is_valid_token, keyed_digest
from scheduling.models import Reservation
from scheduling.services import holders

LASTS = timedelta(minutes=30)  # longer than the hold: what has lapsed meanwhile can be held again there
MOST_LINKS = 5  # of one basket: more is no forgetfulness
KIND = "resume_link_asked"


class ResumeLinkOver(Refusal):
    """It was used, or its time is over; a new one can be sent to the same address."""

    code, title = "resume_link_over", "This link has been used, or its time is over"


class TooManyLinks(Refusal):
    """Enough links were sent for this basket; the newest still works."""

    code, title, status = "too_many_links", "Several links were sent already: use the newest", 429


@transaction.atomic
def ask_resume_link(*, basket: UUID, email: str) -> ResumeLink:
    """Make a link to a basket for half an hour; the messages see to it that it is sent to this address.

    Refuses with NotFound when nothing is held in the basket, InvalidRequest without an address, and TooManyLinks.
    """
    email = email.strip().lower()
    if "@" not in email:
        raise invalid("email", "required", "Give the e-mail address to which the link is to go.")
    first = Reservation.objects.of_basket(basket).filter(status=Reservation.Status.HELD).first()
    if first is None:
        raise NotFound
    holders.name_holder(basket=basket, email=email)
    return _make_link(first, email)


@transaction.atomic
def ask_again(*, link_id: UUID, token: str) -> ResumeLink:
    """Make another link to the same basket, for the same address, whatever became of the first.

    Refuses with NotFound (a wrong token, or an address that is erased) and TooManyLinks.
    """
    link = _opened_by(link_id, token)
    first = Reservation.objects.of_basket(link.basket).exclude(status=Reservation.Status.RELEASED).first()
    if first is None or _digest(first.email) != link.email_digest:
        raise NotFound
    return _make_link(first, first.email)


def open_resume_link(*, link_id: UUID, token: str) -> UUID:
    """Use a link, once, and return the basket that it opens; refuses with NotFound or ResumeLinkOver."""
    link = _opened_by(link_id, token)
    now = database_now()
    rows = ResumeLink.objects.filter(id=link.id, used_at=None, expires_at__gt=now)
    if not rows.update(used_at=now):  # of two at once one has it
        raise ResumeLinkOver
    return link.basket


def check_resume_link(*, link_id: UUID, token: str) -> ResumeLink:
    """Return a link that would open its basket now, and use nothing; refuses with NotFound or ResumeLinkOver."""
    link = _opened_by(link_id, token)
    if link.used_at or link.expires_at <= database_now():
        raise ResumeLinkOver
    return link


def _opened_by(link_id: UUID, token: str) -> ResumeLink:
    link = ResumeLink.objects.select_related("organization").filter(id=link_id).first()
    if link is None or not is_valid_token(token, purpose="resume", subject=link.id):
        raise NotFound
    return link


def _make_link(first: Reservation, email: str) -> ResumeLink:
    if ResumeLink.objects.filter(basket=first.basket).count() >= MOST_LINKS:
        raise TooManyLinks
    link = ResumeLink.objects.create(
        organization_id=first.organization_id, basket=first.basket, email_digest=_digest(email),
        expires_at=database_now() + LASTS,
    )  # fmt: skip
    transaction.on_commit(partial(fact_recorded.send, None, fact_id=link.id, kind=KIND), robust=True)
    return link


def _digest(email: str) -> str:
    return keyed_digest(email, purpose="resume-email")
