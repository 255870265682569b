"""Whether what costs money can be paid for here: asked of whoever takes money, of whom scheduling knows nothing."""

from collections.abc import Callable
from uuid import UUID

from scheduling.models import Activity

Answer = Callable[[UUID], bool]
_answers: list[Answer] = []


def answer_by(answer: Answer) -> None:
    """Name who says whether an organization can take money online; at the start, once."""
    _answers.append(answer)


def can_pay_online(organization_id: UUID) -> bool:
    """Can the organization take money online? Where nobody answers it cannot."""
    return any(answer(organization_id) for answer in _answers)


def costs_money(activity: Activity) -> bool:
    """Has one of its units a price?"""
    return any(unit.price_minor for unit in activity.units.all())


def can_settle(activity: Activity) -> bool:
    """Can it be booked here: free, paid on arrival, or paid online?"""
    return activity.pay_on_arrival or not costs_money(activity) or can_pay_online(activity.organization_id)
