"""Plain factories. What the product has a service for is made by that service; the rest is a row with sane defaults.

session = make_session(capacity=50)
reservation = hold(session, party_size=2)
booking = book(session, party_size=3)
paid = pay(book_online(session))  # what the provider would say, said without it
"""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from bookings.models import Booking, WaitlistEntry
from bookings.services import checkout, waitlist
from bookings.services.checkout import Contact, Terms, Wanted
from bookings.services.waitlist import Wish
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.idempotency import Claim
from config.tenants.models import Organization
from payments.models import Dispute, Payment, ProviderAccount, Refund, Voucher
from payments.providers.base import DisputeOutcome, Outcome, RefundOutcome, State
from payments.services import charges, vouchers
from payments.services.disputes import apply_dispute_outcome
from payments.services.refund_outcomes import apply_refund_outcome
from scheduling.models import Activity, Extra, Reservation, Session, Unit, Venue
from scheduling.parties import Counts
from scheduling.services import reservations
from scheduling.services.assessing import Party

ANNA = Contact(email="anna@example.org", name="Anna Archer", phone="+44 20 7946 0000")
CUSTOMER = Actor(kind=ActorKind.CUSTOMER, channel="api")
STAFF = Actor(kind=ActorKind.STAFF, channel="admin")
_numbers = count(1)


def stranger() -> Contact:
    """Return somebody who has never booked before."""
    number = next(_numbers)
    return Contact(email=f"guest-{number}@example.org", name=f"Guest {number}")


def make_organization(**overrides: Any) -> Organization:
    """Create an active organization with a slug of its own."""
    number = next(_numbers)
    return Organization.objects.create(**{"name": f"School {number}", "slug": f"school-{number}", **overrides})


def make_venue(organization: Organization | None = None, **overrides: Any) -> Venue:
    """Create a venue in London."""
    organization = organization or make_organization()
    return Venue.objects.create(organization=organization, **{"name": "Hall", "timezone": "Europe/London", **overrides})


def make_activity(venue: Venue | None = None, *, price_minor: int | None = 1000, **overrides: Any) -> Activity:
    """Create a published activity, paid on arrival, with Adult as its default unit (price_minor=None: no unit)."""
    venue = venue or make_venue()
    number = next(_numbers)
    plain = {"name": f"Archery {number}", "slug": f"archery-{number}", "status": "published", "pay_on_arrival": True}
    activity = Activity.objects.create(organization_id=venue.organization_id, venue=venue, **{**plain, **overrides})
    if price_minor is not None:
        make_unit(activity, name="Adult", price_minor=price_minor, is_default=True)
    return activity


def make_unit(activity: Activity, **overrides: Any) -> Unit:
    """Create another kind of participant: a child at half price, unless said otherwise."""
    plain = {"name": f"Child {next(_numbers)}", "price_minor": 500, "places": 1}
    return Unit.objects.create(organization_id=activity.organization_id, activity=activity, **{**plain, **overrides})


def make_extra(activity: Activity, **overrides: Any) -> Extra:
    """Create something to have beside the places: a locker at 3.00 without a stock, unless said otherwise."""
    plain = {"name": f"Locker {next(_numbers)}", "price_minor": 300}
    return Extra.objects.create(organization_id=activity.organization_id, activity=activity, **{**plain, **overrides})


def until(hour: int, *, days: int) -> timedelta:
    """Return how long it is to an hour by UTC in so many days, so that two of them are in one day at any time."""
    now = database_now()
    return now.replace(hour=hour, minute=0, second=0, microsecond=0) + timedelta(days=days) - now


def make_session(
    activity: Activity | None = None,
    *,
    capacity: int = 10,
    starts_in: timedelta = timedelta(days=1),
    **overrides: Any,
) -> Session:
    """Create an hour's session that is on sale from yesterday until it starts."""
    activity = activity or make_activity()
    now = database_now()
    starts_at = now + starts_in
    plain = {
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(hours=1),
        "opens_at": min(now, starts_at) - timedelta(days=1),
        "closes_at": starts_at,
        "capacity_total": capacity,
    }
    return Session.objects.create(organization_id=activity.organization_id, activity=activity, **{**plain, **overrides})


def make_sessions(number: int, activity: Activity | None = None, **overrides: Any) -> list[Session]:
    """Create several sessions of one activity, an hour apart, in ascending id order."""
    activity = activity or make_activity()
    day = timedelta(days=1)
    return [make_session(activity, starts_in=day + timedelta(hours=hour), **overrides) for hour in range(number)]


def hold(session: Session, party_size: int = 1, *, email: str = ANNA.email, basket: UUID | None = None) -> Reservation:
    """Hold places as a customer does."""
    return reservations.reserve_slot(session_id=session.id, party_size=party_size, email=email, basket=basket)


def book(*sessions: Session, party_size: int = 1, contact: Contact = ANNA, actor: Actor = CUSTOMER) -> Booking:
    """Book a party in each of these sessions, as one confirmed booking; again is meant."""
    lines = [Wanted(Party(session_id=session.id, party_size=party_size)) for session in sessions]
    terms = Terms(confirm_duplicate=True, duplicate_reason="two parties")
    return checkout.book_lines(lines=lines, contact=contact, terms=terms, actor=actor)


def confirm(reservation: Reservation, *, contact: Contact = ANNA, actor: Actor = CUSTOMER) -> Booking:
    """Confirm a reservation's basket, paid on arrival; again is meant."""
    return checkout.confirm_reservation(
        reservation_id=reservation.id, contact=contact, actor=actor, confirm_duplicate=True
    )


