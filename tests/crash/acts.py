"""The acts that a process may die in. Each can be sent again, as a client or a worker would after a crash."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from uuid import UUID, uuid5

from bookings.services import checkout, schedule_changes
from bookings.services.checkout import Terms, Wanted
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.idempotency import Claim
from config.kit.refusals import NotFound
from scheduling.models import Reservation, Session
from scheduling.services import baskets, capacity, generation, reservations
from scheduling.services.assessing import Party
from scheduling.services.reservations import AlreadyExtended
from scheduling.services.schedule_changes import ChangeApplied
from tests.factories import ANNA, CUSTOMER

Scene = Mapping[str, str]  # ids by role: first and second session, held and lapsed reservation, activity
STAFF = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "fewer boats"})
NAMESPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def claim(scene: Scene) -> Claim:
    """Return the key that the client sends with this act, the same when it sends it again."""
    return Claim(id=uuid5(NAMESPACE, scene["first"]), fingerprint=uuid5(NAMESPACE, "the same request"))


def hold_in_one_statement(scene: Scene) -> None:
    reservations.reserve_slot(session_id=UUID(scene["first"]), party_size=3, email=ANNA.email, claim=claim(scene))


def hold_in_two_sessions(scene: Scene) -> None:
    parties = [Party(UUID(scene["first"]), 3), Party(UUID(scene["second"]), 6)]
    reservations.reserve_parties(parties, email=ANNA.email, claim=claim(scene))


def extend(scene: Scene) -> None:
    reservations.extend_reservation(reservation_id=UUID(scene["held"]), claim=claim(scene))


def confirm(scene: Scene) -> None:
    checkout.confirm_reservation(reservation_id=UUID(scene["held"]), contact=ANNA, actor=CUSTOMER, claim=claim(scene))


def book_two_lines(scene: Scene) -> None:
    lines = [Wanted(Party(UUID(scene[name]), 3)) for name in ("first", "second")]
    checkout.book_lines(lines=lines, contact=ANNA, terms=Terms(), actor=CUSTOMER, claim=claim(scene))


def release(scene: Scene) -> None:
    reservations.release_reservation(reservation_id=UUID(scene["held"]))


def extend_whole_basket(scene: Scene) -> None:
    """Keep the basket longer; whoever asks again after a crash may hear that it was."""
    with suppress(AlreadyExtended):
        baskets.extend_basket(basket=Reservation.objects.get(id=scene["held"]).basket)


def release_whole_basket(scene: Scene) -> None:
    """Give the basket back; whoever asks again after a crash may hear that nothing is left in it."""
    with suppress(NotFound):
        baskets.release_basket(basket=Reservation.objects.get(id=scene["held"]).basket)


def sweep(_: Scene) -> None:
    reservations.release_expired_reservations()


def cut(scene: Scene) -> None:
    capacity.set_capacity(session_id=UUID(scene["first"]), capacity=1)


def generate(scene: Scene) -> None:
    generation.generate_activity_sessions(
        activity_id=UUID(scene["activity"]), start_date=date.fromisoformat(scene["monday"]), days_ahead=7
    )


def apply_a_change(scene: Scene) -> None:
    """Apply what was rehearsed; whoever asks again after a crash may hear that it is in force."""
    with suppress(ChangeApplied):
        schedule_changes.apply_change(change_id=UUID(scene["change"]), actor=STAFF)


def release_without_a_transaction(scene: Scene) -> None:
    """End the hold and give its places back in two statements that are committed one by one."""
    Reservation.objects.filter(id=scene["held"]).update(status="released", ended_at=database_now())
    Session.objects.filter(id=scene["first"]).update(places_held=0)


ACTS: Mapping[str, Callable[[Scene], None]] = {
    act.__name__: act
    for act in (
        hold_in_one_statement,
        hold_in_two_sessions,
        extend,
        confirm,
        book_two_lines,
        release,
        extend_whole_basket,
        release_whole_basket,
        sweep,
        cut,
        generate,
        apply_a_change,
    )
}
CONTROLS: Mapping[str, Callable[[Scene], None]] = {"release_without_a_transaction": release_without_a_transaction}
