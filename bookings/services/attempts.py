"""Every submitted checkout leaves an attempt: what for, from where, and what came of it.

One that books is written in the booking's own transaction. One that is refused, or breaks, is written after that
transaction was rolled back, in one statement of its own: a process that dies in between leaves none. The same request
sent again (Idempotency-Key), with the same answer, leaves no second. Nothing personal is kept: addresses are keyed
digests, by which they can be counted and not read.
"""

import functools
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import Count
from prometheus_client import Counter

from bookings.models import Attempt, Booking, Line
from config.kit.clock import database_now
from config.kit.facts import Actor
from config.kit.idempotency import Claim
from config.kit.ids import uuid7
from config.kit.mailboxes import normalised
from config.kit.problems import refusal_of
from config.kit.refusals import Refusal
from config.kit.tokens import keyed_digest
from config.kit.visitors import prefix_of
from scheduling.models import Reservation, Session

P = ParamSpec("P")
R = TypeVar("R")
logger = logging.getLogger(__name__)
REFUSED = Counter("holdfast_attempts_refused", "Checkouts that were refused or broke, by what was wrong.", ["code"])
UNFORESEEN = "unexpected"


@dataclass(frozen=True, slots=True)
class Submitted:
    """What was sent: who asks, for whom, and which sessions or basket."""

    actor: Actor
    email: str = ""
    sessions: Sequence[UUID] = ()
    party_size: int = 0
    basket: UUID | None = None
    claim: Claim | None = None


def leave_an_attempt(act: Callable[P, R]) -> Callable[P, R]:
    """Record a refused or failed attempt once the act's own transaction is rolled back; the act takes names only."""

    @functools.wraps(act)
    def noted(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return act(*args, **kwargs)
        except Exception as error:
            record_unbooked(_submitted(kwargs), error)
            raise

    return noted


def record_booked(booking: Booking, lines: Sequence[Line], *, actor: Actor, email: str) -> None:
    """Write the attempt that became this booking, in its transaction."""
    submitted = Submitted(
        actor, email, [line.session_id for line in lines], sum(line.party_size for line in lines)
    )  # fmt: skip
    attempt = _attempt(submitted, booking.organization_id, Attempt.Outcome.BOOKED)
    attempt.booking_id = booking.id
    attempt.save(force_insert=True)


def record_unbooked(submitted: Submitted, error: Exception) -> None:
    """Write what was refused, with every code, or what broke; never breaks anything itself."""
    codes = codes_of(error)
    for code in codes:
        REFUSED.labels(code).inc()
    is_ours = not isinstance(error, Refusal) and (refusal_of(error) is None or codes == ["busy"])
    outcome = Attempt.Outcome.FAILED if is_ours else Attempt.Outcome.REFUSED
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            _write_unbooked(submitted, outcome, codes)
    except DatabaseError:
        logger.exception("an attempt to book could not be recorded: %s", codes)


def codes_of(error: Exception) -> list[str]:
    """Return the refusal's code and those of its errors, each once."""
    refusal = refusal_of(error)
    if refusal is None:
        return [UNFORESEEN]
    return list(dict.fromkeys([refusal.code, *(each.code for each in refusal.errors)]))


def _write_unbooked(submitted: Submitted, outcome: Attempt.Outcome, codes: list[str]) -> None:
    """Write it once: a twin has the same id. What names no session of anybody's is nobody's attempt."""
    sessions, people, owner = _looked_up(submitted)
    if owner is None:
        return
    asked = Submitted(submitted.actor, submitted.email, sessions, people, claim=submitted.claim)
    attempt = _attempt(asked, owner, outcome)
    attempt.codes = codes
    if submitted.claim:
        attempt.id = _twin_id(submitted.claim, outcome, codes)
    Attempt.objects.bulk_create([attempt], ignore_conflicts=True)


def _twin_id(claim: Claim, outcome: str, codes: Iterable[str]) -> UUID:
    parts = f"{claim.id}:{claim.fingerprint}:{outcome}:{','.join(codes)}"
    return UUID(bytes=hashlib.blake2b(parts.encode(), digest_size=16).digest())


def _looked_up(submitted: Submitted) -> tuple[Sequence[UUID], int, UUID | None]:
    """Return the sessions, how many people, and the organization, from what is asked for."""
    if submitted.basket:
        rows = Reservation.objects.filter(basket=submitted.basket)
        found = list(rows.values_list("session_id", "party_size", "organization_id"))
        owner = found[0][2] if found else None
        return [session_id for session_id, _, _ in found], sum(size for _, size, _ in found), owner
    owners = Session.objects.filter(id__in=submitted.sessions).order_by("id").values_list("organization_id", flat=True)
    return submitted.sessions, submitted.party_size, owners.first()


def _attempt(submitted: Submitted, organization_id: UUID, outcome: Attempt.Outcome) -> Attempt:
    actor = submitted.actor
    return Attempt(
        id=uuid7(), organization_id=organization_id, channel=actor.channel, outcome=outcome,
        sessions=list(submitted.sessions), party_size=submitted.party_size, email_digest=email_digest(submitted.email),
        address_digest=address_digest(actor.detail.get("ip_address")), actor_kind=actor.kind,
    )  # fmt: skip


def _submitted(kwargs: Mapping[str, Any]) -> Submitted:
    """Read the names that book_lines and book_basket share."""
    lines = kwargs.get("lines") or ()
    return Submitted(
        actor=kwargs["actor"],
        email=kwargs["contact"].email,
        sessions=[line.party.session_id for line in lines],
        party_size=sum(line.party.people for line in lines),
        basket=kwargs.get("basket"),
        claim=kwargs.get("claim"),
    )


# Who ---------------------------------------------------------------------------------------------------------------


def email_digest(email: str) -> str:
    """Return the keyed digest of a mailbox; of nothing, nothing."""
    return keyed_digest(normalised(email), purpose="attempt-email") if email else ""


def address_digest(address: str | None) -> str:
    """Return the keyed digest of an address's network; of nothing, nothing."""
    return keyed_digest(prefix_of(address), purpose="attempt-address") if address else ""


def attempts_of(email: str, *, within: timedelta, organization_id: UUID) -> dict[str, int]:
    """Return how many attempts a mailbox has made lately with an organization, by outcome.

    A new first key in TOKEN_KEYS begins the count anew.
    """
    rows = Attempt.objects.filter(
        organization=organization_id, email_digest=email_digest(email), at__gt=database_now() - within
    )
    found: dict[str, int] = dict(rows.order_by().values_list("outcome").annotate(Count("id")))
    return {outcome.value: found.get(outcome.value, 0) for outcome in Attempt.Outcome}