def join(
    session: Session,
    party_size: int | None = 1,
    *others: Session,
    units: Counts = (),
    contact: Contact | None = None,
    claim: Claim | None = None,
) -> WaitlistEntry:
    """Wait for a session, or else for one of the others, as somebody who has never been here does."""
    wish = Wish((session.id, *(other.id for other in others)), party_size, units)
    return waitlist.join_waitlist(wish=wish, contact=contact or stranger(), actor=CUSTOMER, claim=claim)


def lapse(*reservations: Reservation, ago: timedelta = timedelta(seconds=1)) -> None:
    """Let holds run out `ago` already; the places stay taken until somebody reclaims them."""
    shift = timedelta(minutes=1)
    expires_at = database_now() - ago
    Reservation.objects.filter(id__in=[reservation.id for reservation in reservations]).update(
        held_at=expires_at - shift, expires_at=expires_at
    )


def shift_session(session: Session, *, starts_in: timedelta) -> None:
    """Let a session start at another time from now, an hour long: what passes of time, without waiting for it."""
    starts_at = database_now() + starts_in
    Session.objects.filter(id=session.id).update(
        starts_at=starts_at, ends_at=starts_at + timedelta(hours=1), closes_at=starts_at,
        opens_at=starts_at - timedelta(days=30),
    )  # fmt: skip
    session.refresh_from_db()


# Money --------------------------------------------------------------------------------------------------------------


def make_account(organization: Organization, **overrides: Any) -> ProviderAccount:
    """Give an organization an account at the online provider; again returns the one that there is."""
    account = ProviderAccount.objects.filter(organization=organization, ended_at=None).first()
    if account is None:
        account = ProviderAccount(
            organization=organization,
            **{"account_ref": f"acct_{next(_numbers)}", "sealed_webhook_secret": "", **overrides},
        )
        account.api_key = "sk_test_nobody"
        account.save()
    return account


def book_online(*sessions: Session, party_size: int = 1, contact: Contact | None = None, **terms: Any) -> Booking:
    """Begin to book a party in each of these sessions, to be paid online: a pending booking with its open payment."""
    make_account(sessions[0].organization)
    lines = [Wanted(Party(session_id=session.id, party_size=party_size)) for session in sessions]
    return checkout.book_lines(
        lines=lines, contact=contact or stranger(), terms=Terms(payment_method="online", **terms), actor=CUSTOMER
    )


def open_payment_of(booking: Booking) -> Payment:
    """Return the payment that can be paid now."""
    return Payment.objects.filter(reference=booking.id, status__in=["created", "processing"]).order_by("-id")[0]


def pay(booking: Booking) -> Booking:
    """Pay what is open of a booking, as the provider would say that it was paid; return the booking as it is then."""
    settle_payment(open_payment_of(booking))
    booking.refresh_from_db()
    return booking


def settle_payment(payment: Payment, **said: Any) -> Payment:
    """Let the provider say that a payment was paid: as asked for, unless something else is `said`."""
    plain = {"state": State.SUCCEEDED, "amount_minor": payment.amount_minor, "currency": payment.currency}
    names = {"intent_ref": f"pi_{payment.id.hex}", "provider_ref": f"cs_{payment.id.hex}"}
    return charges.apply_outcome(payment.id, Outcome(**{**plain, **names, **said}))


def answer_refund(refund: Refund, state: State = State.SUCCEEDED) -> Refund:
    """Say what became of a refund that the provider was asked for."""
    outcome = RefundOutcome(
        state, refund.amount_minor, refund.currency, provider_ref=f"re_{next(_numbers)}", refund_id=refund.id,
        failure_code="declined" if state == State.FAILED else "",
    )  # fmt: skip
    assert refund.payment.account_id
    apply_refund_outcome(refund.payment.account_id, outcome)
    refund.refresh_from_db()
    return refund


def give_up_refund(refund: Refund) -> Refund:
    """Let the provider say no at each attempt, until nobody tries any more."""
    while refund.status != Refund.Status.FAILED:
        answer_refund(refund, State.FAILED)
    return refund


def dispute(payment: Payment, *, answer_by: datetime | None = None, is_withdrawn: bool = True) -> Dispute:
    """Let the payer's bank ask for all of a payment."""
    payment.refresh_from_db()
    outcome = DisputeOutcome(
        f"dp_{next(_numbers)}", payment.intent_ref, payment.amount_minor, payment.currency, "open", is_withdrawn,
        answer_by=answer_by,
    )  # fmt: skip
    return _say_of_dispute(payment, outcome)


def decide_dispute(dispute: Dispute, status: str) -> Dispute:
    """Let the bank decide: won, and the money is back, or lost."""
    outcome = DisputeOutcome(
        dispute.provider_ref, dispute.payment.intent_ref, dispute.amount_minor, dispute.currency, status,
        is_withdrawn=status == "lost",
    )  # fmt: skip
    return _say_of_dispute(dispute.payment, outcome)


def _say_of_dispute(payment: Payment, outcome: DisputeOutcome) -> Dispute:
    assert payment.account_id
    apply_dispute_outcome(payment.account_id, outcome)
    return Dispute.objects.get(payment=payment, provider_ref=outcome.provider_ref)


def make_voucher(organization: Organization, amount_minor: int = 5000, currency: str = "GBP") -> Voucher:
    """Give a voucher of 50.00 that does not expire, unless said otherwise."""
    return vouchers.issue_voucher(
        organization_id=organization.id, amount_minor=amount_minor, currency=currency, expires_on=None, note="",
        issued_by=None, actor=CUSTOMER,
    )  # fmt: skip
