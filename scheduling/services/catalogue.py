"""What is on sale: publish, withdraw and discontinue activities, and keep their sessions' `on_sale` true to it.

A hold asks its session's row alone, so the row carries whether its activity is published and its organization active.
"""

from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from config.kit.facts import Actor
from config.kit.refusals import NotFound, invalid
from config.kit.retries import retry_on_deadlock
from config.tenants.history import record_organization_event
from config.tenants.models import Organization
from scheduling.models import Activity, Venue
from scheduling.services import capacity, events

MOVED = {
    Activity.Status.PUBLISHED: "activity_published",
    Activity.Status.DRAFT: "activity_withdrawn",
    Activity.Status.DISCONTINUED: "activity_discontinued",
}  # the facts
REFRESH_BATCH = 500  # sessions locked at once


@transaction.atomic
def set_activity_status(*, activity_id: UUID, status: Activity.Status, actor: Actor) -> None:
    """Move an activity to another status, and say so; bookings stay as they are, only new sale begins or ends.

    Refuses a step that the transition table does not know, and publishing what has no default unit to be priced by.
    """
    before = write_activity_status(activity_id=activity_id, status=status)
    if before.status != status:
        events.record_schedule_event(
            organization_id=before.organization_id, activity_id=activity_id, kind=MOVED[status], actor=actor,
            before={"status": before.status}, after={"status": status},
        )  # fmt: skip


def write_activity_status(*, activity_id: UUID, status: Activity.Status) -> Activity:
    """Move it in the caller's transaction, the fact is the caller's; return the activity as it was before."""
    before = Activity.objects.select_for_update(no_key=True).filter(id=activity_id).first()
    if before is None:
        raise NotFound
    if before.status == status:
        return before
    if not Activity.TRANSITIONS.allows(before.status, status):
        raise invalid("status", "illegal_transition", f"An activity cannot go from {before.status} to {status}.")
    if status == Activity.Status.PUBLISHED and not before.units.filter(is_default=True).exists():
        raise invalid("units", "no_default_unit", "Say first what one place costs: there is no default unit.")
    Activity.objects.filter(id=activity_id).update(status=status)
    refresh_on_sale(organization_id=before.organization_id, activity_id=activity_id)
    capacity.announce([], [activity_id])
    return before


@retry_on_deadlock
@transaction.atomic
def set_organization_status(*, organization_id: UUID, status: Organization.Status, actor: Actor) -> None:
    """Let an organization sell, or stop it, and say so; bookings stay as they are."""
    if not Organization.objects.filter(id=organization_id).exclude(status=status).update(status=status):
        return
    refresh_on_sale(organization_id=organization_id)
    kind = "organization_activated" if status == Organization.Status.ACTIVE else "organization_suspended"
    record_organization_event(organization_id=organization_id, kind=kind, actor=actor, after={"status": status})


def announce_activity(*, activity_id: UUID) -> None:
    """Tell displays, after commit, that an activity's price or words have changed."""
    capacity.announce([], [activity_id])


# One statement may decide a bare party of such an activity `a`: its default unit costs what its own row or its session
# says, whenever and however full, and a party of any size may come of that unit alone.
IS_PLAIN = """(a.smallest_party = 1 AND a.largest_party IS NULL
    AND NOT EXISTS (SELECT FROM scheduling_pricerule p WHERE p.activity_id = a.id AND p.ended_at IS NULL)
    AND NOT EXISTS (SELECT FROM scheduling_unit u WHERE u.activity_id = a.id AND u.is_default
        AND (u.minimum_count > 1 OR u.maximum_count IS NOT NULL OR u.needs_accompaniment
            OR EXISTS (SELECT FROM scheduling_unitprice x WHERE x.unit_id = u.id AND x.schedule_id IS NOT NULL))))"""


@transaction.atomic
def refresh_plain_hold(*, activity_id: UUID) -> bool:
    """Keep `plain_hold` true to an activity's rules, prices and limits; whoever writes one of them calls this.

    The lock is waited for before the look, in a statement of its own, so that the last writer sees what all wrote.
    """
    list(Activity.objects.select_for_update(no_key=True).filter(id=activity_id).values_list("id"))
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE scheduling_activity a SET plain_hold = {IS_PLAIN} WHERE a.id = %s RETURNING a.plain_hold",
            [activity_id],
        )
        row = cursor.fetchone()
    if row is None:
        raise NotFound
    return bool(row[0])


@transaction.atomic
def renew_feed_address(*, venue_id: UUID, actor: Actor) -> None:
    """End a venue's calendar address, and every copy of it; its page shows the new one."""
    Venue.objects.filter(id=venue_id).update(feed_version=F("feed_version") + 1)
    owner = Venue.objects.values_list("organization_id", flat=True).get(id=venue_id)
    told = {"venue": str(venue_id)}
    record_organization_event(organization_id=owner, kind="feed_address_renewed", actor=actor, after=told)


def refresh_on_sale(*, organization_id: UUID, activity_id: UUID | None = None) -> int:
    """Set `on_sale` of the sessions to come as their activity and organization say; return how many changed."""
    changed = 0
    while batch := _stale_sessions(organization_id, activity_id):
        with transaction.atomic():
            capacity.lock_sessions(batch)
            _set_on_sale(batch)
        changed += len(batch)
    return changed


SELLING = "(a.status = 'published' AND o.status = 'active')"


def _stale_sessions(organization_id: UUID, activity_id: UUID | None) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT s.id FROM scheduling_session s JOIN scheduling_activity a ON a.id = s.activity_id
            JOIN tenants_organization o ON o.id = s.organization_id
            WHERE s.organization_id = %s AND (%s::uuid IS NULL OR s.activity_id = %s) AND s.on_sale <> {SELLING}
                AND s.ends_at > (SELECT clock_timestamp()) ORDER BY s.id LIMIT %s""",
            [organization_id, activity_id, activity_id, REFRESH_BATCH],
        )
        return [row[0] for row in cursor.fetchall()]


def _set_on_sale(session_ids: list[UUID]) -> None:
    """Write the flag of locked sessions, and tell the displays."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE scheduling_session s SET on_sale = {SELLING}, version = s.version + 1
            FROM scheduling_activity a, tenants_organization o
            WHERE s.id = ANY(%s) AND a.id = s.activity_id AND o.id = s.organization_id RETURNING s.activity_id""",
            [session_ids],
        )
        activities = {row[0] for row in cursor.fetchall()}
    capacity.announce(session_ids, list(activities))
