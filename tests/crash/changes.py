"""The acts on a booking that a process may die in; the client sends each again with the same key."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from uuid import UUID

from bookings.models import BookingEvent, Line
from bookings.orders import Contact, Person
from bookings.services import cancellation, changes, party_changes, people, session_closure, transfers
from bookings.transfer_links import offer_token
from scheduling.models import Session
from tests.crash.acts import STAFF, Scene, claim
from tests.factories import CUSTOMER


def line_of(scene: Scene) -> Line:
    """Return the line of the scene's booking, wherever it is by now."""
    return Line.objects.get(booking_id=scene["booking"])


def cancel(scene: Scene) -> None:
    cancellation.cancel_booking(booking_id=UUID(scene["booking"]), actor=CUSTOMER, claim=claim(scene))


def move(scene: Scene) -> None:
    changes.move_line(line_id=line_of(scene).id, session_id=UUID(scene["second"]), actor=CUSTOMER, claim=claim(scene))


def grow(scene: Scene) -> None:
    party_changes.change_party(line_id=line_of(scene).id, party_size=3, actor=CUSTOMER, claim=claim(scene))


def shrink(scene: Scene) -> None:
    party_changes.change_party(line_id=line_of(scene).id, party_size=1, actor=CUSTOMER, claim=claim(scene))


def name_people(scene: Scene) -> None:
    people.change_participants(
        line_id=line_of(scene).id, participants=[Person(name="Zoe")], actor=CUSTOMER, claim=claim(scene)
    )


def transfer(scene: Scene) -> None:
    contact = Contact(email="ben@example.org", name="Ben")
    people.transfer_booking(booking_id=UUID(scene["booking"]), contact=contact, actor=STAFF, claim=claim(scene))


def offer_transfer(scene: Scene) -> None:
    contact = Contact(email="ben@example.org", name="Ben")
    transfers.offer_transfer(booking_id=UUID(scene["booking"]), contact=contact, actor=CUSTOMER, claim=claim(scene))


def accept_transfer(scene: Scene) -> None:
    """Take over what is offered; whoever asks again hears that it was taken over."""
    fact = BookingEvent.objects.get(id=scene["offer"])
    with suppress(transfers.TransferOfferOver):
        transfers.accept_transfer(offer_id=fact.id, token=offer_token(fact), actor=CUSTOMER)


def close_with_offers(scene: Scene) -> None:
    """Close the booked session; whoever asks again finds it closed already, and nothing is offered twice."""
    if Session.objects.get(id=scene["first"]).status == Session.Status.PUBLISHED:
        session_closure.close_with_offers(session_id=UUID(scene["first"]), actor=STAFF, reason="Storm")


CHANGES: Mapping[str, Callable[[Scene], None]] = {
    act.__name__: act
    for act in (
        cancel,
        move,
        grow,
        shrink,
        name_people,
        transfer,
        offer_transfer,
        accept_transfer,
        close_with_offers,
    )
}
