"""How many questions each list asks the database: the same with one row as with three."""

import pytest
from django.db.models import Model
from pytest_django import DjangoAssertNumQueries

from alerts.models import Alert, Notification
from alerts.services import fan_out
from bookings.models import AffectedLine, Booking, Customer, PromoCode, WaitlistEntry
from config.tenants.models import ApiKey, Membership, Organization
from payments.models import Dispute, LedgerTransaction, Payment, ProviderAccount, Reconciliation, Refund, Voucher
from scheduling.models import (
    Activity,
    PriceRule,
    Reservation,
    ScheduleChange,
    ScheduleException,
    ScheduleVersion,
    Session,
    Venue,
)
from tests.factories import book, make_activity, make_organization, make_session, make_venue, stranger
from tests.staff.admin_site import list_address
from tests.staff.changing import make_changes
from tests.staff.conftest import SignIn, make_member
from tests.staff.money import make_money
from tests.staff.waiting import make_waiter

pytestmark = pytest.mark.django_db

# Three know who asks (session, user, memberships), one counts unread alerts, two are the list; others are filters.
QUERIES: dict[type[Model], int] = {
    Organization: 6, Membership: 6, ApiKey: 6, Venue: 6, Activity: 6, PriceRule: 6, ScheduleVersion: 6,
    ScheduleException: 6, ScheduleChange: 6, Session: 7, Reservation: 6, Booking: 6, Customer: 6, AffectedLine: 6,
    WaitlistEntry: 8,
    Alert: 7, Notification: 6, Payment: 8, Refund: 6, Dispute: 6, Voucher: 6, PromoCode: 7, LedgerTransaction: 9,
    Reconciliation: 6, ProviderAccount: 6,
}  # fmt: skip


def add_one_of_each(organization: Organization) -> None:
    """Create another row of everything that an organization has many of."""
    session = make_session(make_activity(make_venue(organization)))
    guest = stranger()
    make_money(book(session, contact=guest))
    book(session, contact=guest)
    fan_out.fan_out_facts()
    make_member(organization, "instructor")
    ApiKey.issue(organization_id=organization.id, name="a program", scopes=[])
    make_changes(session)
    make_waiter(session)


@pytest.mark.parametrize("model", QUERIES, ids=lambda model: model.__name__)
def test_a_list_asks_as_much_for_three_rows_as_for_one(
    sign_in: SignIn, model: type[Model], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    organization = make_organization()
    client = sign_in(organization)
    add_one_of_each(organization)
    client.get(list_address(model))  # what is asked once a process, such as content types
    with django_assert_num_queries(QUERIES[model]):
        client.get(list_address(model))
    add_one_of_each(organization)
    add_one_of_each(organization)
    with django_assert_num_queries(QUERIES[model]):
        client.get(list_address(model))
