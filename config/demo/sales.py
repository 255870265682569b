"""The demo's online sales: people order here, pay at the bank's page, and we look what became of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from django.conf import settings
from django.urls import reverse

from bookings.models import Booking
from bookings.orders import Contact, Person
from bookings.services import checkout, paying
from config.demo.bank import Bank
from config.demo.plans import Party, Purchase
from config.demo.visits import MEANT, Scene, sessions_from_tomorrow, wanted
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from payments.methods import PaymentMethod
from payments.models import Payment, ProviderAccount, Voucher
from payments.services import charges
from scheduling.models import Session

GOOD_CARD = "4242424242424242"
SLOW_TO_TAKE_BACK = "4000000000007726"
CUSTOMER = Actor(kind=ActorKind.CUSTOMER, channel="web")


@dataclass(frozen=True, slots=True)
class Shop:
    """What an organization sells online, who comes, and where they pay."""

    bank: Bank
    account: ProviderAccount
    scenes: Mapping[str, Scene]  # by the activity's slug
    contacts: Iterator[Contact]
    vouchers: Sequence[Voucher]
    staff: Actor


def sell(shop: Shop, scene: Scene, session: Session, party: Party, *, card: str = GOOD_CARD) -> Booking:
    """Let a party order and pay."""
    return pay(shop, order(shop, scene, session, party), card=card)


def buy(shop: Shop, purchase: Purchase, *, card: str = GOOD_CARD) -> Booking:
    """Let somebody buy what the plan says, with its code or voucher."""
    scene = shop.scenes[purchase.activity]
    session = session_for(scene, purchase)
    voucher = shop.vouchers[purchase.voucher].code if purchase.voucher is not None else ""
    booking = order(shop, scene, session, purchase.party, promo_code=purchase.promo_code, voucher=voucher)
    return pay(shop, booking, card=card)


def session_for(scene: Scene, purchase: Purchase) -> Session:
    """Return the first session with room for the party, so many days from tomorrow."""
    earliest = database_now() + timedelta(days=purchase.days)
    places = scene.plan.places_of(purchase.party)
    found = sessions_from_tomorrow(scene.activity)
    return next(each for each in found if each.starts_at >= earliest and each.capacity_remaining >= places)


def order(
    shop: Shop, scene: Scene, session: Session, party: Party, *, promo_code: str = "", voucher: str = ""
) -> Booking:
    """Order online; the booking waits for its money unless a voucher pays all of it."""
    contact = next(shop.contacts)
    people = (Person(name=contact.name),) if scene.plan.names_people else ()
    return checkout.book_lines(
        lines=[wanted(scene, session, party, people)],
        contact=contact,
        terms=replace(MEANT, payment_method=PaymentMethod.ONLINE, promo_code=promo_code, voucher=voucher),
        actor=CUSTOMER,
        organization_id=scene.activity.organization_id,
    )


def pay(shop: Shop, booking: Booking, *, card: str = GOOD_CARD) -> Booking:
    """Pay at the bank's page, and come back from it."""
    if booking.status == Booking.Status.PENDING:
        come_back(shop, leave_for_bank(booking), card=card)
        booking.refresh_from_db()
    return booking


def leave_for_bank(booking: Booking) -> Payment:
    """Have the bank open its page."""
    return paying.begin_paying(booking, _links, actor=CUSTOMER)


def come_back(shop: Shop, payment: Payment, *, card: str = GOOD_CARD) -> Payment:
    """Pay there, and look what became of it, as the page does to which people come back."""
    shop.bank.pay(payment.provider_ref, card)
    return charges.refresh_payment(payment.id)


def _links(payment: Payment) -> tuple[str, str]:
    own = reverse("payment", kwargs={"payment_id": payment.id, "token": payment.token})
    return f"{settings.SITE_URL}{own}", f"{settings.SITE_URL}{own}"
