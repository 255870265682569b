"""Promo codes: what stands against one, and its uses, of which the last one has one winner. The one writer of both.

What a code gives is counted in bookings/discounts.py. Its row is locked last of all by an act that books.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, QuerySet

from bookings.discounts import Rebate, discount_after
from bookings.models import Booking, Line, PromoActivity, PromoCode, PromoUse
from config.kit.clock import database_now
from config.kit.display import money_text
from config.kit.mailboxes import normalised
from config.kit.refusals import FieldError, Refusal
from scheduling.services.capacity import require_transaction

FIELD = "promo_code"


class PromoCodeRefused(Refusal):
    """The base of what a code is refused for; the form's field is named."""

    def __init__(self, detail: str = "", **extra: object) -> None:
        words = detail or self.title
        super().__init__(words, errors=[FieldError(FIELD, self.code, words)], extra=extra)


class UnknownPromoCode(PromoCodeRefused):
    """No such code here; another organization's is as unknown as one that never was."""

    code, title = "unknown_promo_code", "We know no promo code like this"


class PromoCodeNotYet(PromoCodeRefused):
    """Its time begins later."""

    code, title = "promo_code_not_yet", "This promo code cannot be used yet"


class PromoCodeOver(PromoCodeRefused):
    """Its time is over, or staff ended it."""

    code, title = "promo_code_over", "This promo code is no longer valid"


class PromoCodeUsedUp(PromoCodeRefused):
    """As many bookings as may have used it."""

    code, title = "promo_code_used_up", "This promo code has been used up"


class PromoCodeUsedByYou(PromoCodeRefused):
    """This customer has used it as often as one may."""

    code, title = "promo_code_used_by_you", "You have used this promo code already"


class PromoCodeNotForThis(PromoCodeRefused):
    """It is for other activities, or there is nothing that it could take off."""

    code, title = "promo_code_not_for_this", "This promo code takes nothing off this booking"


class PromoCodeBelowMinimum(PromoCodeRefused):
    """What it is for costs less than the code asks for."""

    code, title = "promo_code_below_minimum", "This promo code is for larger bookings"


class PromoCodeOtherCurrency(PromoCodeRefused):
    """It is worth another currency than what is booked."""

    code, title = "promo_code_other_currency", "This promo code is in another currency"


# Whether it may be used -------------------------------------------------------------------------------------------


def read_code(text: str) -> str:
    """Return a code as it is stored, whatever a person typed: any case, spaces anywhere."""
    return "".join(text.split()).upper()


def rebate_of(promo: PromoCode) -> Rebate:
    """Return what a code gives."""
    return Rebate(promo.code, promo.percent, promo.amount_minor or 0)


def find_promo_code(*, organization_id: UUID, code: str, at: datetime) -> PromoCode:
    """Return an organization's code, however it was typed, if this is its time.

    Refuses with UnknownPromoCode, also for another organization's; PromoCodeNotYet; PromoCodeOver.
    """
    rows = PromoCode.objects.filter(organization=organization_id, code=read_code(code))
    promo = rows.order_by(F("ended_at").desc(nulls_first=True)).first()
    if promo is None:
        raise UnknownPromoCode
    if promo.ended_at or (promo.ends_at and promo.ends_at <= at):
        raise PromoCodeOver
    if promo.starts_at and at < promo.starts_at:
        raise PromoCodeNotYet
    return promo


def activities_of(promo: PromoCode) -> frozenset[UUID]:
    """Return the activities that a code is for; none means all."""
    return frozenset(PromoActivity.objects.filter(promo_code=promo).values_list("activity_id", flat=True))


def faults_of_use(promo: PromoCode, *, email: str | None, replaced: Collection[UUID] = ()) -> Iterator[Refusal]:
    """Yield that it is used up, in all or by this mailbox; the uses of the bookings that are replaced are free again.

    Only a look: take_promo_use decides. Without an address nobody's bookings are looked into.
    """
    theirs = PromoUse.objects.filter(promo_code=promo, released_at=None)
    given_back = theirs.filter(booking__in=replaced).count() if replaced and promo.most_uses is not None else 0
    if promo.most_uses is not None and promo.uses - given_back >= promo.most_uses:
        yield PromoCodeUsedUp()
    elif email is not None and _is_used_by(promo, email, theirs.exclude(booking__in=replaced)):
        yield _used_by_you(promo)


