"""The demo's visitors: they book and hold through the same services as everybody else."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import cycle
from uuid import UUID

from django.db.models import F

from bookings.models import Line
from bookings.services import checkout
from bookings.services.checkout import Contact, Person, Terms, Wanted
from bookings.services.duplicates import DuplicateBooking
from config.demo.plans import ActivityPlan, OrganizationPlan
from config.demo.plans import Party as PartyPlan
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.tenants.models import User
from scheduling.models import Activity, Session
from scheduling.services import assessing, capacity, reservations
from scheduling.services.assessing import Party

MEANT = Terms(confirm_duplicate=True, duplicate_reason="They come twice, and know it")


@dataclass(frozen=True, slots=True)
class Visitors:
    """Who comes next, and who types it in: mostly the customer, now and then somebody at the desk."""

    contacts: Iterator[Contact]
    actors: Iterator[Actor]


@dataclass(frozen=True, slots=True)
class Scene:
    """An activity in the database, with its story and its visitors."""

    plan: ActivityPlan
    activity: Activity
    units: dict[str, UUID]  # by name
    visitors: Visitors


def invite_visitors(plan: OrganizationPlan, *, desk: User) -> Visitors:
    """Return the organization's visitors, in an order that never changes."""
    contacts = [
        Contact(email=f"{_letters(name)}@example.org", name=name, phone=plan.phone.format(number))
        for number, name in enumerate(plan.visitors)
    ]
    customer = Actor(kind=ActorKind.CUSTOMER, channel="web")
    at_the_desk = Actor(kind=ActorKind.STAFF, channel="admin", id=desk.id)
    return Visitors(cycle(contacts), cycle([customer, customer, customer, customer, at_the_desk]))


def tell_story(scene: Scene) -> None:
    """Book, hold and cut as the activity's story says; who pays online comes later, when there is a bank."""
    story = scene.plan.story
    busy = busy_sessions(scene)
    for session, party in [] if scene.plan.is_paid_online else parties_to_come(scene):
        _book(scene, [session], party)
    if story.series:
        _book_series(scene, busy[len(story.places_left) :][: story.series])
    for number, party_size in story.holds:
        contact = next(scene.visitors.contacts)
        reservations.reserve_slot(session_id=busy[number].id, party_size=party_size, email=contact.email)
    if story.cut:
        capacity.set_capacity(session_id=busy[story.cut[0]].id, capacity=story.cut[1])


def busy_sessions(scene: Scene) -> list[Session]:
    """Return the story's busy sessions."""
    return sessions_from_tomorrow(scene.activity)[:: scene.plan.story.every]


def sessions_from_tomorrow(activity: Activity) -> list[Session]:
    """Return what can be booked now and starts after the venue's next midnight: it stays to be seen for a while."""
    zone, now = activity.venue.zone, database_now()
    midnight = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(), tzinfo=zone)
    sessions = activity.sessions.filter(starts_at__gte=midnight, opens_at__lte=now, closes_at__gt=now)
    return list(sessions.order_by("starts_at"))


def parties_to_come(scene: Scene) -> Iterator[tuple[Session, PartyPlan]]:
    """Yield one party after the other, and the busy session it is for, until just so many places are left there."""
    for session, left in zip(busy_sessions(scene), scene.plan.story.places_left, strict=False):
        for party in _parties(scene.plan, places=session.capacity_remaining - left):
            yield session, party


def _parties(plan: ActivityPlan, *, places: int) -> Iterator[PartyPlan]:
    """Yield the story's parties in turn; when one does not fit any more, what is left comes in the default unit."""
    for party in cycle(plan.story.parties):
        if places <= 0:
            return
        last_party = {plan.units[0].name: places}
        fitting = party if plan.places_of(party) <= places else last_party
        places -= plan.places_of(fitting)
        yield fitting


def _book_series(scene: Scene, sessions: list[Session]) -> None:
    """Book the first party of the story into all these sessions at once: a booking of many lines."""
    _book(scene, sessions, scene.plan.story.parties[0])


def _book(scene: Scene, sessions: list[Session], party: PartyPlan) -> None:
    """Book one party as one booking, free or paid on arrival."""
    contact = next(scene.visitors.contacts)
    people = (Person(name=contact.name),) if scene.plan.names_people and len(sessions) == 1 else ()
    checkout.book_lines(
        lines=[wanted(scene, session, party, people) for session in sessions],
        contact=contact,
        terms=MEANT,
        actor=next(scene.visitors.actors),
        organization_id=scene.activity.organization_id,
    )


def wanted(scene: Scene, session: Session, party: PartyPlan, people: tuple[Person, ...] = ()) -> Wanted:
    """Return a party as a line of an order."""
    units = tuple((scene.units[name], count) for name, count in party.items())
    return Wanted(Party(session_id=session.id, party_size=None, units=units), people)


def try_again_by_mistake(scenes: list[Scene]) -> None:
    """Let somebody send the form twice: the second is refused, and staff find an alert about it."""
    rows = Line.objects.filter(session__activity__in=[scene.activity for scene in scenes])
    room = rows.filter(session__capacity_remaining__gte=F("reservation__places"), participants=None)
    line = room.select_related("booking__customer", "reservation").order_by("-id").first()
    if line is None:
        return
    wanted = Wanted(assessing.same_party(line.reservation))
    contact = Contact(email=line.booking.customer.email, name=line.booking.contact_name)
    customer = Actor(kind=ActorKind.CUSTOMER, channel="web")
    with suppress(DuplicateBooking):
        checkout.book_lines(lines=[wanted], contact=contact, terms=Terms(), actor=customer)


def _letters(name: str) -> str:
    """Return a name as it may stand in an e-mail address."""
    return ".".join(re.sub(r"[^a-z ]", "", name.lower()).split())
