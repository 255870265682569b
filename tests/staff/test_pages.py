"""The admin: a superuser finds every list and page; nobody deletes; states and counts change through services alone."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from pytest_django.asserts import assertContains

from alerts.models import Alert, Notification
from alerts.services import fan_out
from bookings.models import AffectedLine, Attempt, Booking, Customer, PromoCode, WaitlistEntry
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
from tests.factories import book, hold, join, make_activity, make_session, make_venue
from tests.staff.changing import make_changes
from tests.staff.money import make_money

MONEY: list[type[Model]] = [
    Payment, Refund, Dispute, Voucher, PromoCode, LedgerTransaction, Reconciliation, ProviderAccount,
]  # fmt: skip
MODELS: list[type[Model]] = [
    User, Organization, Membership, ApiKey, Venue, Activity, PriceRule, ScheduleVersion, ScheduleException,
    ScheduleChange, Session, Reservation, Booking, Customer, AffectedLine, WaitlistEntry,
    Attempt, Alert, Notification, *MONEY,
]  # fmt: skip
SHOWN = [
    ApiKey, PriceRule, ScheduleVersion, ScheduleException, ScheduleChange, Session, Reservation, Booking, Customer,
    AffectedLine, WaitlistEntry, Attempt, Alert, Notification, *MONEY,
]  # fmt: skip
NOT_ADDED = [
    ApiKey, Session, Reservation, Customer, AffectedLine, Attempt, Alert, Notification, Payment, Refund, Dispute,
    LedgerTransaction, Reconciliation,
]  # fmt: skip

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    """Sign a superuser in."""
    client.force_login(User.objects.create_superuser("staff@example.org", "a long password"))
    return client


def make_one_of_each(number: int) -> None:
    """Create another tenant with a row in every table that the admin shows."""
    session = make_session(capacity=10)
    hold(session)
    make_money(book(session))
    book(session)
    fan_out.fan_out_facts()
    organization = session.organization
    user = User.objects.create_user(f"manager-{number}@example.org")
    Membership.objects.create(organization=organization, user=user, role="manager")
    ApiKey.issue(organization_id=organization.id, name="a program", scopes=[])
    make_changes(session)
    full = make_session(session.activity, capacity=1, starts_in=timedelta(days=2, minutes=number))
    book(full)
    join(full)


def list_address(model: type[Model]) -> str:
    """Return where a model's list is."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page_address(row: Model) -> str:
    """Return where a row's own page is."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def act(staff: Client, action: str, *rows: Model) -> None:
    """Run an action of a list."""
    form = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    assert staff.post(list_address(type(rows[0])), form).status_code == 302


def test_every_model_of_ours_has_a_page() -> None:
    assert {model for model in admin.site._registry if model._meta.app_label != "auth"} == set(MODELS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_superuser_opens_the_list_and_a_page(staff: Client, model: type[Model]) -> None:
    make_one_of_each(1)
    assert staff.get(list_address(model)).status_code == 200
    assert staff.get(page_address(model._default_manager.all()[0])).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_list_of_three_asks_no_more_than_a_list_of_one(
    staff: Client, model: type[Model], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_one_of_each(1)
    staff.get(list_address(model))  # what is asked once a process, such as content types
    with django_assert_max_num_queries(12) as at_one:
        staff.get(list_address(model))
    make_one_of_each(2)
    make_one_of_each(3)
    with django_assert_max_num_queries(len(at_one)):
        staff.get(list_address(model))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_nobody_deletes(staff: Client, model: type[Model]) -> None:
    make_one_of_each(1)
    row = model._default_manager.all()[0]
    address = page_address(row).replace("/change/", "/delete/")
    assert staff.post(address, {"post": "yes"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model.__name__)
def test_what_services_write_is_only_shown(staff: Client, model: type[Model]) -> None:
    make_one_of_each(1)
    assert staff.post(page_address(model._default_manager.all()[0]), {}).status_code == 403


@pytest.mark.parametrize("model", NOT_ADDED, ids=lambda model: model.__name__)
def test_what_services_make_is_not_added_here(staff: Client, model: type[Model]) -> None:
    assert staff.get(list_address(model) + "add/").status_code == 403


def test_staff_of_no_organization_see_no_tenant(client: Client) -> None:
    make_one_of_each(1)
    client.force_login(User.objects.create_user("reception@example.org", is_staff=True))
    assert {client.get(list_address(model)).status_code for model in MODELS} == {403}


def test_a_keys_digest_is_not_shown(staff: Client) -> None:
    make_one_of_each(1)
    key = ApiKey.objects.get()
    assert key.digest not in staff.get(page_address(key)).content.decode()


def test_a_session_is_shown_by_its_venues_clock(staff: Client) -> None:
    session = make_session(make_activity(make_venue(timezone="Asia/Kolkata")))
    local = session.starts_at.astimezone(session.activity.venue.zone)
    assertContains(staff.get(list_address(Session)), f"{local:%H:%M}")


def test_an_action_takes_an_activity_off_sale_and_puts_it_back(staff: Client) -> None:
    session = make_session()
    act(staff, "discontinue_activities", session.activity)
    session.refresh_from_db()
    assert not session.on_sale
    act(staff, "publish_activities", session.activity)
    session.refresh_from_db()
    assert session.on_sale


def test_an_activity_that_has_no_price_is_not_published(staff: Client) -> None:
    activity = make_activity(price_minor=None, status="draft")
    act(staff, "publish_activities", activity)
    activity.refresh_from_db()
    assert activity.status == "draft"
    assertContains(staff.get(list_address(Activity)), "there is no default unit")


def test_a_suspended_organization_sells_nothing_until_it_is_active_again(staff: Client) -> None:
    session = make_session()
    act(staff, "suspend_organizations", session.organization)
    session.refresh_from_db()
    assert (session.on_sale, session.organization.is_active) == (False, False)
    act(staff, "activate_organizations", session.organization)
    session.refresh_from_db()
    assert session.on_sale


def activity_form(venue: Venue, **overrides: object) -> dict[str, object]:
    """Return what the page of a new activity sends."""
    plain = {
        "venue": venue.id, "name": "Archery", "slug": "archery", "kind": "open", "currency": "GBP", "capacity": 10,
        "hold_minutes": 10, "opens_days_before": 365, "closes_minutes_before": 0, "units-TOTAL_FORMS": 2,
        "units-INITIAL_FORMS": 0, "units-0-name": "Adult", "units-0-price_minor": 1000, "units-0-places": 1,
        "units-0-position": 0, "units-0-is_default": "on", "units-1-name": "Child", "units-1-price_minor": 500,
        "units-1-places": 1, "units-1-position": 1, "extras-TOTAL_FORMS": 0, "extras-INITIAL_FORMS": 0,
    }  # fmt: skip
    return {**plain, **overrides}


def test_a_new_activity_and_its_units_belong_to_the_venues_organization(staff: Client) -> None:
    venue = make_venue()
    assert staff.post(list_address(Activity) + "add/", activity_form(venue)).status_code == 302
    activity = Activity.objects.get()
    assert (activity.organization, activity.status) == (venue.organization, "draft")
    assert list(activity.units.values_list("name", "organization")) == [
        ("Adult", venue.organization_id), ("Child", venue.organization_id),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("overrides", "words"),
    [({"units-1-is_default": "on"}, "Only one unit"), ({"slug": "taken"}, "of this slug already")],
)
def test_a_wrong_activity_is_refused_in_words(staff: Client, overrides: dict[str, object], words: str) -> None:
    taken = make_activity(slug="taken")
    answer = staff.post(list_address(Activity) + "add/", activity_form(taken.venue, **overrides))
    assertContains(answer, words)
    assert Activity.objects.count() == 1


def test_a_page_that_is_old_writes_only_what_was_changed_on_it(staff: Client) -> None:
    venue = make_venue(name="Hall")
    form = {"name": "Big hall", "allowed_embed_origins": ""}
    staff.get(page_address(venue))
    Venue.objects.filter(id=venue.id).update(generated_on="2026-11-21")
    assert staff.post(page_address(venue), form).status_code == 302
    venue.refresh_from_db()
    assert (venue.name, str(venue.generated_on), venue.timezone) == ("Big hall", "2026-11-21", "Europe/London")


def test_a_user_is_made_by_e_mail_address_in_any_case(staff: Client) -> None:
    password = "correct horse battery"
    form = {
        "email": "Grace@Example.org", "name": "Grace", "usable_password": "true", "password1": password,
        "password2": password,
    }  # fmt: skip
    assert staff.post(list_address(User) + "add/", form).status_code == 302
    user = User.objects.get(email="grace@example.org")
    assert (user.check_password(password), user.is_staff) == (True, False)
    changed = {"email": "grace@example.org", "name": "Grace A.", "is_active": "on", "is_staff": "on"}
    assert staff.post(page_address(user), changed).status_code == 302
    user.refresh_from_db()
    assert (user.name, user.is_staff, user.check_password(password)) == ("Grace A.", True, True)
