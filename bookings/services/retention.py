"""What nobody needs any more goes by itself, by the days that each organization has set: personal data, never facts.

Beat asks each night; a batch is a transaction of its own, so a run that is cut off is gone on with by the next one.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from bookings.models import Attempt, Booking, Customer, Line, ResumeLink, WaitlistEntry
from bookings.services import lifecycle
from bookings.services.privacy import ERASED, StillToCome, erase_customer, erase_waiters
from bookings.signals import personal_data_erased
from config.kit.clock import database_now
from config.kit.erasing import erase_rows
from config.kit.facts import Actor, ActorKind
from config.tenants.models import Organization
from scheduling.services import holders

BY_POLICY = Actor(kind=ActorKind.POLICY, channel="system")
REASON = "retention"
BATCH = 200
MOST_BATCHES = 500  # of one kind, one organization and one night


@dataclass(frozen=True, slots=True)
class Due:
    """Whose data, and what is older than this."""

    organization_id: UUID
    before: datetime


def retain_personal_data() -> dict[str, int]:
    """Archive and erase what is older than each organization keeps it; return how many rows of each kind.

    Bookings are archived once every session of theirs is past the time; a customer is erased once all bookings are.
    """
    done: Counter[str] = Counter()
    now = database_now()
    for organization in Organization.objects.order_by("id"):
        due = Due(organization.id, now - timedelta(days=organization.retention_days))
        for name, batch in CLASSES.items():
            done[name] += sum(_batches(batch, due))
    return dict(done)


def _batches(batch: Callable[[Due], int], due: Due) -> Iterator[int]:
    for _ in range(MOST_BATCHES):
        count = batch(due)
        yield count
        if not count:
            return


# A batch of each class --------------------------------------------------------------------------------------------


@transaction.atomic
def archive_bookings(due: Due) -> int:
    """Take bookings out of the day's lists, with a fact; whatever somebody works on is passed by."""
    young = Line.objects.filter(booking=OuterRef("id"), session__ends_at__gte=due.before)
    rows = Booking.objects.filter(
        ~Exists(young), organization=due.organization_id, archived_at=None, created_at__lt=due.before
    )
    locked = list(rows.order_by("id").select_for_update(no_key=True, skip_locked=True)[:BATCH])
    now = database_now()
    for booking in locked:
        lifecycle.amend(booking, archived_at=now)
        lifecycle.record_event(
            booking, kind="booking_archived", to_status=booking.status, actor=BY_POLICY, reason_code=REASON
        )
    return len(locked)


def erase_customers(due: Due) -> int:
    """Erase customers all of whose bookings are archived, one by one; whoever has something to come is passed by."""
    live = Booking.objects.filter(customer=OuterRef("id"), archived_at=None)
    rows = Customer.objects.filter(
        ~Exists(live), organization=due.organization_id, erased_at=None, created_at__lt=due.before
    )
    count = 0
    for customer_id in list(rows.order_by("id").values_list("id", flat=True)[:BATCH]):
        with suppress(StillToCome):
            erase_customer(customer_id=customer_id, actor=BY_POLICY)
            count += 1
    return count


@transaction.atomic
def erase_old_waiters(due: Due) -> int:
    """Erase who waited and never became a customer, or did so under another address."""
    rows = WaitlistEntry.objects.filter(organization=due.organization_id, ended_at__lt=due.before).exclude(name=ERASED)
    batch = rows.filter(id__in=list(rows.order_by("id").values_list("id", flat=True)[:BATCH]))
    ids = erase_waiters(batch)
    _tell_those_above(due, ids)
    return len(ids)


@transaction.atomic
def forget_old_holders(due: Due) -> int:
    """Take the addresses away from holds that came to nothing, and from the links to their baskets."""
    baskets = holders.forget_old_holders(organization_id=due.organization_id, ended_before=due.before)
    links = list(ResumeLink.objects.filter(basket__in=baskets).values_list("id", flat=True))
    ResumeLink.objects.filter(id__in=links).update(email_digest="")
    _tell_those_above(due, links)
    return len(baskets)


def forget_old_attempts(due: Due) -> int:
    """Delete attempts to book."""
    rows = Attempt.objects.filter(organization=due.organization_id, at__lt=due.before)
    return erase_rows(Attempt.objects.filter(id__in=list(rows.values_list("id", flat=True)[:BATCH])))


def _tell_those_above(due: Due, subjects: list[UUID]) -> None:
    if subjects:
        personal_data_erased.send(
            None, organization_id=due.organization_id, email=None, subjects=subjects,
            instead="erased@erased.invalid",
        )  # fmt: skip


CLASSES = {
    "bookings archived": archive_bookings,
    "customers erased": erase_customers,
    "waiting parties erased": erase_old_waiters,
    "holders forgotten": forget_old_holders,
    "attempts deleted": forget_old_attempts,
}
