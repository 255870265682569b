"""Messages to their provider: claimed, written and committed; sent outside any transaction; then marked.

Exactly once in effect: a claim says beforehand that the provider may have the message (`unanswered`), each try carries
the notification's id as key and the same words, and a provider with idempotency keys (Resend: 24 hours) takes one of a
key. All tries lie within those hours. A message of which nobody knows whether a provider has it stays with that
provider; the fallback gets only what the first has surely not taken. Providers without keys, SMTP among them, may be
handed a message twice when a worker dies between their answer and our mark: the Message-ID is the same.
"""

import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import Error, transaction
from django.db.models import F, Min, QuerySet

from alerts.models import Notification
from alerts.services import letters
from alerts.services.message_facts import lock_subject, record_message_fact
from alerts.transports.email import Mail, Mailer, Refused, Unanswered, mailers
from config.kit.clock import database_now
from config.kit.facts import SYSTEM, Actor
from config.kit.refusals import NotFound, Refusal

logger = logging.getLogger(__name__)

BATCH = 20  # claimed, and written, in one transaction
LEASE = timedelta(minutes=3)  # longer than a batch can take; then another worker may try
FIRST_PAUSE_SECONDS = 30
LONGEST_PAUSE_SECONDS = 2 * 60 * 60
TRIES = 16  # within 18 hours: a provider that knows keys for 24 still knows this one
UNANSWERED = "unanswered by "
NOBODY = ".invalid"  # what the address of an erased person ends with (RFC 2606)
QUEUED, SENT, DROPPED, FAILED = (
    Notification.Status.QUEUED, Notification.Status.SENT, Notification.Status.DROPPED, Notification.Status.FAILED,
)  # fmt: skip


class NotRepeatable(Refusal):
    """The message is still on its way, or is not so any more."""

    code, title = "not_repeatable", "This message cannot be sent again now"


class Pause(Exception):
    """Nothing more can be sent for a while."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this worker may send until the lease ends."""

    row: Notification
    last_error: str  # before the claim

    @property
    def held_by(self) -> str:
        """Return the provider that may have it already, or nothing."""
        return provider_of(self.last_error)


def provider_of(last_error: str) -> str:
    """Return the provider that has not answered, as an earlier try noted it."""
    return last_error.removeprefix(UNANSWERED).partition(":")[0] if last_error.startswith(UNANSWERED) else ""


def pause_before(tries: int, *, chance: float) -> timedelta:
    """Return how long to wait after so many tries: doubled each time, up to two hours, less a share by chance.

    `chance` is between 0 and 1: half of the pause is fixed, the other half is drawn, so that many do not come at once.
    """
    longest = min(FIRST_PAUSE_SECONDS * 2 ** (tries - 1), LONGEST_PAUSE_SECONDS)
    return timedelta(seconds=longest * (0.5 + chance / 2))


def deliver_due() -> int:
    """Send what is due, batch by batch over one connection; return how many messages were sent. Safe many at once."""
    providers = mailers()
    if not providers:
        return 0
    sent = 0
    try:
        while batch := claim_batch():
            sent += _send_batch(batch, providers)
    except Pause as pause:
        logger.warning("mail pauses: %s", pause)
    finally:
        for provider in providers:
            provider.close()
    return sent


# Claiming ---------------------------------------------------------------------------------------------------------


def claim_batch() -> list[Claimed]:
    """Claim what is due and nobody else has, and write it; what cannot be written is given up, visibly."""
    claimed, unwritable = _claim()
    for row, error in unwritable:
        _give_up(row.id, error)
    return claimed if claimed or not unwritable else claim_batch()


