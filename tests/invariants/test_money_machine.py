"""Bookings and their money by any acts in any order, against a model that knows only sums.

The model keeps, of each payment, what the bank has taken and sent back. After each step the product agrees: no booking
is confirmed that pays online and has not paid, nobody has paid more than they owe, and the ledger is the bank's.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError
from django.db.models import QuerySet, Sum
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from alerts.services.auditor import check_invariants
from bookings.models import Booking
from bookings.services import cancellation, changes, desk_money, expiry, paying, settlement
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import Refusal
from payments.models import Dispute, LedgerEntry, Payment, Refund
from payments.providers.base import Outcome, State
from payments.services import balances, charges
from payments.services.balances import balance_of
from scheduling.models import Session
from tests.bookings.paid import reservation_of, shop, submit
from tests.factories import (
    answer_refund,
    decide_dispute,
    dispute,
    give_up_refund,
    hold,
    lapse,
    make_session,
    make_voucher,
    stranger,
)  # fmt: skip

STAFF = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": "because"})
SESSIONS, PLACES = 2, 3
numbers = st.integers(0, SESSIONS - 1)


class Money(RuleBasedStateMachine):
    """The product beside its sums."""

    bookings: "Bundle[UUID]" = Bundle("bookings")

    @initialize(deposit=st.sampled_from([None, 30]))
    def open(self, deposit: int | None) -> None:
        self.taken: dict[UUID, int] = {}  # by payment at the bank: what it took
        self.back: dict[UUID, int] = {}  # by refund: what the bank sent back
        activity = shop(pay_on_arrival=True, deposit_percent=deposit, balance_days=1, change_until_minutes=0)
        self.sessions: list[Session] = [
            make_session(
                activity, capacity=PLACES, starts_in=timedelta(days=30 + number), price_minor=1000 + 500 * number
            )
            for number in range(SESSIONS)
        ]
        self.voucher = make_voucher(activity.organization, 1500)
        self.ours = {"organization": activity.organization_id}

    @rule(target=bookings, session=numbers, size=st.integers(1, 2), with_voucher=st.booleans(), online=st.booleans())
    def order(self, session: int, size: int, with_voucher: bool, online: bool) -> Any:
        terms = {"payment_method": "online" if online else "pay_on_arrival"}
        if with_voucher:
            terms["voucher"] = self.voucher.code
        with suppress(Refusal):
            held = hold(self.sessions[session], size)
            return submit(held, contact=stranger(), **terms).id
        return multiple()

    @rule(chosen=bookings, state=st.sampled_from([*State]))
    def bank_says(self, chosen: UUID, state: State) -> None:
        """Of the newest payment at the bank, whatever we think of it; what was taken stays taken."""
        payment = Payment.objects.filter(reference=chosen, provider="stripe").order_by("-id").first()
        if payment is None or (payment.id in self.taken and state is not State.SUCCEEDED):
            return
        names = {"intent_ref": f"pi_{payment.id.hex}", "provider_ref": f"cs_{payment.id.hex}"}
        charges.apply_outcome(payment.id, Outcome(state, payment.amount_minor, payment.currency, **names))
        if state is State.SUCCEEDED:
            self.taken[payment.id] = payment.amount_minor

    @rule(chosen=bookings, part=st.integers(1, 4))
    def pay_balance(self, chosen: UUID, part: int) -> None:
        with suppress(Refusal):
            paying.open_balance(booking_id=chosen, actor=STAFF, amount_minor=500 * part)

    @rule(chosen=bookings)
    def pay_again(self, chosen: UUID) -> None:
        with suppress(Refusal):
            paying.open_or_new(booking_id=chosen, actor=STAFF)

    @rule(chosen=bookings)
    def pay_at_the_desk(self, chosen: UUID) -> None:
        booking = Booking.objects.get(id=chosen)
        with suppress(Refusal):
            desk_money.take_money(booking_id=chosen, amount_minor=desk_money.due_now(booking), actor=STAFF)

    @rule(chosen=bookings, taken_by_others=st.booleans())
    def time_passes(self, chosen: UUID, taken_by_others: bool) -> None:
        booking = Booking.objects.get(id=chosen)
        if booking.status == Booking.Status.PENDING:
            lapse(reservation_of(booking), ago=timedelta(minutes=1))
            with suppress(Refusal):  # until nothing is left
                for _ in range(PLACES * taken_by_others):
                    hold(reservation_of(booking).session, email="others@example.org")
        expiry.expire_pending_bookings()

    @rule(chosen=bookings)
    def cancel(self, chosen: UUID) -> None:
        with suppress(Refusal):
            cancellation.cancel_booking(booking_id=chosen, actor=STAFF)

    @rule(chosen=bookings, session=numbers)
    def move(self, chosen: UUID, session: int) -> None:
        line = Booking.objects.get(id=chosen).lines.get()
        with suppress(Refusal):
            changes.move_line(line_id=line.id, session_id=self.sessions[session].id, actor=STAFF)

    @rule(chosen=bookings, amount=st.integers(-100, 1200))
    def let_off(self, chosen: UUID, amount: int) -> None:
        with suppress(Refusal):
            settlement.give_back(booking_id=chosen, amount_minor=amount, actor=STAFF)

    @rule(succeeds=st.booleans())
    def bank_sends_back(self, succeeds: bool) -> None:
        refund = Refund.objects.filter(**self.ours, status="requested", payment__provider="stripe").first()
        if refund is not None and succeeds:
            answer_refund(refund)
            self.back[refund.id] = refund.amount_minor
        elif refund is not None:
            give_up_refund(refund)

    @rule(chosen=bookings, outcome=st.sampled_from(["won", "lost"]))
    def payer_disputes(self, chosen: UUID, outcome: str) -> None:
        payment = Payment.objects.filter(reference=chosen, status="succeeded", provider="stripe").first()
        found = Dispute.objects.filter(payment=payment).first() if payment else None
        if found is not None and found.status == "open":
            decide_dispute(found, outcome)
        elif payment is not None and found is None and not payment.refunds.exists():
            dispute(payment)

    # What holds after each step

    @precondition(lambda self: hasattr(self, "ours"))
    @invariant()
    def no_booking_is_confirmed_without_its_money_and_nobody_has_paid_too_much(self) -> None:
        for booking in Booking.objects.filter(**self.ours):
            balance = balance_of(booking.id)
            given_up = self.given_up(booking)
            has = balance.net_minor + balance.disputed_minor - given_up
            assert balance.net_minor - given_up <= settlement.owed_minor(booking)
            if booking.status == Booking.Status.CONFIRMED and booking.payment_method == "online":
                assert has >= settlement.required_minor(booking)
            if booking.status == Booking.Status.PENDING:
                assert has < settlement.required_minor(booking)

    def given_up(self, booking: Booking) -> int:
        """Return what should have gone back and could not: staff have an alert."""
        return self.sum_of(Refund.objects.filter(reference=booking.id, status="failed"))

    def sum_of(self, rows: QuerySet[Any]) -> int:
        return int(rows.filter(**self.ours).aggregate(all=Sum("amount_minor"))["all"] or 0)

    @precondition(lambda self: hasattr(self, "ours"))
    @invariant()
    def the_ledger_is_the_banks(self) -> None:
        clearing = self.sum_of(LedgerEntry.objects.filter(account="clearing"))
        disputed = self.sum_of(Dispute.objects.exclude(status="won"))
        assert clearing == sum(self.taken.values()) - sum(self.back.values()) - disputed

    def teardown(self) -> None:
        assert [str(offender) for offender in check_invariants()] == []


def run(examples: int, **more: Any) -> None:
    chosen = settings(
        max_examples=examples, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), **more
    )
    run_machine(Money, settings=chosen)


@pytest.mark.usefixtures("committed_db")
def test_money_by_any_acts_in_any_order_is_a_booking_or_comes_back() -> None:
    run(20)


MUTANTS: Mapping[str, tuple[object, str, object]] = {
    "what is too much stays": (settlement, "settle_up", lambda *_args, **_kwargs: []),
    "half of it is enough": (settlement, "required_minor", lambda booking: booking.total_minor // 2),
    "what goes back still counts": (balances.Balance, "net_minor", property(lambda balance: balance.paid_minor)),
}


@pytest.mark.usefixtures("committed_db")
@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_the_sums_notice(mutant: tuple[object, str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, instead = mutant
    monkeypatch.setattr(owner, name, instead)
    with pytest.raises((AssertionError, IntegrityError, Refusal)):
        run(60, phases=[Phase.generate], database=None, derandomize=True)
