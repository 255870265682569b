"""What somebody wants to book, as page, API, desk and services pass it on."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from scheduling.services.assessing import Party


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who comes: known already by id, or new by name."""

    id: UUID | None = None
    name: str = ""
    birth_date: date | None = None
    level: int | None = None  # 0 for those who begin
    languages: tuple[str, ...] = ()  # BCP 47
    notes: str = ""  # what whoever teaches should know
    consent_by: str = ""  # who may say so for a minor, and does


@dataclass(frozen=True, slots=True)
class Contact:
    """Who books."""

    email: str
    name: str
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line as asked for: a party of one session, and who they are."""

    party: Party
    participants: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """How it is paid for, the total the customer was shown, and whether a second booking of the same is meant."""

    payment_method: str | None = None
    expected_total: int | None = None  # minor units
    confirm_duplicate: bool = False
    duplicate_reason: str = ""  # in whose own words; staff must give one
    promo_code: str = ""  # as typed
    voucher: str = ""  # its code, as typed
    currency: str = ""  # in which the caller means to pay; none: the lines'