@transaction.atomic
def _claim() -> tuple[list[Claimed], list[tuple[Notification, str]]]:
    now = database_now()
    rows = due(now).select_for_update(no_key=True, skip_locked=True, of=("self",)).select_related("organization")
    claimed: list[Claimed] = []
    unwritable: list[tuple[Notification, str]] = []
    for row in rows.order_by("next_try_at", "id")[:BATCH]:
        before = row.last_error
        row.tries, row.next_try_at = row.tries + 1, now + LEASE
        row.last_error = f"{UNANSWERED}{provider_of(before) or 'primary'}: the worker did not come back"
        try:
            with transaction.atomic():
                _write(row)
        except letters.NotSoAnyMore:
            row.status, row.last_error = DROPPED, "it is not so any more"
        except Error:
            raise
        except Exception as error:  # a template, a row that is gone: this message is lost, no other
            logger.exception("the message %s could not be written", row.id)
            unwritable.append((row, f"not written: {type(error).__name__}"))
            row.last_error = before
        else:
            claimed.append(Claimed(row, before))
        row.save(update_fields=["tries", "next_try_at", "last_error", "status", "title", "text", "html", "calendar"])
    return claimed, unwritable


def due(now: "object") -> "QuerySet[Notification]":
    """Return what is to be tried by now."""
    return Notification.objects.filter(status=QUEUED, next_try_at__lte=now)


def _write(row: Notification) -> None:
    """Write the words at the first try; a reminder or an offer is looked at each time. A repeat says the same."""
    draft = letters.draft(row)
    if not row.title:
        row.title, row.text, row.html = draft.written.title[:300], draft.written.text, draft.written.html
        row.calendar = draft.calendar


# Sending ----------------------------------------------------------------------------------------------------------


def _send_batch(batch: Sequence[Claimed], providers: Sequence[Mailer]) -> int:
    sent = 0
    for place, claimed in enumerate(batch):
        try:
            sent += _send(claimed, providers)
        except Pause:
            _put_back(batch[place + 1 :])
            raise
    return sent


def _send(claimed: Claimed, providers: Sequence[Mailer]) -> bool:
    """Send one message by the first provider that may have it and is up; note what became of it."""
    row = claimed.row
    try:
        provider, provider_id = _hand_over(claimed, providers)
    except Unanswered as error:
        _try_later(claimed, row.last_error.partition(":")[0] + f": {error}")
    except Refused as error:
        _refused(claimed, error)
    else:
        return _mark_sent(row, provider, provider_id)
    return False


def _hand_over(claimed: Claimed, providers: Sequence[Mailer]) -> tuple[Mailer, str]:
    refused = Refused("no provider is up", is_down=True)
    for provider in _open_to(claimed, providers):
        _note_provider(claimed.row, provider)
        try:
            return provider, provider.send(_mail(claimed.row))
        except Refused as error:
            refused, provider.is_down = error, error.is_down
            if not error.is_down:
                raise
    raise refused


def _open_to(claimed: Claimed, providers: Sequence[Mailer]) -> Iterator[Mailer]:
    """Yield who may be asked: all that are up, or the one alone that may have it already."""
    for provider in providers:
        if not provider.is_down and claimed.held_by in ("", provider.name):
            yield provider


def _note_provider(row: Notification, provider: Mailer) -> None:
    """Say beforehand who is asked, when it is another than the claim says."""
    if provider_of(row.last_error) != provider.name:
        row.last_error = f"{UNANSWERED}{provider.name}: the worker did not come back"
        Notification.objects.filter(id=row.id).update(last_error=row.last_error)


def _mail(row: Notification) -> Mail:
    return Mail(
        key=str(row.id), sender=row.organization.name, recipient=row.recipient, title=row.title, text=row.text,
        html=row.html, calendar=row.calendar,
    )  # fmt: skip


# What became of it ------------------------------------------------------------------------------------------------


def _mark_sent(row: Notification, provider: Mailer, provider_id: str) -> bool:
    name = provider_id if provider.name == "primary" else f"{provider.name} {provider_id}".strip()
    return bool(_queued(row.id).update(last_error="", status=SENT, sent_at=database_now(), provider_id=name[:200]))


