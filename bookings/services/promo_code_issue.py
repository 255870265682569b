"""Promo codes from the venue's side: made with terms that stay as they are, and ended. Used: promo_codes.py."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from bookings.models import PromoActivity, PromoCode
from bookings.services.promo_codes import read_code
from config.kit.clock import database_now
from config.kit.facts import Actor
from config.kit.refusals import FieldError, InvalidRequest, NotFound, invalid
from config.tenants.history import record_organization_event
from config.tenants.models import Organization
from scheduling.models import Activity

FORM = re.compile(r"[A-Z0-9-]{3,40}")  # the constraint's
HUNDRED = 100


@dataclass(frozen=True, slots=True)
class PromoTerms:
    """What a code gives, for what, when and how often: percent, or an amount in minor units; never both."""

    code: str
    percent: int | None = None
    amount_minor: int | None = None
    currency: str = "GBP"  # of the amount, and of the minimum
    starts_at: datetime | None = None
    ends_at: datetime | None = None  # excluded
    minimum_minor: int = 0
    most_uses: int | None = None
    most_uses_each: int | None = None
    note: str = ""


@transaction.atomic
def create_promo_code(
    *, organization_id: UUID, terms: PromoTerms, actor: Actor, activities: Sequence[UUID] = ()
) -> PromoCode:
    """Make a code for these activities of the organization; none: for all.

    Refuses, each at its field: a code of another form, one that is in use here, not exactly one of percent and amount,
    a currency the organization does not take, a time that ends before it begins, activities of somebody else.
    """
    organization = Organization.objects.filter(id=organization_id).first()
    if organization is None:
        raise NotFound
    chosen = set(activities)
    known = set(Activity.objects.filter(organization=organization, id__in=chosen).values_list("id", flat=True))
    errors = [*_wrong(terms, organization.currencies), *_strangers(chosen - known)]
    if errors:
        raise InvalidRequest(" ".join(error.detail for error in errors), errors=errors)
    promo = _write(organization, terms)
    links = [PromoActivity(organization=organization, promo_code=promo, activity_id=each) for each in sorted(known)]
    PromoActivity.objects.bulk_create(links)
    gives = {"percent": terms.percent, "amount_minor": terms.amount_minor, "currency": terms.currency}
    _record(promo, "promo_code_made", actor, **gives)
    return promo


@transaction.atomic
def end_promo_code(*, promo_code_id: UUID, actor: Actor) -> PromoCode:
    """Let nobody use a code any more; bookings that used it keep their price. Again is harmless."""
    promo = PromoCode.objects.select_for_update(no_key=True).filter(id=promo_code_id).first()
    if promo is None:
        raise NotFound
    if promo.ended_at is None:
        promo.ended_at = database_now()
        promo.save(update_fields=["ended_at"])
        _record(promo, "promo_code_ended", actor, uses=promo.uses)
    return promo


def _record(promo: PromoCode, kind: str, actor: Actor, **after: Any) -> None:
    told = {"promo_code": str(promo.id), "code": promo.code, **after}
    record_organization_event(organization_id=promo.organization_id, kind=kind, actor=actor, after=told)


def _write(organization: Organization, terms: PromoTerms) -> PromoCode:
    """Write the row, or say that the code is in use; the unique index decides between two at once."""
    fields = {**asdict(terms), "code": read_code(terms.code)}
    try:
        with transaction.atomic():
            return PromoCode.objects.create(organization=organization, **fields)
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") == "promo_code_once":
            raise invalid("code", "code_in_use", "There is a code like this already: end it first.") from error
        raise


def _wrong(terms: PromoTerms, currencies: Sequence[str]) -> Iterator[FieldError]:
    if not FORM.fullmatch(read_code(terms.code)):
        yield FieldError("code", "code_form", "A code has 3 to 40 letters, digits and hyphens.")
    if (terms.percent is None) == (terms.amount_minor is None):
        yield FieldError("percent", "one_of_both", "Give either percent or an amount.")
    if terms.percent is not None and not 1 <= terms.percent <= HUNDRED:
        yield FieldError("percent", "percent_range", "Percent are from 1 to 100.")
    if terms.amount_minor is not None and terms.amount_minor < 1:
        yield FieldError("amount_minor", "not_positive", "A code has to take something off.")
    if terms.currency not in currencies:
        yield FieldError("currency", "currency_not_accepted", f"You sell in {', '.join(currencies)}.")
    if terms.starts_at and terms.ends_at and terms.ends_at <= terms.starts_at:
        yield FieldError("ends_at", "ends_before_it_begins", "The end has to be later than the beginning.")
    for name in ("most_uses", "most_uses_each"):
        if getattr(terms, name) == 0:
            yield FieldError(name, "not_positive", "A code that nobody may use is of no use: leave it open, or 1.")


def _strangers(unknown: set[UUID]) -> Iterator[FieldError]:
    if unknown:
        yield FieldError("activities", "unknown_activity", "Some of these activities are not yours.")
