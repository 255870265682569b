"""The same people in the same session twice: a soft block, lifted by saying that it is meant.

The rule stands in two places: a look under the session's lock, and a unique index over live lines without an override
(`line_duplicate_once`). A refused attempt leaves its fact on the booking that was there first.
"""

import functools
import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ParamSpec, TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction

from bookings.models import Booking, Line
from bookings.services import lifecycle
from config.kit.facts import SYSTEM, Actor
from config.kit.mailboxes import normalised
from config.kit.refusals import FieldError, Refusal
from scheduling.services.capacity import require_transaction

P = ParamSpec("P")
R = TypeVar("R")

CONSTRAINT = "line_duplicate_once"
REASON = "same_email_and_people"


class DuplicateBooking(Refusal):
    """The same e-mail address has a live booking of the same session for the same people."""

    code, title = "duplicate_booking", "You may have booked this already"

    def __init__(self, keys: Mapping[str, UUID]) -> None:
        super().__init__(
            "You may have booked this already: look in your mail. If a second booking is meant, book again all the"
            " same.",
            errors=[FieldError("confirm_duplicate", self.code, "Send true to book again all the same.")],
        )
        self.keys = dict(keys)
        self.existing: list[Booking] = []

    def name_to_owner(self, owns: Callable[[Booking], bool]) -> None:
        """Name those of the existing bookings that are the caller's own; a stranger learns no number."""
        own = [booking for booking in self.existing if owns(booking)]
        if own:
            numbers = ", ".join(booking.number for booking in own)
            self.detail = (
                f"You have booked this already: {numbers}. If a second booking is meant, book again all the same."
            )
            self.extra["existing"] = [{"id": booking.id, "number": booking.number} for booking in own]


def duplicate_key(*, session_id: UUID, email: str, people: Iterable[str] = ()) -> str:
    """Return the digest of session, mailbox and the names of those who come; a family of other people is another."""
    names = sorted(" ".join(unicodedata.normalize("NFKC", name).casefold().split()) for name in people)
    return hashlib.sha256("\n".join([session_id.hex, normalised(email), *names]).encode()).hexdigest()


def look_under_lock(keys: Mapping[str, UUID]) -> dict[str, Line]:
    """Find the twins while their sessions are locked, so that none can appear meanwhile."""
    require_transaction()
    return find_twins(keys)


def find_twins(keys: Mapping[str, UUID]) -> dict[str, Line]:
    """Return the first live line of each key that has one; a key comes with its session, whose lines are few."""
    rows = Line.objects.filter(session__in=set(keys.values()), duplicate_key__in=list(keys), status=Line.Status.LIVE)
    return {line.duplicate_key: line for line in rows.order_by("-id")}


def write_lines(lines: Sequence[Line], twins: Mapping[str, Line]) -> None:
    """Write a booking's lines under their sessions' locks; `twins` are what was found there, and is meant.

    Within one booking a repetition is no accident: its page shows both lines, and the second points at the first.
    Raises DuplicateBooking when the unique index knows a twin that the look did not find.
    """
    first = dict(twins)
    for line in lines:
        line.duplicate_override_of = first.get(line.duplicate_key)
        first.setdefault(line.duplicate_key, line)
    try:
        Line.objects.bulk_create(lines)
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") == CONSTRAINT:
            keys = {line.duplicate_key: line.session_id for line in lines}
            raise DuplicateBooking(keys) from error  # another one was a moment earlier
        raise


def record_overrides(booking: Booking, lines: Sequence[Line], twins: Mapping[str, Line], *, actor: Actor) -> None:
    """Say in a fact of the new booking which line it repeats, and who said that this is meant."""
    for line in lines:
        twin = twins.get(line.duplicate_key)
        if twin:
            lifecycle.record_event(
                booking, kind="duplicate_overridden", to_status=booking.status, actor=actor, reason_code=REASON,
                after={"session": str(line.session_id), "line": str(line.id), "duplicate_of": str(twin.booking_id)},
            )  # fmt: skip


def leave_a_trace(act: Callable[P, R]) -> Callable[P, R]:
    """Record each refused duplicate once the act's own transaction is rolled back; the act takes `actor` by name."""

    @functools.wraps(act)
    def traced(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return act(*args, **kwargs)
        except DuplicateBooking as refused:
            actor = kwargs["actor"]
            refused.existing = record_refusals(refused.keys, actor=actor if isinstance(actor, Actor) else SYSTEM)
            raise

    return traced


def record_refusals(keys: Mapping[str, UUID], *, actor: Actor) -> list[Booking]:
    """Write `duplicate_refused` to each booking that was in the way, and return these bookings."""
    twins = sorted(find_twins(keys).values(), key=lambda line: line.booking_id)
    sessions = {line.booking_id: line.session_id for line in twins}
    return [_record_refusal(booking_id, session_id, actor=actor) for booking_id, session_id in sessions.items()]


@transaction.atomic
def _record_refusal(booking_id: UUID, session_id: UUID, *, actor: Actor) -> Booking:
    """Append the fact under the booking's lock, so that it ends in the status that the booking has."""
    booking = Booking.objects.select_for_update(no_key=True).get(id=booking_id)
    lifecycle.record_event(
        booking, kind="duplicate_refused", to_status=booking.status, actor=actor, reason_code=REASON,
        after={"session": str(session_id)},
    )  # fmt: skip
    return booking
