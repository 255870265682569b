"""Who may do what: each role on each page, one organization's staff before another's rows."""

from itertools import product

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client

from alerts.models import Alert, Notification
from alerts.services import fan_out
from bookings.models import AffectedLine, Attempt, Booking, Customer, PromoCode, WaitlistEntry
from config.tenants import rights
from config.tenants.models import ApiKey, Membership, Organization, User
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
from tests.factories import book, make_activity, make_session, make_venue
from tests.staff.admin_site import act, list_address, messages_of, page_address
from tests.staff.changing import make_changes
from tests.staff.conftest import SignIn, make_member
from tests.staff.money import make_money
from tests.staff.waiting import make_waiter

pytestmark = pytest.mark.django_db

MONEY: list[type[Model]] = [
    Payment, Refund, Dispute, Voucher, PromoCode, LedgerTransaction, Reconciliation, ProviderAccount,
]  # fmt: skip
KINDS: list[type[Model]] = [
    Organization, Membership, ApiKey, Venue, Activity, PriceRule, ScheduleVersion, ScheduleException, ScheduleChange,
    Session, Reservation, Booking, Customer, AffectedLine, WaitlistEntry, Attempt, Alert, Notification,
    *MONEY,
]  # fmt: skip
VIEWED: dict[str, list[type[Model]]] = {
    "owner": KINDS,
    "manager": KINDS,
    "reception": [
        ScheduleException,
        Session,
        Booking,
        Customer,
        AffectedLine,
        WaitlistEntry,
        Alert,
        Notification,
        Payment,
    ],
    "instructor": [Session, Booking],
    "auditor": KINDS,
}
SET_UP: list[type[Model]] = [Venue, Activity, PriceRule, ScheduleVersion, ScheduleException, ScheduleChange]
ADDED: dict[str, list[type[Model]]] = {
    "owner": [*SET_UP, Booking, WaitlistEntry, Voucher, PromoCode, ProviderAccount],
    "manager": [*SET_UP, Booking, WaitlistEntry, Voucher, PromoCode],
    "reception": [Booking, WaitlistEntry],
    "instructor": [],
    "auditor": [],
}
CHANGED: dict[str, list[type[Model]]] = {
    "owner": [Organization, Membership, Venue, Activity],
    "manager": [Organization, Membership, Venue, Activity],
    "reception": [],
    "instructor": [],
    "auditor": [],
}
ACTS = {
    "close_sessions": ("owner", "manager", "reception"),
    "reopen_sessions": ("owner", "manager", "reception"),
    "recalculate_sessions": ("owner", "manager"),
    "revise_sessions": ("owner", "manager"),
    "cancel_sessions": ("owner", "manager"),
    "lift_exceptions": ("owner", "manager"),
    "apply_changes": ("owner", "manager"),
    "end_price_rules": ("owner", "manager"),
    "contact_lines": ("owner", "manager", "reception"),
    "keep_lines": ("owner", "manager", "reception"),
    "move_lines": ("owner", "manager", "reception"),
    "refund_lines": ("owner", "manager"),
    "raise_entries": ("owner", "manager"),
    "lower_entries": ("owner", "manager"),
    "remove_entries": ("owner", "manager", "reception"),
    "export_customers": ("owner", "manager"),
    "erase_customers": ("owner", "manager"),
    "acknowledge_alerts": ("owner", "manager", "reception"),
    "resolve_alerts": ("owner", "manager"),
    "repeat_notifications": ("owner", "manager", "reception"),
    "publish_activities": ("owner", "manager"),
    "withdraw_activities": ("owner", "manager"),
    "discontinue_activities": ("owner", "manager"),
    "refresh_payments": ("owner", "manager", "reception"),
    "retry_refunds": ("owner", "manager"),
    "hand_back_refunds": ("owner", "manager"),
    "open_vouchers": ("owner", "manager"),
    "end_vouchers": ("owner", "manager"),
    "end_promo_codes": ("owner", "manager"),
    "check_accounts": ("owner", "manager"),
    "reconcile_accounts": ("owner", "manager"),
    "activate_organizations": (),
    "suspend_organizations": (),
}
# Rights that no list offers, but a page of its own: test_desk.py, test_schedule_changes.py, test_money.py.
ON_PAGES = {
    "bookings.booking": (
        "overbook_sessions",
        "check_in_lines",
        "cancel_bookings",
        "change_bookings",
        "waive_fees",
        "view_cancellations",
        "refund_bookings",
        "take_money",
        "send_payment_links",
    ),
    "payments.voucher": ("read_codes",),
    "payments.provideraccount": ("rotate_secrets", "end_accounts"),
    "scheduling.schedulechange": ("apply_changes",),
}
NOT_YOURS = 403


