"""Move a booked line to another time: the new place is taken before the old one goes back, in one transaction.

Whoever is refused has lost nothing. A move is priced as a fresh booking of the new session would be, with the promo
code that the booking has; the difference is due or comes back, and the terms may ask for a fee. It starts from any
session, closed and legacy ones too, and ends in one that takes bookings.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from bookings import policies
from bookings.models import AffectedLine, Booking, Line
from bookings.policies import Act, Consequence, LineMoney
from bookings.services import amendments, duplicates, lifecycle, line_rows, promo_codes, schedule_changes, settlement
from bookings.services.amendments import Case, money_of
from config.kit import idempotency
from config.kit.facts import Actor
from config.kit.idempotency import Claim
from config.kit.refusals import NotFound, invalid
from config.kit.retries import retry_on_deadlock
from payments.models import Refund
from scheduling.models import Reservation, Session
from scheduling.services import assessing, capacity, reservations


@duplicates.leave_a_trace
@retry_on_deadlock
@transaction.atomic
def move_line(
    *, line_id: UUID, session_id: UUID, actor: Actor, reason_code: str = "", version: int | None = None,
    waive_fee: bool = False, expected_total: int | None = None, confirm_duplicate: bool = False,
    claim: Claim | None = None,
) -> Booking:  # fmt: skip
    """Move a whole line to another session of its activity, at that session's price today.

    Refuses with NotFound, VersionMoved, ChangeNotAllowed, NotBookable, NotEnoughPlaces, NotEnoughExtras,
    DuplicateBooking and PaymentRequired, and then nothing has moved. The session it leaves may be legacy or closed; the
    one it goes to must take bookings.
    """
    booking = lifecycle.lock_booking(amendments.booking_of(line_id))
    if idempotency.prior_effect(claim):
        return booking
    case = amendments.open_case(
        booking, actor, reason_code=reason_code, version=version, waive_fee=waive_fee, sessions=[session_id],
        claim=claim, expected_total=expected_total,
    )  # fmt: skip
    line = amendments.live_line(case, line_id)
    _check_target(line, session_id)
    amendments.require_allowed(_unpriced(case, Act.MOVE, line))
    party = assessing.same_party(line.reservation)
    wanted = assessing.Party(session_id, None, party.units, party.extras)
    new = reservations.reserve_parties([wanted], email=booking.customer.email)[0]
    _move(case, line, new, confirm_duplicate=confirm_duplicate)
    return booking


def preview_move(
    booking: Booking, line_id: UUID, session_id: UUID, actor: Actor, *, waive_fee: bool = False
) -> Consequence:
    """Say what moving would come to, or refuse as the move itself would now; nothing is locked or changed."""
    case = amendments.read_case(booking, actor, waive_fee=waive_fee)
    line = amendments.live_line(case, line_id)
    session = _check_target(line, session_id)
    amendments.require_allowed(_unpriced(case, Act.MOVE, line))
    party = assessing.same_party(line.reservation)
    quote = assessing.quote_of(assessing.Party(session_id, None, party.units, party.extras), session)
    refusal = assessing.refusal_for(session_id, places=quote.places)
    if refusal:
        raise refusal
    money = _money_after(line, quote.amount_minor)
    return _moved(case, line, money, places=quote.places)


def _check_target(line: Line, session_id: UUID) -> Session:
    """Return the session to move to, or refuse: it is of the same activity, and not the one that is left."""
    session = Session.objects.filter(id=session_id, organization_id=line.organization_id).first()
    if session is None:
        raise NotFound
    if session.activity_id != line.session.activity_id:
        raise invalid("session", "other_activity", "A booking moves to another time of the same activity.")
    if session.id == line.session_id:
        raise invalid("session", "same_session", "This is the time that is booked already.")
    return session


def _unpriced(case: Case, act: Act, line: Line) -> Consequence:
    """Return the consequence without a change of price: the terms alone speak in it."""
    return case.consequence(map(money_of, case.lines), obstacles=case.obstacles(act, [line]))


@dataclass(frozen=True, slots=True)
class _Money:
    """What a line costs at its new time, and its share of the booking's promo code then; minor units."""

    amount_minor: int
    discount_minor: int

    @property
    def net_minor(self) -> int:
        return self.amount_minor - self.discount_minor


def _money_after(line: Line, amount_minor: int) -> _Money:
    discount = promo_codes.discount_of_changed(line, amount_minor, promo_codes.rebate_on(line))
    return _Money(amount_minor, discount)


def _moved(case: Case, line: Line, new: _Money, *, places: int) -> Consequence:
    money = [LineMoney(new.net_minor) if each.id == line.id else money_of(each) for each in case.lines]
    fee = 0 if case.waive_fee else policies.move_fee(case.situation(line))
    return case.consequence(money, fee_minor=fee, places=places - line.reservation.places)


def _move(case: Case, line: Line, new: Reservation, *, confirm_duplicate: bool) -> None:
    """Book the held places, give the old ones back, and write line, booking and fact."""
    if new.currency != case.booking.currency:
        raise invalid("session", "other_currency", "This time is sold in another currency.")
    old, after = line.reservation, _money_after(line, new.amount_minor)
    consequence = _moved(case, line, after, places=new.places)
    amendments.require_shown(case, consequence)
    before = line_rows.placed(line)
    money = amendments.settle(case, consequence.total_minor, case.live)
    people = [participant.name for participant in line.people]
    key, twin = line_rows.key_under_lock(line, new.session_id, people=people, confirmed=confirm_duplicate)
    capacity.confirm_places([new], at=case.now)
    capacity.release_places([old], at=case.now)
    line_rows.write(
        line, session_id=new.session_id, reservation=new, party_size=new.party_size, amount_minor=after.amount_minor,
        discount_minor=after.discount_minor, quote=new.quote, duplicate_key=key, duplicate_override_of=twin,
    )  # fmt: skip
    schedule_changes.decide_by_act([line], AffectedLine.Status.MOVE, at=case.now)
    fee = case.booking.fee_minor + consequence.fee_minor
    fields = {**money, **amendments.balance_due(case), "fee_minor": fee}
    balance = settlement.amend_total(case.booking, fields, at=case.now)
    amendments.record(case, "line_moved", consequence, before=before, after=line_rows.placed(line))
    settlement.settle_up(case.booking, actor=case.actor, reason=Refund.Reason.CHANGED, lines=[line.id], balance=balance)
    line_rows.record_override(line, actor=case.actor)
