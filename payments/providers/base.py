"""What every provider of online payments can be asked, and what it answers: shapes without a database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from payments.models import ProviderAccount


class State(StrEnum):
    """How far money is, by the provider's own word."""

    OPEN = "open"  # it may still be paid, or is on its way
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ProviderDown(Exception):
    """No answer, or one that says "later": nobody knows whether it was done. Ask again with the same key."""

    def __init__(self, words: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(words)
        self.retry_after_seconds = retry_after_seconds


class ProviderBusy(ProviderDown):
    """The same request, with the same key, is being worked on: another process of ours is first."""


class ProviderRefused(Exception):
    """A definite no: nothing was done, and the same request will be refused again. `code` is the provider's."""

    def __init__(self, words: str, *, code: str = "") -> None:
        super().__init__(words)
        self.code = code[:80]


class AccountBroken(ProviderRefused):
    """The account's key does not open it any more, or may not do this: a person must look."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a checkout is asked for. The same payment asks for the same at any time, so that its key stays good."""

    payment_id: UUID
    amount_minor: int
    currency: str
    description: str
    payer_email: str
    language: str
    expires_at: datetime | None  # when the provider closes it by itself, a while after we do; None: in its own time
    return_url: str
    back_url: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a checkout, as the provider said it at some moment. Amounts are in ISO 4217 minor units."""

    state: State
    amount_minor: int
    currency: str
    intent_ref: str = ""  # pi_…, once there is one
    provider_ref: str = ""  # cs_…, where it is known
    failure_code: str = ""
    redirect_url: str = ""  # the provider's page, while it may be paid


Checkout = Outcome  # what beginning one answers: an Outcome with its `redirect_url`


@dataclass(frozen=True, slots=True)
class RefundOutcome:
    """What became of a refund. State OPEN: the provider has it, and it is on its way."""

    state: State
    amount_minor: int
    currency: str
    provider_ref: str = ""  # re_…
    intent_ref: str = ""  # of the payment it is of
    refund_id: UUID | None = None  # ours, where we asked for it
    failure_code: str = ""


class MovementKind(StrEnum):
    """A line of the provider's statement."""

    PAYMENT = "payment"
    REFUND = "refund"
    REFUND_RETURNED = "refund_returned"  # a refund that the bank sent back
    DISPUTE_WITHDRAWN = "dispute_withdrawn"
    DISPUTE_REINSTATED = "dispute_reinstated"
    OTHER = "other"  # a payout, a fee: not a movement between a payer and us


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of the statement. `amount_minor` is signed: what it did to our balance there, fees left out."""

    ref: str  # txn_…
    kind: MovementKind
    amount_minor: int
    currency: str
    at: datetime
    source_ref: str = ""  # ch_…, re_…, dp_…
    intent_ref: str = ""  # pi_…
    payment_id: UUID | None = None  # as we told the provider at the checkout
    refund_id: UUID | None = None  # as we told it at the refund


@dataclass(frozen=True, slots=True)
class DisputeOutcome:
    """A dispute as the provider says it is."""

    provider_ref: str
    intent_ref: str
    amount_minor: int
    currency: str
    status: str  # open, won, lost
    is_withdrawn: bool  # the provider has taken the money for the time being, or for good
    reason: str = ""
    answer_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider sends its events; the secret is said once, when it is made."""

    ref: str
    secret: str = ""


class NotSigned(Exception):
    """An event that is not signed, or with another secret, or long ago; or that is none."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is stored: its object as it was then, with no more of it than is needed."""

    event_id: str
    kind: str
    occurred_at: datetime
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class News:
    """What an event says: of which payment, and what became of it. Nothing at all: it does not concern us."""

    payment_id: UUID | None = None  # as we told the provider at the checkout
    outcome: Outcome | None = None
    declined: tuple[str, str] | None = None  # an attempt, and why
    refund: RefundOutcome | None = None
    dispute: DisputeOutcome | None = None


class Provider(Protocol):
    """One provider. Every call goes over the network through gateway.ask: never inside a transaction.

    Any of them raises ProviderDown (nobody knows), ProviderRefused (a definite no), or AccountBroken (the key).
    """

    def require_chargeable(self, amount_minor: int, currency: str) -> None:
        """Refuse, in words, an amount that cannot be taken; asks nobody."""
        ...

    def begin(self, account: ProviderAccount, order: Order) -> Checkout:
        """Open a checkout, once per payment: asked again, it answers the same one."""
        ...

    def look_up(self, account: ProviderAccount, provider_ref: str) -> Outcome:
        """Return what became of a checkout."""
        ...

    def find(self, account: ProviderAccount, payment_id: UUID, *, since: datetime) -> Outcome | None:
        """Look for the checkout of a payment whose answer was lost; None: there is none."""
        ...

    def look_up_intent(self, account: ProviderAccount, intent_ref: str) -> tuple[UUID | None, Outcome]:
        """Return what became of some money, and our payment's id as we told it at the checkout."""
        ...

    def close(self, account: ProviderAccount, provider_ref: str) -> Outcome:
        """Let a checkout not be paid any more; return what became of it, which may be that it was paid."""
        ...

    def refund(
        self, account: ProviderAccount, *, refund_id: UUID, intent_ref: str, amount_minor: int, currency: str, key: str
    ) -> RefundOutcome:  # fmt: skip
        """Send money back, once per key."""
        ...

    def look_up_refund(self, account: ProviderAccount, provider_ref: str) -> RefundOutcome:
        """Return what became of a refund."""
        ...

    def look_up_dispute(self, account: ProviderAccount, provider_ref: str) -> DisputeOutcome:
        """Return how a dispute is."""
        ...

    def movements(self, account: ProviderAccount, *, since: datetime, until: datetime) -> Iterator[Movement]:
        """Yield the statement from `since` to before `until`, newest first; each page is a call of its own."""
        ...

    def identify(self, account: ProviderAccount) -> str:
        """Return the provider's name for the account that its key opens."""
        ...

    def is_live(self, account: ProviderAccount) -> bool:
        """Does its key move real money? Asks nobody."""
        ...

    def listen(self, account: ProviderAccount, url: str) -> Endpoint:
        """Register where events go to; each time another one, with a secret of its own."""
        ...

    def listening(self, account: ProviderAccount, url: str) -> list[Endpoint]:
        """Return what is registered for an address and switched on, without the secrets."""
        ...

    def stop_listening(self, account: ProviderAccount, endpoint_ref: str) -> None:
        """Take an endpoint away."""
        ...

    def read_event(self, body: bytes, signature: str, secrets: Sequence[str]) -> Event:
        """Return an event signed with one of the secrets, or raise NotSigned; asks nobody."""
        ...

    def news_of(self, event: Event) -> News:
        """Return what an event says; asks nobody."""
        ...
