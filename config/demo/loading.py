"""Load the demo: all but the money in one transaction, so that an interrupted load leaves nothing behind.

The money comes afterwards (money.py): a bank is never asked inside a transaction.
"""

import time
from collections.abc import Callable
from dataclasses import asdict
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction

from bookings.models import Booking
from config.demo.changes import make_changes
from config.demo.credentials import STAFF_EMAIL
from config.demo.organizations import ORGANIZATIONS
from config.demo.plans import ActivityPlan, OrganizationPlan
from config.demo.visits import Scene, Visitors, invite_visitors, tell_story, try_again_by_mistake
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.tenants.models import Membership, Organization, User
from scheduling.models import Activity, Extra, Reservation, Session, Unit, Venue
from scheduling.services import catalogue, generation, price_rules, schedules

DEMO_LOCK = 4_653_266_842_001  # an advisory lock's number; any will do, as long as it is ours alone


class DemoIsBeingLoaded(Exception):
    """Somebody else is at it just now."""


def load_demo(*, password: str | None, say: Callable[[str], None]) -> bool:
    """Load the four organizations, or return False and change nothing when there is an organization already.

    Without a password nobody can sign in as the demo's staff. Raises DemoIsBeingLoaded when another load runs.
    """
    with transaction.atomic():
        _keep_others_out()
        if Organization.objects.exists():
            return False
        say(f"Loading the demo's {len(ORGANIZATIONS)} organizations …")
        staff = User.objects.create_superuser(STAFF_EMAIL, None, name="Demo staff")
        for number, plan in enumerate(ORGANIZATIONS, start=1):
            started = time.monotonic()
            organization = _load_organization(plan, staff=staff)
            seconds = time.monotonic() - started
            say(f"{number}/{len(ORGANIZATIONS)} {plan.name}: {_describe(organization)} ({seconds:.1f} s)")
        if password:  # one for all, hashed once: hashing is meant to take its time
            User.objects.filter(memberships__isnull=False).update(password=make_password(password))
    return True


def _keep_others_out() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [DEMO_LOCK])
        if not cursor.fetchone()[0]:
            raise DemoIsBeingLoaded


def _load_organization(plan: OrganizationPlan, *, staff: User) -> Organization:
    """Create a tenant with its staff, its venue and a month of sessions, and let its visitors in."""
    organization = Organization.objects.create(
        name=plan.name, slug=plan.slug, currency=plan.currency, other_currencies=list(plan.other_currencies)
    )
    manager, desk = _hire(plan, organization, staff=staff)
    venue = Venue.objects.create(
        organization=organization,
        name=plan.venue,
        timezone=plan.timezone,
        allowed_embed_origins=[f"https://{plan.domain}", f"https://www.{plan.domain}"],
    )
    visitors = invite_visitors(plan, desk=desk)
    scenes = [_offer(activity_plan, venue, author=manager, visitors=visitors) for activity_plan in plan.activities]
    generation.fill_venue(venue_id=venue.id, at=database_now())
    for scene in scenes:
        tell_story(scene)
    try_again_by_mistake(scenes)
    make_changes(plan, venue, author=manager)
    return organization


def _hire(plan: OrganizationPlan, organization: Organization, *, staff: User) -> tuple[User, User]:
    """Let the demo's staff login act here as owner; return the organization's own manager and desk."""
    Membership.objects.create(organization=organization, user=staff, role=Membership.Role.OWNER)
    manager = User.objects.create_user(plan.manager_email, None, name=plan.manager, is_staff=True)
    Membership.objects.create(organization=organization, user=manager, role=plan.manager_role)
    desk = User.objects.create_user(plan.reception_email, None, name=plan.receptionist, is_staff=True)
    Membership.objects.create(organization=organization, user=desk, role=Membership.Role.RECEPTION)
    return manager, desk


def _offer(plan: ActivityPlan, venue: Venue, *, author: User, visitors: Visitors) -> Scene:
    """Create an activity with its prices and its timetable, and put it on sale unless it is to stay a draft."""
    activity = Activity.objects.create(
        organization=venue.organization,
        venue=venue,
        name=plan.name,
        slug=plan.slug,
        summary=plan.summary,
        kind=plan.kind,
        currency=plan.currency or venue.organization.currency,
        capacity=plan.capacity,
        opens_days_before=plan.opens_days_before,
        closes_minutes_before=plan.closes_minutes_before,
        notice_days=plan.notice_days,
        smallest_party=plan.smallest_party,
        largest_party=plan.largest_party,
        pay_on_arrival=plan.pay_on_arrival,
        deposit_percent=plan.deposit_percent,
    )
    units = _price(plan, activity)
    _offer_extras(plan, activity)
    for rule in plan.price_rules:
        price_rules.add_price_rule(activity_id=activity.id, author=author, **rule)
    catalogue.refresh_plain_hold(activity_id=activity.id)
    today = database_now().astimezone(venue.zone).date()
    schedules.publish_schedule(activity_id=activity.id, rules=plan.schedule, effective_from=today, author=author)
    by_author = Actor(kind=ActorKind.STAFF, channel="admin", id=author.id)
    catalogue.set_activity_status(activity_id=activity.id, status=Activity.Status(plan.status), actor=by_author)
    return Scene(plan, activity, units, visitors)


def _price(plan: ActivityPlan, activity: Activity) -> dict[str, UUID]:
    """Create the units, the first one as the default; return their ids by name."""
    units = [
        Unit(
            organization_id=activity.organization_id,
            activity=activity,
            name=unit.name,
            price_minor=unit.price_minor,
            places=unit.places,
            minimum_age=unit.minimum_age,
            maximum_age=unit.maximum_age,
            maximum_count=unit.maximum_count,
            needs_accompaniment=unit.needs_accompaniment,
            can_accompany=unit.can_accompany,
            is_default=position == 0,
            position=position,
        )
        for position, unit in enumerate(plan.units)
    ]
    return {unit.name: unit.id for unit in Unit.objects.bulk_create(units)}


def _offer_extras(plan: ActivityPlan, activity: Activity) -> None:
    Extra.objects.bulk_create(
        Extra(organization_id=activity.organization_id, activity=activity, position=position, **asdict(extra))
        for position, extra in enumerate(plan.extras)
    )


def _describe(organization: Organization) -> str:
    """Say how much there is of everything."""
    counts = {
        "activities": Activity.objects.filter(organization=organization).count(),
        "sessions": Session.objects.filter(organization=organization).count(),
        "bookings": Booking.objects.filter(organization=organization).count(),
        "live holds": Reservation.objects.held().filter(organization=organization).count(),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items())
