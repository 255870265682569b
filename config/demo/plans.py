"""What an organization of the demo is made of: plain data, without Django; visits.py and loading.py turn it into rows.

Words, prices and timetables stand in one module per organization, so that reading one tells its whole story.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Party = Mapping[str, int]  # how many of each unit, by the unit's name


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """A kind of participant; the first of an activity is its default."""

    name: str
    price_minor: int
    places: int = 1
    minimum_age: int | None = None  # years
    maximum_age: int | None = None
    maximum_count: int | None = None  # of one party
    needs_accompaniment: bool = False
    can_accompany: bool = False


@dataclass(frozen=True, slots=True)
class ExtraPlan:
    """Something to have beside the places."""

    name: str
    summary: str
    price_minor: int
    stock_per_session: int | None = None
    maximum_per_party: int | None = None


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """A change that staff have made since people began to book: days count from today at the venue."""

    kind: str
    days: tuple[int, int]  # the first and the last
    parameters: Mapping[str, object]
    activity: str | None = None  # its slug; None: the whole venue


@dataclass(frozen=True, slots=True)
class PromoPlan:
    """A promo code: so many percent off, or so much of the organization's currency."""

    code: str
    percent: int | None = None
    amount_minor: int | None = None
    most_uses: int | None = None
    note: str = ""


class Then(StrEnum):
    """What became of a party that paid online."""

    CAME = "came"
    REFUNDED_IN_PART = "refunded_in_part"  # staff let them off a part
    REFUND_FAILED = "refund_failed"  # cancelled, and the card does not take the money back
    DISPUTED = "disputed"  # their bank asks for the money
    LATE = "late"  # paid when somebody else had the places


@dataclass(frozen=True, slots=True)
class Purchase:
    """A party that pays online for the first session with room for it, so many days from tomorrow."""

    activity: str  # its slug
    days: int
    party: Party
    then: Then = Then.CAME
    promo_code: str = ""
    voucher: int | None = None  # its place among the organization's


@dataclass(frozen=True, slots=True)
class MoneyPlan:
    """What there is of money, once there is a bank."""

    promo_codes: tuple[PromoPlan, ...] = ()
    vouchers: tuple[tuple[int, str], ...] = ()  # worth so much, given for this
    purchases: tuple[Purchase, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """What has been sold before anybody looks: busy sessions, from tomorrow on, and what is left of each.

    Where an activity is paid for online and not otherwise, its parties come once there is a bank.
    """

    parties: tuple[Party, ...]  # they come in turn, again and again
    places_left: tuple[int, ...] = ()  # of the first busy session, the second, …; 0 is full
    every: int = 1  # the n-th session from tomorrow on is a busy one
    holds: tuple[tuple[int, int], ...] = ()  # (busy session, party size): live holds, gone after the hold time
    series: int = 0  # one booking more, of so many sessions that follow the busy ones
    cut: tuple[int, int] | None = None  # (busy session, capacity): a cut below what is booked, which is honoured


@dataclass(frozen=True, slots=True)
class ActivityPlan:
    """What is sold, when and to whom; `schedule` is the JSON form of design section 5."""

    name: str
    slug: str
    summary: str
    schedule: Mapping[str, object]
    capacity: int
    units: tuple[UnitPlan, ...]
    story: Story
    extras: tuple[ExtraPlan, ...] = ()
    price_rules: tuple[Mapping[str, object], ...] = ()  # fields of a dated rule
    smallest_party: int = 1  # people
    largest_party: int | None = None
    notice_days: int = 0
    kind: str = "open"
    status: str = "published"
    pay_on_arrival: bool = False
    opens_days_before: int = 365
    closes_minutes_before: int = 0
    names_people: bool = False  # a course wants to know who comes
    currency: str = ""  # another than the organization's
    deposit_percent: int | None = None  # the rest is due two weeks before

    @property
    def is_paid_online(self) -> bool:
        """Can it be paid for online, and not otherwise?"""
        return not self.pay_on_arrival and any(unit.price_minor for unit in self.units)

    def places_of(self, party: Party) -> int:
        """Return how many places a party takes."""
        places = {unit.name: unit.places for unit in self.units}
        return sum(places[name] * count for name, count in party.items())


@dataclass(frozen=True, slots=True)
class OrganizationPlan:
    """One tenant with one venue."""

    name: str
    slug: str
    currency: str
    venue: str
    timezone: str
    phone: str  # of a visitor, with {:02} for who it is; numbers set aside for stories, or none
    manager: str
    manager_role: str
    receptionist: str
    activities: tuple[ActivityPlan, ...]
    visitors: tuple[str, ...] = field(repr=False)
    changes: tuple[ChangePlan, ...] = ()
    other_currencies: tuple[str, ...] = ()
    money: MoneyPlan = MoneyPlan()

    @property
    def domain(self) -> str:
        """Return where its own site would be; names under .example belong to nobody."""
        return f"{self.slug}.example"

    @property
    def manager_email(self) -> str:
        """Return how the manager, or owner, signs in."""
        return f"{self.manager_role}@{self.domain}"

    @property
    def reception_email(self) -> str:
        """Return how the desk signs in."""
        return f"reception@{self.domain}"


def every_day() -> list[str]:
    """Return the names of the weekdays, Monday first."""
    return ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def combine(first_names: str, surnames: str) -> tuple[str, ...]:
    """Return full names: each first name with its surname, then with the next one's."""
    firsts, lasts = first_names.split(), surnames.split()
    shifted = [*lasts[1:], lasts[0]]
    return tuple(f"{first} {last}" for names in (lasts, shifted) for first, last in zip(firsts, names, strict=True))
