"""What every change of a booking shares: what is locked and in which order, who asks, what it comes to.

The order of locks is the same in each act: the booking, its sessions by id, their reservations. A preview reads the
same rows without a lock, so what it says may be refused a moment later; it changes nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from bookings import policies
from bookings.booking_quotes import DepositTerms
from bookings.models import AffectedLine, Booking, BookingEvent, Line
from bookings.policies import COLUMNS, Act, Consequence, LineMoney, Obstacle, Situation, Terms
from bookings.services import lifecycle
from bookings.services.validation import TotalDiffers
from config.kit import idempotency
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from config.kit.idempotency import Claim
from config.kit.refusals import InvalidRequest, Refusal, invalid
from payments.methods import PaymentMethod, settling_method
from payments.services import charges
from scheduling.effects import CLOSE
from scheduling.models import Activity, Session
from scheduling.services import capacity
from scheduling.services.assessing import too_much_money

LONGEST_NOTE = 500
VENUE = frozenset({ActorKind.STAFF, ActorKind.API_KEY})  # who act for the venue


class ChangeNotAllowed(Refusal):
    """The terms, or the clock, do not allow it: `reasons` says which."""

    code, title = "change_not_allowed", "This booking cannot be changed like that"


@dataclass(frozen=True, slots=True)
class Case:
    """A booking with its lines at one moment, and who wants something of it, why, and by which request."""

    booking: Booking
    lines: tuple[Line, ...]
    now: datetime
    actor: Actor
    released: frozenset[UUID]  # lines whose sessions will not take place, or stand outside the timetable
    waive_fee: bool = False
    reason_code: str = ""
    claim: Claim | None = None
    expected_total: int | None = None  # what the caller was shown; compared, never believed

    @property
    def live(self) -> tuple[Line, ...]:
        """Return the lines that are not cancelled."""
        return tuple(line for line in self.lines if line.status == Line.Status.LIVE)

    @property
    def by_venue(self) -> bool:
        """Does somebody of the venue ask, or a program of it?"""
        return self.actor.kind in VENUE

    def line(self, line_id: UUID) -> Line:
        """Return a live line of the booking."""
        return next(line for line in self.live if line.id == line_id)

    def situation(self, line: Line) -> Situation:
        """Return what the terms look at."""
        return Situation(
            terms=terms_of(line), starts_at=line.session.starts_at, ends_at=line.session.ends_at,
            now=self.now, by_venue=self.by_venue, is_released=line.id in self.released,
            is_expected=line.attendance == Line.Attendance.EXPECTED,
        )  # fmt: skip

    def obstacles(self, act: Act, lines: Iterable[Line]) -> tuple[Obstacle, ...]:
        """Return what stands against an act with these lines, each thing once."""
        found = (policies.obstacle(act, self.situation(line)) for line in lines)
        return tuple(dict.fromkeys(each for each in found if each))

    def consequence(
        self, money: Iterable[LineMoney], *, fee_minor: int = 0, line_fees_minor: int = 0, places: int = 0,
        obstacles: tuple[Obstacle, ...] = (),
    ) -> Consequence:  # fmt: skip
        """Return what an act comes to that leaves lines of this money, and adds a fee to the booking or to lines."""
        booking = self.booking
        fees = booking.fee_minor + fee_minor
        total = policies.total_of(money, fee_minor=fees, rebate_minor=booking.rebate_minor)
        errors = too_much_money(total, booking.currency, path="party_size")
        if errors:
            raise InvalidRequest(errors[0].detail, errors=errors)
        return Consequence(
            currency=booking.currency, old_total_minor=booking.total_minor, total_minor=total,
            fee_minor=fee_minor + line_fees_minor, places=places, obstacles=obstacles,
        )  # fmt: skip


def terms_of(line: Line) -> Terms:
    """Return the terms on which a line was booked."""
    return Terms.of(line.terms) if line.terms else terms_now(line.session.activity)


def terms_now(activity: Activity) -> Terms:
    """Return the terms on which an activity is booked now."""
    return Terms.of({name: getattr(activity, name) for name in COLUMNS})


def money_of(line: Line) -> LineMoney:
    """Return what a line adds to the total."""
    return LineMoney(net_of(line), line.fee_minor, line.status == Line.Status.LIVE)


def net_of(line: Line) -> int:
    """Return what a line costs after its share of a promo code: of this its fees are counted."""
    return line.amount_minor - line.discount_minor


# Opening a case ---------------------------------------------------------------------------------------------------


def read_case(
    booking: Booking, actor: Actor, *, waive_fee: bool = False, reason_code: str = "", claim: Claim | None = None
) -> Case:
    """Gather a booking's lines as they are now; in an act, once everything is locked."""
    rows = booking.lines.select_related("session__activity__venue", "reservation")
    lines = tuple(rows.prefetch_related("links__participant").order_by("session__starts_at", "id"))
    return Case(booking, lines, database_now(), actor, _released(lines), waive_fee, reason_code, claim)


