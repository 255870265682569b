"""The page of cancellations: whose figures it shows, to whom, and at what cost."""

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from bookings.services.cancellation import cancel_booking
from config.tenants.models import Membership, Organization
from scheduling.models import Activity
from tests.factories import CUSTOMER, book, make_activity, make_organization, make_session, make_venue, stranger
from tests.staff.conftest import SignIn, make_member

pytestmark = pytest.mark.django_db

ADDRESS = "/admin/bookings/booking/cancellations/"
QUERIES = 7  # who asks: session, user, memberships; organizations, the time, the report, unread alerts


def cancelled(activity: Activity, number: int = 1, people: int = 2) -> None:
    for _ in range(number):
        session = make_session(activity, starts_in=timedelta(days=2, minutes=5))
        cancel_booking(booking_id=book(session, party_size=people, contact=stranger()).id, actor=CUSTOMER)


def archery(organization: Organization | None = None) -> Activity:
    return make_activity(make_venue(organization), name="Archery")


def test_staff_see_how_much_was_cancelled_as_a_table_with_bars(sign_in: SignIn) -> None:
    activity = archery()
    cancelled(activity)
    book(make_session(activity))
    page = sign_in(activity.organization).get(ADDRESS).content.decode()
    assert "1 booked line cancelled, 2 places, £20.00 given up" in page
    assert "2 lines booked in the same days: cancelled, as a share of them, 50.0 %" in page
    bars = ['<progress max="1" value="1" aria-label="1 of 1 cancelled lines">', '<progress max="1" value="0"']
    assert [bar in page for bar in bars] == [True, True]
    assert [words in page for words in ("1 to 3 days", "Customer", "No code", "Archery, Hall")] == [True] * 4


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("manager", 200), ("auditor", 200), ("reception", 403), ("instructor", 403)]
)
def test_the_page_and_the_way_to_it_are_for_some_roles(sign_in: SignIn, role: str, status: int) -> None:
    client = sign_in(make_organization(), role)
    assert client.get(ADDRESS).status_code == status
    assert (f'href="{ADDRESS}"' in client.get("/admin/").content.decode()) == (status == 200)


def test_another_tenants_cancellations_cannot_be_asked_for(sign_in: SignIn) -> None:
    own, foreign = archery(), make_activity(name="Their archery")
    cancelled(own)
    cancelled(foreign, 3)
    client = sign_in(own.organization)
    page = client.get(ADDRESS, {"organization": str(foreign.organization_id)})
    assert page.context["report"] is None
    assert "Choose one of these organizations." in page.content.decode()
    shown = client.get(ADDRESS).context["report"]
    assert (shown.total.lines, shown.booked_lines) == (1, 1)
    assert foreign.organization.name not in page.content.decode()


def test_a_role_opens_the_figures_of_its_own_organization_alone(sign_in: SignIn) -> None:
    audited, received = archery(), archery()
    client = sign_in(audited.organization, "auditor")
    Membership.objects.create(
        organization=received.organization, user=Membership.objects.get(role="auditor").user, role="reception"
    )
    own, other = (client.get(ADDRESS, {"organization": str(each.organization_id)}) for each in (audited, received))
    assert [page.context["report"] is None for page in (own, other)] == [False, True]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"since": "2026-03-02", "until": "2026-03-01"}, "The last day is before the first."),
        ({"since": "2020-03-02", "until": "2026-03-01"}, "Choose two years at most."),
        ({"since": "", "until": "2026-03-01"}, "Choose a day."),
        ({"since": "soon"}, "Enter a valid date."),
    ],
)
def test_days_that_cannot_be_are_said_at_their_field(sign_in: SignIn, asked: dict[str, str], words: str) -> None:
    page = sign_in(make_organization()).get(ADDRESS, asked)
    assert (page.status_code, page.context["report"], words in page.content.decode()) == (200, None, True)


def test_other_days_have_their_own_figures(sign_in: SignIn) -> None:
    activity = archery()
    cancelled(activity)
    page = sign_in(activity.organization).get(ADDRESS, {"since": "2020-01-01", "until": "2020-01-31"})
    assert (page.context["report"].total.lines, "Nothing was cancelled." in page.content.decode()) == (0, True)


def test_the_page_asks_as_much_for_many_as_for_one(
    sign_in: SignIn, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    organization = make_organization()
    client = sign_in(organization)
    make_member(organization, "owner")
    for number in (1, 2):
        cancelled(archery(organization), number)
        with django_assert_num_queries(QUERIES):
            client.get(ADDRESS)