def make_tenant() -> dict[type[Model], Model]:
    """Create an organization with a row of every kind."""
    session = make_session()
    organization = session.organization
    make_money(book(session))
    book(session)
    fan_out.fan_out_facts()
    make_member(organization, "instructor")
    ApiKey.issue(organization_id=organization.id, name="a program", scopes=[])
    make_changes(session)
    make_waiter(session)
    rows: dict[type[Model], Model] = {Organization: organization}
    for kind in KINDS[1:]:
        rows[kind] = kind._default_manager.filter(organization=organization)[0]
    return rows


def is_hidden(client: Client, row: Model) -> bool:
    """Answer whether the page behaves as at an address that nobody ever gave out."""
    unknown = client.get(page_address(type(row)(pk="01900000-0000-7000-8000-000000000000")))
    answer = client.get(page_address(row))
    return (answer.status_code, answer.headers.get("Location")) == (unknown.status_code, "/admin/")


def test_every_role_of_the_model_has_its_rights() -> None:
    assert set(rights.ROLES) == {role.value for role in Membership.Role}


def test_every_right_is_about_a_page_or_an_action_that_there_is() -> None:
    pages = {model._meta.label_lower: page for model, page in admin.site._registry.items()}
    for kind, allowed in rights.EVERYTHING.items():
        assert allowed <= {"view", "add", "change", *(pages[kind].actions or ()), *ON_PAGES.get(kind, ())}


@pytest.mark.parametrize("role", rights.ROLES)
def test_a_role_opens_its_lists_and_pages_and_no_others(sign_in: SignIn, role: str) -> None:
    rows = make_tenant()
    organization = rows[Organization]
    assert isinstance(organization, Organization)
    client = sign_in(organization, role)
    opened = {kind: (client.get(list_address(kind)).status_code, client.get(page_address(rows[kind])).status_code)
        for kind in KINDS}  # fmt: skip
    assert opened == {kind: (200, 200) if kind in VIEWED[role] else (NOT_YOURS, NOT_YOURS) for kind in KINDS}


@pytest.mark.parametrize("role", rights.ROLES)
def test_a_role_adds_what_it_may_and_changes_what_it_may(sign_in: SignIn, role: str) -> None:
    rows = make_tenant()
    organization = rows[Organization]
    assert isinstance(organization, Organization)
    client = sign_in(organization, role)
    added = [kind for kind in KINDS if client.get(list_address(kind) + "add/", follow=True).status_code == 200]
    changed = [kind for kind in KINDS if client.post(page_address(rows[kind]), {}).status_code != NOT_YOURS]
    assert (added, changed) == (ADDED[role], CHANGED[role])


@pytest.mark.parametrize("role", rights.ROLES)
def test_a_role_is_offered_its_actions_alone(role: str) -> None:
    for kind, name in product(KINDS, ACTS):
        if name.rpartition("_")[2].removesuffix("ies").removesuffix("s")[:5] not in kind._meta.model_name:  # type: ignore[operator]
            continue
        assert rights.allows(role, kind._meta.label_lower, name) == (role in ACTS[name]), (kind, name)


@pytest.mark.parametrize("role", ["instructor", "auditor"])
def test_an_action_that_is_not_offered_does_nothing_when_sent_all_the_same(sign_in: SignIn, role: str) -> None:
    session = make_session()
    act(sign_in(session.organization, role), "close_sessions", session)
    session.refresh_from_db()
    assert session.status == "published"


