"""The acts of a waiting list that a process may die in; each can be sent again."""

from collections.abc import Callable, Mapping
from uuid import UUID

from bookings.models import WaitlistEntry
from bookings.services import checkout, waitlist
from bookings.services.checkout import Contact, Terms
from bookings.services.waitlist import Wish
from scheduling.services import reservations
from tests.crash.acts import Scene, claim
from tests.factories import ANNA, CUSTOMER


def join_the_waitlist(scene: Scene) -> None:
    waitlist.join_waitlist(
        wish=Wish((UUID(scene["full"]),), 1), contact=Contact(email="carl@example.org", name="Carl"), actor=CUSTOMER,
        claim=claim({"first": scene["full"]}),
    )  # fmt: skip


def free_what_is_waited_for(scene: Scene) -> None:
    reservations.release_reservation(reservation_id=UUID(scene["held"]))


def lapse_an_offer(_: Scene) -> None:
    reservations.release_expired_reservations()


def accept_an_offer(scene: Scene) -> None:
    offer = WaitlistEntry.objects.get(id=scene["offered"]).reservation
    assert offer is not None
    checkout.book_basket(
        basket=offer.basket, contact=ANNA, terms=Terms(), actor=CUSTOMER, claim=claim({"first": scene["offered"]})
    )


def leave_an_offer(scene: Scene) -> None:
    waitlist.leave_waitlist(entry_id=UUID(scene["offered"]), actor=CUSTOMER)


WAITLIST_ACTS: Mapping[str, Callable[[Scene], None]] = {
    act.__name__: act
    for act in (join_the_waitlist, free_what_is_waited_for, lapse_an_offer, accept_an_offer, leave_an_offer)
}
