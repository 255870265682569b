"""A link by which customers have or erase their own data: given by staff who know whom they talk to, for a week."""

from datetime import date, datetime
from uuid import UUID

from bookings.models import Customer
from config.kit.refusals import NotFound
from config.kit.tokens import is_valid_token, make_token

PURPOSE = "personal_data"
LASTS_DAYS = 7
BEGINNING = date(2020, 1, 1)


def _day(at: datetime) -> int:
    """Return the day's number, which stands in the token as its version: an old link is of a day that is over."""
    return (at.date() - BEGINNING).days


def data_token(customer: Customer, *, at: datetime) -> str:
    """Return the token of today's link."""
    return make_token(purpose=PURPOSE, subject=customer.id, version=_day(at))


def customer_of_link(customer_id: UUID, token: str, *, at: datetime) -> Customer:
    """Return whose data a link opens, or raise NotFound: a wrong one, or one that is older than a week."""
    customer = Customer.objects.select_related("organization").filter(id=customer_id, erased_at=None).first()
    is_right = [  # each is compared, so that time tells nothing
        is_valid_token(token, purpose=PURPOSE, subject=customer_id, version=_day(at) - ago)
        for ago in range(LASTS_DAYS + 1)
    ]
    if customer is None or not any(is_right):
        raise NotFound
    return customer