def test_no_role_sees_who_signs_in(sign_in: SignIn) -> None:
    organization = make_session().organization
    for role in rights.ROLES:
        client = sign_in(organization, role)
        assert client.get(list_address(User)).status_code == NOT_YOURS
        assert client.get(page_address(User.objects.all()[0])).status_code == NOT_YOURS


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_another_tenants_row_is_in_no_list_and_its_page_is_nowhere(sign_in: SignIn, kind: type[Model]) -> None:
    own, foreign = make_tenant(), make_tenant()
    organization = own[Organization]
    assert isinstance(organization, Organization)
    client = sign_in(organization, "owner")
    listed = {row.pk for row in client.get(list_address(kind), {"when": "all"} if kind is Session else {})
        .context["cl"].result_list}  # fmt: skip
    assert own[kind].pk in listed
    assert foreign[kind].pk not in listed
    assert is_hidden(client, foreign[kind])
    assert not is_hidden(client, own[kind])


def test_another_tenants_row_cannot_be_acted_on(sign_in: SignIn) -> None:
    own, foreign = make_session(), make_session()
    client = sign_in(own.organization)
    for from_page in (False, True):
        act(client, "close_sessions", own, foreign, from_page=from_page)
    own.refresh_from_db()
    foreign.refresh_from_db()
    assert (own.status, foreign.status) == ("closed", "published")


def test_another_tenants_venue_is_not_offered_and_not_accepted(sign_in: SignIn) -> None:
    own, foreign = make_venue(name="Our hall"), make_venue(name="Their hall")
    client = sign_in(own.organization)
    found = client.get(
        "/admin/autocomplete/", {"app_label": "scheduling", "model_name": "activity", "field_name": "venue"}
    )
    assert [each["text"] for each in found.json()["results"]] == ["Our hall"]
    form = {
        "venue": foreign.id, "name": "Archery", "slug": "archery", "kind": "open", "currency": "GBP", "capacity": 10,
        "hold_minutes": 10, "opens_days_before": 365, "closes_minutes_before": 0, "units-TOTAL_FORMS": 0,
        "units-INITIAL_FORMS": 0, "extras-TOTAL_FORMS": 0, "extras-INITIAL_FORMS": 0,
    }  # fmt: skip
    answer = client.post(list_address(Activity) + "add/", form)
    assert "venue" in answer.context["adminform"].form.errors
    assert Activity.objects.count() == 0
    assert client.post(list_address(Activity) + "add/", {**form, "venue": own.id}).status_code == 302


def test_filters_name_no_other_tenant(sign_in: SignIn) -> None:
    own = make_session(make_activity(name="Our archery"))
    make_session(make_activity(name="Their archery"))
    page = sign_in(own.organization).get(list_address(Session)).content.decode()
    assert ("Our archery" in page, "Their archery" in page) == (True, False)


def test_the_filters_of_a_web_address_reach_no_other_tenant(sign_in: SignIn) -> None:
    own, foreign = make_session(), make_session()
    answer = sign_in(own.organization).get(list_address(Session), {"activity__id__exact": str(foreign.activity_id)})
    assert foreign not in answer.context["cl"].result_list


def test_a_role_holds_in_its_own_organization_alone(sign_in: SignIn) -> None:
    managed, audited = make_session(), make_session()
    user = make_member(managed.organization, "manager")
    Membership.objects.create(organization=audited.organization, user=user, role="auditor")
    client = Client()
    client.force_login(user)
    said = messages_of(act(client, "close_sessions", managed, audited))
    managed.refresh_from_db()
    audited.refresh_from_db()
    assert (managed.status, audited.status) == ("closed", "published")
    assert any("your role does not include this" in text for text in said)
    assert client.post(page_address(audited.activity), {}).status_code == NOT_YOURS


def test_nobody_changes_their_own_role(sign_in: SignIn) -> None:
    organization = make_session().organization
    client = sign_in(organization, "manager")
    own = Membership.objects.get(role="manager")
    other = Membership.objects.create(
        organization=organization, user=User.objects.create_user("new@example.org"), role="reception"
    )
    assert client.post(page_address(own), {"role": "owner"}).status_code == NOT_YOURS
    assert client.post(page_address(other), {"role": "instructor"}).status_code == 302


def test_a_member_who_is_no_staff_or_inactive_comes_nowhere(sign_in: SignIn) -> None:
    organization = make_session().organization
    for fields in ({"is_staff": False}, {"is_active": False}):
        user = make_member(organization, "owner")
        User.objects.filter(id=user.id).update(**fields)
        client = Client()
        client.force_login(user)
        assert client.get(list_address(Session)).status_code == 302