def _refused(claimed: Claimed, error: Refused) -> None:
    row, words = claimed.row, str(error)
    if claimed.held_by:
        words = f"{UNANSWERED}{claimed.held_by}: later {words}"
    if error.is_final:
        _give_up(row.id, words)
    elif error.wait_seconds is not None:
        _queued(row.id).update(tries=F("tries") - 1, last_error=words[:300])
        _wait(error.wait_seconds)
        raise Pause(words)
    else:
        _try_later(claimed, words)
        if error.is_down:
            raise Pause(words)


def _try_later(claimed: Claimed, words: str) -> None:
    """Plan the next try; after the last one give up."""
    row = claimed.row
    if row.tries >= TRIES:
        _give_up(row.id, words)
        return
    pause = pause_before(row.tries, chance=random.random())  # noqa: S311 nothing secret
    _queued(row.id).update(next_try_at=database_now() + pause, last_error=words[:300])


def _put_back(batch: Sequence[Claimed]) -> None:
    """Give back what was claimed and not tried, as it was."""
    now = database_now()
    soon = now + timedelta(seconds=FIRST_PAUSE_SECONDS)
    for claimed in batch:
        row = _queued(claimed.row.id)
        row.update(tries=F("tries") - 1, last_error=claimed.last_error)
        row.filter(next_try_at__lte=now + LEASE).update(next_try_at=soon)  # unless it is to wait for longer


def _wait(seconds: float) -> None:
    """Let everything that is due wait as long as the provider asks; it says no to all of it alike."""
    until = database_now() + timedelta(seconds=seconds)
    with transaction.atomic():
        waiting = due(until).select_for_update(no_key=True, skip_locked=True).values_list("id", flat=True)
        Notification.objects.filter(id__in=list(waiting), status=QUEUED).update(next_try_at=until)


@transaction.atomic
def _give_up(notification_id: UUID, words: str) -> None:
    """Mark a message as failed, with the fact from which staff get an alert."""
    row = Notification.objects.get(id=notification_id)
    subject = lock_subject(row)
    if _queued(row.id).update(last_error=words[:300], status=FAILED):
        record_message_fact(subject, row, kind="message_failed", actor=SYSTEM)


def _queued(notification_id: UUID) -> "QuerySet[Notification]":
    return Notification.objects.filter(id=notification_id, status=QUEUED)


# By staff ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def repeat_message(*, notification_id: UUID, actor: Actor) -> str:
    """Send a message again: a failed one goes back into the queue, of a sent one the fact makes another.

    Refuses with NotRepeatable what is queued or dropped, and with NotFound.
    """
    row = Notification.objects.filter(id=notification_id).first()
    if row is None:
        raise NotFound
    subject = lock_subject(row)
    row = Notification.objects.select_for_update(no_key=True).get(id=notification_id)
    if row.recipient.endswith(NOBODY):
        raise NotRepeatable("Whom it was for has been erased.")
    if row.status == FAILED:
        now = database_now()
        Notification.objects.filter(id=row.id, status=FAILED).update(tries=0, status=QUEUED, next_try_at=now)
        record_message_fact(subject, row, kind="message_queued_again", actor=actor)
        return "in the queue again."
    if row.status != SENT:
        raise NotRepeatable(f"It is {row.status}.")
    if record_message_fact(subject, row, kind="message_repeated", actor=actor) is None:
        raise NotRepeatable("A link that was asked for is asked for again by who wants it.")
    return "will be sent once more."


# Figures ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """How the queue is."""

    queued: int  # due and not sent
    oldest_seconds: float
    failed: int  # and not sent since


def queue_figures() -> Figures:
    """Return how many messages are due, since when the oldest is, and how many were given up."""
    now = database_now()
    waiting = Notification.objects.filter(status=QUEUED, due_at__lte=now)
    oldest = waiting.aggregate(at=Min("due_at"))["at"]
    age = (now - oldest).total_seconds() if oldest else 0.0
    return Figures(waiting.count(), age, Notification.objects.filter(status=FAILED).count())