def open_case(
    booking: Booking, actor: Actor, *, reason_code: str = "", version: int | None = None, waive_fee: bool = False,
    sessions: Sequence[UUID] = (), claim: Claim | None = None, expected_total: int | None = None,
) -> Case:  # fmt: skip
    """Lock a locked booking's sessions and those besides, then its reservations, and gather it.

    Refuses with VersionMoved, and without a reason where one is needed.
    """
    lifecycle.check_version(booking, version)
    require_reason(actor, reason_code, waive_fee=waive_fee)
    rows = list(Line.objects.filter(booking=booking, status=Line.Status.LIVE).values_list("session", "reservation"))
    capacity.lock_sessions({*(session_id for session_id, _ in rows), *sessions})
    capacity.lock_reservations(reservation_id for _, reservation_id in rows)
    case = read_case(booking, actor, waive_fee=waive_fee, reason_code=reason_code, claim=claim)
    return replace(case, expected_total=expected_total)


def require_reason(actor: Actor, reason_code: str, *, waive_fee: bool) -> None:
    """Staff say why, whatever they do to somebody's booking; only the venue waives a fee, and says why."""
    if actor.kind is ActorKind.SYSTEM:
        raise lifecycle.IllegalTransition("Only a person changes a booking, or a policy that a person switched on.")
    says_why = bool(reason_code or str(actor.detail.get("note") or "").strip())
    if waive_fee and actor.kind not in VENUE:
        raise invalid("waive_fee", "not_yours", "Only the venue can waive a fee.")
    if not says_why and (actor.kind is ActorKind.STAFF or waive_fee):
        raise invalid("reason", "required", "Say why: it is kept with the booking.")


def require_confirmed(case: Case) -> None:
    """Refuse what is not booked, or not any more."""
    if case.booking.status != Booking.Status.CONFIRMED:
        raise lifecycle.IllegalTransition(f"This booking is {case.booking.status}: it cannot be changed.")


def require_allowed(consequence: Consequence) -> None:
    """Refuse what the terms or the clock do not allow, in words."""
    if not consequence.is_allowed:
        raise refusal_of(consequence)


def require_shown(case: Case, consequence: Consequence) -> None:
    """Refuse when the caller was shown another total: a price has moved since, or a deadline has passed."""
    if case.expected_total not in (None, consequence.total_minor):
        raise TotalDiffers(
            "What this comes to has changed since it was shown. Look again before you decide.",
            extra={"total_minor": consequence.total_minor},
        )


def refusal_of(consequence: Consequence) -> ChangeNotAllowed:
    """Return the refusal that says what stands against an act."""
    words = " ".join(each.words for each in consequence.obstacles)
    return ChangeNotAllowed(words, extra={"reasons": [each.code for each in consequence.obstacles]})


def booking_of(line_id: UUID) -> UUID:
    """Return the booking of a line, or refuse."""
    found: UUID | None = Line.objects.filter(id=line_id).values_list("booking_id", flat=True).first()
    if found is None:
        raise unknown_line()
    return found


def unknown_line() -> Refusal:
    """Return the refusal of a line that is not of this booking, or cancelled."""
    return invalid("line", "unknown_line", "This is not a live line of this booking.")


