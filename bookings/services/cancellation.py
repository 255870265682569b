"""Cancel a booking, or lines of it: the lines are marked, their places go back, what the terms keep is its fee."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from bookings import policies
from bookings.models import AffectedLine, Booking, Line
from bookings.policies import Act, Consequence, LineMoney
from bookings.services import amendments, lifecycle, line_rows, promo_codes, schedule_changes, settlement
from bookings.services.amendments import Case, money_of, net_of
from config.kit import idempotency
from config.kit.facts import Actor
from config.kit.idempotency import Claim
from config.kit.refusals import FieldError, InvalidRequest
from config.kit.retries import retry_on_deadlock
from payments.models import Refund
from scheduling.services import capacity

OPEN = (Booking.Status.PENDING, Booking.Status.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which lines go, what is kept of each (minor units), and what that comes to."""

    fees: Mapping[Line, int]
    consequence: Consequence


@retry_on_deadlock
@transaction.atomic
def cancel_booking(
    *, booking_id: UUID, actor: Actor, reason_code: str = "", lines: Sequence[UUID] | None = None,
    version: int | None = None, waive_fee: bool = False, expected_total: int | None = None, claim: Claim | None = None,
) -> Booking:  # fmt: skip
    """Cancel every line, or those that are named; with the last live one the booking is cancelled. Again is harmless.

    Refuses with NotFound, VersionMoved, InvalidRequest (lines of another booking, no reason), ChangeNotAllowed (the
    terms, or the session is over) and IllegalTransition (a part of what waits for its money). The places are free for
    others in the same moment.
    """
    booking = lifecycle.lock_booking(booking_id)
    if idempotency.prior_effect(claim):
        return booking
    if booking.status in OPEN:
        case = amendments.open_case(
            booking, actor, reason_code=reason_code, version=version, waive_fee=waive_fee, claim=claim,
            expected_total=expected_total,
        )  # fmt: skip
        plan = plan_cancellation(case, lines)
        amendments.require_allowed(plan.consequence)
        amendments.require_shown(case, plan.consequence)
        _require_whole(case, plan)
        if plan.fees:
            _cancel(case, plan)
    return booking


def preview_cancellation(
    booking: Booking, actor: Actor, lines: Sequence[UUID] | None = None, *, waive_fee: bool = False
) -> Consequence:
    """Say what cancelling would come to; nothing is locked or changed."""
    return plan_cancellation(amendments.read_case(booking, actor, waive_fee=waive_fee), lines).consequence


def plan_cancellation(case: Case, chosen: Sequence[UUID] | None) -> Plan:
    """Decide what goes and what is kept of it; lines that are cancelled already are left out."""
    going = _chosen(case, chosen)
    fees = {line: line_fee(case, line) for line in going}
    money = [LineMoney(net_of(line), fees[line], is_live=False) if line in fees else money_of(line)
             for line in case.lines]  # fmt: skip
    return Plan(
        fees,
        case.consequence(
            money, line_fees_minor=sum(fees.values()), places=-sum(line.reservation.places for line in going),
            obstacles=case.obstacles(Act.CANCEL, going),
        ),
    )  # fmt: skip


def line_fee(case: Case, line: Line) -> int:
    """Return what is kept of what a line costs when it is cancelled; of what was never confirmed, nothing."""
    if case.waive_fee or case.booking.status != Booking.Status.CONFIRMED:
        return 0
    return policies.cancel_fee(net_of(line), case.situation(line))


def _chosen(case: Case, chosen: Sequence[UUID] | None) -> tuple[Line, ...]:
    if chosen is None:
        return case.live
    known = {line.id for line in case.lines}
    wrong = [
        FieldError(f"lines.{place}", "unknown_line", "This is not a line of this booking.")
        for place, line_id in enumerate(chosen)
        if line_id not in known
    ]
    if wrong:
        raise InvalidRequest("Some of the lines are not of this booking.", errors=wrong)
    return tuple(line for line in case.live if line.id in set(chosen))


# Under the locks --------------------------------------------------------------------------------------------------


def _require_whole(case: Case, plan: Plan) -> None:
    """Refuse to take a part out of what waits for its money: its payment is open for the whole price."""
    if case.booking.status == Booking.Status.PENDING and plan.fees and len(plan.fees) < len(case.live):
        raise lifecycle.IllegalTransition(
            "This booking waits for its payment. Cancel all of it, or begin the checkout again with less."
        )


def _cancel(case: Case, plan: Plan) -> None:
    """Give the places back, mark the lines, and say so: a fact for each line, and one when nothing of it is left."""
    going, is_whole = list(plan.fees), len(plan.fees) == len(case.live)
    capacity.release_places([line.reservation for line in going], at=case.now)
    for line in going:
        line_rows.write(line, status=Line.Status.CANCELLED, cancelled_at=case.now, fee_minor=plan.fees[line])
    schedule_changes.decide_by_act(going, AffectedLine.Status.REFUND, at=case.now)
    money = {**amendments.balance_due(case), "total_minor": plan.consequence.total_minor}
    balance = settlement.amend_total(case.booking, money, at=case.now)
    for line in going if is_whole else going[:-1]:
        _record_line(case, line, booking_ends=is_whole)
    if is_whole:
        _end(case, plan)
    else:
        amendments.record(case, "line_cancelled", plan.consequence, before=_before(going[-1]), after=_gone(going[-1]))
    settlement.settle_up(
        case.booking, actor=case.actor, reason=Refund.Reason.CANCELLED, lines=[line.id for line in going],
        balance=balance,
    )  # fmt: skip


def _record_line(case: Case, line: Line, *, booking_ends: bool) -> None:
    """Write the fact of one line among several; that of the whole act follows."""
    lifecycle.record_event(
        case.booking, kind="line_cancelled", to_status=case.booking.status, actor=case.actor,
        reason_code=case.reason_code, before=_before(line), after={**_gone(line), "booking_ends": booking_ends},
    )  # fmt: skip


def _before(line: Line) -> dict[str, Any]:
    return {
        "line": str(line.id),
        "status": Line.Status.LIVE.value,
        "amount_minor": line.amount_minor,
        "discount_minor": line.discount_minor,
    }


def _gone(line: Line) -> dict[str, Any]:
    """Return what a fact says of a cancelled line: whose places are free, and what was kept."""
    return {
        "line": str(line.id),
        "status": Line.Status.CANCELLED.value,
        "session": str(line.session_id),
        "reservation": str(line.reservation_id),
        "places": line.reservation.places,
        "fee_minor": line.fee_minor,
    }


def _end(case: Case, plan: Plan) -> None:
    """Let the booking go with its last line; `transition` makes the version that the fact names."""
    booking, consequence = case.booking, plan.consequence
    promo_codes.release_promo_use(booking)
    event = lifecycle.transition(
        booking, to=Booking.Status.CANCELLED, kind="booking_cancelled", actor=case.actor, reason_code=case.reason_code,
        before={"lines": [str(line.id) for line in plan.fees], "total_minor": consequence.old_total_minor},
        after=amendments.told(consequence, version=booking.version + 1),
    )  # fmt: skip
    amendments.record_effect(case.claim, event)