def faults_of_worth(promo: PromoCode, *, eligible_minor: int, off_minor: int, currency: str) -> Iterator[Refusal]:
    """Yield what stands against it by what it is for: the sum of these lines, and what it would take off them."""
    counts_money = promo.amount_minor is not None or promo.minimum_minor
    if counts_money and promo.currency != currency:
        yield PromoCodeOtherCurrency(f"This promo code is in {promo.currency}, and this booking is in {currency}.")
    elif not off_minor:
        yield PromoCodeNotForThis()
    elif eligible_minor < promo.minimum_minor:
        least = money_text(promo.minimum_minor, promo.currency)
        words = f"This promo code can be used from {least} on, of what it is for."
        yield PromoCodeBelowMinimum(words, minimum_minor=promo.minimum_minor)


def _used_by_you(promo: PromoCode) -> PromoCodeUsedByYou:
    most = promo.most_uses_each or 0
    return PromoCodeUsedByYou(f"You have used this promo code {most} times, which is all." if most > 1 else "")


def _is_used_by(promo: PromoCode, email: str, uses: QuerySet[PromoUse]) -> bool:
    """Has this mailbox used it as often as one may? Other ways to write an address are the same mailbox."""
    if promo.most_uses_each is None:
        return False
    mailbox = normalised(email)
    alike = uses.filter(customer__email__startswith=mailbox[0]).values_list("customer__email", flat=True)
    return sum(normalised(each) == mailbox for each in alike) >= promo.most_uses_each


# Its uses ---------------------------------------------------------------------------------------------------------


def take_promo_use(promo: PromoCode, booking: Booking, *, amount_minor: int) -> PromoUse:
    """Count a use for a booking that takes so much off, in its transaction and after every other lock.

    Refuses with PromoCodeUsedUp when another booking took the last one, PromoCodeUsedByYou, and PromoCodeOver when it
    was ended meanwhile. A booking that this one replaces gives its use back before.
    """
    require_transaction()
    if not _count_use(promo.id):
        ended = not PromoCode.objects.filter(id=promo.id, ended_at=None).exists()
        raise PromoCodeOver if ended else PromoCodeUsedUp
    # The code's row is locked now: a use by the same mailbox that came a moment earlier is committed, and seen.
    others = PromoUse.objects.filter(promo_code=promo, released_at=None)
    if _is_used_by(promo, booking.customer.email, others):
        raise _used_by_you(promo)
    return PromoUse.objects.create(
        organization_id=booking.organization_id, promo_code=promo, booking=booking, customer_id=booking.customer_id,
        code=promo.code, percent=promo.percent, amount_minor=amount_minor,
    )  # fmt: skip


def use_of(booking: Booking) -> PromoUse | None:
    """Return which code a booking was made with, and what it gave; also of one that came to nothing."""
    return PromoUse.objects.filter(booking=booking).first()


def release_promo_use(booking: Booking) -> None:
    """Give back the use of a locked booking that came to nothing: expired, begun anew, cancelled."""
    require_transaction()
    rows = PromoUse.objects.filter(booking=booking, released_at=None)
    promo_id = rows.values_list("promo_code_id", flat=True).first()
    if promo_id and rows.update(released_at=database_now()):
        PromoCode.objects.filter(id=promo_id).update(uses=F("uses") - 1)


def renew_promo_use(booking: Booking) -> None:
    """Count the use of a locked booking again that lives after all: paid late, or revived by staff.

    Its price stands in any case. When others have used the code up meanwhile, or it was ended, it is not counted.
    """
    require_transaction()
    rows = PromoUse.objects.filter(booking=booking, released_at__isnull=False)
    promo_id = rows.values_list("promo_code_id", flat=True).first()
    if promo_id and _count_use(promo_id):
        rows.update(released_at=None)


def _count_use(promo_id: UUID) -> bool:
    """Add a use, if one is left: one statement, so that of two bookings one gets the last."""
    left = PromoCode.objects.filter(Q(most_uses=None) | Q(uses__lt=F("most_uses")), id=promo_id, ended_at=None)
    return bool(left.update(uses=F("uses") + 1))


# What is booked with it -------------------------------------------------------------------------------------------


def rebate_on(line: Line) -> Rebate | None:
    """Return what the code of a line's booking gives on this line; None: it has none, or one for other activities.

    What a code gave is what it gives, also when it has ended since.
    """
    use = PromoUse.objects.filter(booking=line.booking_id).select_related("promo_code").first()
    if use is None:
        return None
    scope = activities_of(use.promo_code)
    return Rebate(use.code, use.percent) if not scope or line.session.activity_id in scope else None


def discount_of_changed(line: Line, amount_minor: int, rebate: Rebate | None) -> int:
    """Return a booked line's discount once it costs so much."""
    old, off = line.amount_minor, line.discount_minor
    return discount_after(rebate, old_minor=old, discount_minor=off, new_minor=amount_minor)