def live_line(case: Case, line_id: UUID) -> Line:
    """Return a live line of a confirmed booking, or refuse."""
    require_confirmed(case)
    if line_id not in {line.id for line in case.live}:
        raise unknown_line()
    return case.line(line_id)


def _released(lines: Sequence[Line]) -> frozenset[UUID]:
    """Return the lines in sessions that were closed with offers, until somebody keeps them, or that are legacy."""
    rows = AffectedLine.objects.filter(line__in=lines, effect=CLOSE)
    decisions: dict[UUID, str] = {}
    over: set[str] = set()
    for row in rows.select_related("change").order_by("created_at", "id"):
        decisions[row.line_id] = row.status
        over |= {session["session"] for session in row.change.effects["sessions"]}
    return frozenset(
        line.id
        for line in lines
        if line.session.is_legacy
        or (str(line.session_id) in over and decisions.get(line.id) != AffectedLine.Status.KEEP)
    )


# Closing it -------------------------------------------------------------------------------------------------------


def settle(case: Case, total_minor: int, lines: Collection[Line]) -> dict[str, Any]:
    """Return a booking's new total and how it is paid for, or raise PaymentRequired: nothing is charged here."""
    booking = case.booking
    if booking.payment_method != PaymentMethod.FREE or not total_minor:
        return {"total_minor": total_minor}
    on_arrival = all(line.session.activity.pay_on_arrival for line in lines)
    method = settling_method(
        chosen=None, total_minor=total_minor, on_arrival_allowed=on_arrival,
        online_allowed=not on_arrival and charges.can_pay_online(booking.organization_id),
    )  # fmt: skip
    return {"total_minor": total_minor, "payment_method": method}


def balance_due(case: Case) -> dict[str, Any]:
    """Return until when the rest of a deposit is due, by the lines as they are written: at once, when that is over."""
    if case.booking.balance_due_at is None:
        return {}
    deposits = [deposit for line in case.live if (deposit := deposit_of(line.session))]
    due_at = min((each.balance_due_at for each in deposits), default=case.booking.balance_due_at)
    return {"balance_due_at": max(due_at, case.now)}


def deposit_of(session: Session) -> DepositTerms | None:
    """Return the deposit that a session's activity asks for, by its venue's clock."""
    activity, percent = session.activity, session.activity.deposit_percent
    starts_at = session.starts_at.astimezone(activity.venue.zone)
    return DepositTerms(percent, activity.balance_days, starts_at) if percent else None


def record(
    case: Case, kind: str, consequence: Consequence, *, before: Mapping[str, Any], after: Mapping[str, Any]
) -> BookingEvent:
    """Write the fact of an act, with the version it made and what it came to, and keep the claim with it.

    The booking's lock keeps a double of the claim away until both are there.
    """
    booking = case.booking
    event = lifecycle.record_event(
        booking, kind=kind, to_status=booking.status, actor=case.actor, reason_code=case.reason_code, before=before,
        after={**after, **told(consequence, version=booking.version)},
    )  # fmt: skip
    record_effect(case.claim, event)
    return event


def told(consequence: Consequence, *, version: int) -> dict[str, Any]:
    """Return what the last fact of an act says beside what it did."""
    return {"version": version, "total_minor": consequence.total_minor, "consequence": consequence.document()}


def record_effect(claim: Claim | None, event: BookingEvent) -> None:
    """Keep the claim with the fact that it led to."""
    idempotency.record(claim, organization_id=event.organization_id, effect_id=event.id)


def last_act(booking: Booking, claim: Claim | None) -> BookingEvent | None:
    """Return the fact of a claim's act, or else of the act that made this version of the booking."""
    if claim and (effect := idempotency.prior_effect(claim)):
        return BookingEvent.objects.filter(id=effect).first()
    rows = booking.events.filter(after__version=booking.version, after__has_key="consequence")
    return rows.order_by("seq").last()


def with_note(actor: Actor, note: str) -> Actor:
    """Return the actor with a reason in their own words, which can be erased."""
    return replace(actor, detail={**actor.detail, "note": note.strip()[:LONGEST_NOTE]}) if note.strip() else actor
