"""What staff change leaves a fact: whose word it was, before and after; told on the organization's page."""

from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction
from pytest_django.asserts import assertContains, assertNotContains

from alerts.services.auditor import check_invariants
from config.tenants.models import Membership, Organization, OrganizationEvent
from payments.models import Voucher
from payments.services import vouchers
from scheduling.models import Activity, Extra, ScheduleEvent, Unit
from tests.bookings.selling import make_code
from tests.factories import STAFF, make_activity, make_extra, make_organization, make_venue
from tests.payments.money import give_back, make_voucher, redeemed
from tests.staff.admin_site import act, list_address, page_address
from tests.staff.conftest import SignIn, make_member

pytestmark = pytest.mark.django_db


def facts(organization: Organization) -> list[tuple[str, dict[str, Any], dict[str, Any], UUID | None]]:
    """Return what was written of an organization, in its order: kind, before, after, by whom."""
    rows = OrganizationEvent.objects.filter(organization=organization).order_by("seq")
    return [(row.kind, row.before, row.after, row.actor_id) for row in rows]


def terms(organization: Organization, **changed: Any) -> dict[str, Any]:
    """Return an organization's form as its page would send it."""
    plain = {
        "name": organization.name, "currency": "GBP", "other_currencies": "", "language": "en", "reminder_hours": 24,
        "consent_under_age": "", "retention_days": 1095, "outcome_policy": "by_staff",
    }  # fmt: skip
    return {**plain, **changed}


def test_an_owner_sets_by_which_policies_the_organization_acts_and_the_story_tells_whose_word_it_was(
    sign_in: SignIn,
) -> None:
    organization = make_organization()
    client = sign_in(organization, "owner")
    asked = terms(organization, outcome_policy="no_show", consent_under_age=16, reminder_hours=0)
    assert client.post(page_address(organization), asked).status_code == 302
    organization.refresh_from_db()
    assert (organization.outcome_policy, organization.consent_under_age, organization.reminder_hours) == (
        "no_show", 16, 0,
    )  # fmt: skip
    before = {"outcome_policy": "by_staff", "consent_under_age": None, "reminder_hours": 24}
    after = {"outcome_policy": "no_show", "consent_under_age": 16, "reminder_hours": 0}
    owner = Membership.objects.get(organization=organization, role="owner").user_id
    assert facts(organization) == [("organization_changed", before, after, owner)]
    page = client.get(page_address(organization))
    assertContains(page, "Settings changed")
    assertContains(page, "outcome policy: by_staff → no_show")
    assert client.post(page_address(organization), asked).status_code == 302
    assert len(facts(organization)) == 1  # nothing was changed, so nothing is told
    assert check_invariants() == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"retention_days": 29}, "Keep it for 30 days at least."),
        ({"outcome_policy": "cancelled"}, "is not one of the available choices"),
        ({"reminder_hours": -1}, "greater than or equal to 0"),
    ],
)
def test_wrong_settings_are_refused_at_their_field_and_leave_no_fact(
    sign_in: SignIn, wrong: dict[str, Any], words: str
) -> None:
    organization = make_organization()
    assertContains(sign_in(organization).post(page_address(organization), terms(organization, **wrong)), words)
    assert facts(organization) == []


def test_a_role_a_venue_a_calendar_and_a_key_are_told(sign_in: SignIn) -> None:
    venue = make_venue()
    organization = venue.organization
    member = Membership.objects.get(user=make_member(organization, "reception"))
    client = sign_in(organization, "owner")
    client.post(page_address(member), {"role": "manager"})
    client.post(page_address(venue), {"name": "The Old Pier", "allowed_embed_origins": "https://example.org"})
    act(client, "renew_feed_addresses", venue)
    call_command("create_api_key", organization=organization.slug, scope=["alerts"])
    told = facts(organization)
    assert [kind for kind, *_ in told] == ["member_changed", "venue_changed", "feed_address_renewed", "api_key_issued"]
    assert (told[0][1], told[0][2]["role"]) == ({"role": "reception"}, "manager")
    assert (told[1][1]["name"], told[1][2]["allowed_embed_origins"]) == (venue.name, ["https://example.org"])
    assert told[3][2]["scopes"] == ["alerts"]


def test_suspending_and_activating_is_told_once_each(admin_client: Any) -> None:
    organization = make_organization()
    for action in ("suspend_organizations", "activate_organizations"):
        act(admin_client, action, organization)
        act(admin_client, action, organization)
    assert [kind for kind, *_ in facts(organization)] == ["organization_suspended", "organization_activated"]


def test_vouchers_and_promo_codes_are_told_without_what_is_secret_about_them(sign_in: SignIn) -> None:
    organization = make_organization()
    client = sign_in(organization)
    client.post(list_address(Voucher) + "add/", {"amount": "50", "currency": "GBP"})
    voucher = Voucher.objects.get()
    act(client, "end_vouchers", voucher)
    act(client, "end_promo_codes", make_code(organization.id))
    told = facts(organization)
    assert [kind for kind, *_ in told] == ["voucher_issued", "voucher_ended", "promo_code_made", "promo_code_ended"]
    assert (told[0][2]["amount_minor"], told[1][2]["amount_minor"], told[2][2]["percent"]) == (5000, 5000, 10)
    assert voucher.code not in str(told)
    assertContains(client.get(page_address(organization)), "Promo code made")


def test_what_came_back_to_an_ended_voucher_is_opened_or_taken_off_by_those_who_may(sign_in: SignIn) -> None:
    organization = make_organization()
    voucher = make_voucher(organization.id, 1000)
    payment = redeemed(voucher, 400)
    vouchers.end_voucher(voucher_id=voucher.id, actor=STAFF)
    client = sign_in(organization)
    assertNotContains(client.get(page_address(voucher)), "Open again")  # nothing is on it
    give_back(payment)
    assertContains(client.get(page_address(voucher)), "Open again")
    act(sign_in(organization, "auditor"), "open_vouchers", voucher)
    voucher.refresh_from_db()
    assert voucher.ended_at is not None
    act(client, "open_vouchers", voucher, from_page=True)
    voucher.refresh_from_db()
    assert (str(voucher.ended_at), voucher.balance_minor) == ("None", 400)
    assert facts(organization)[-1][0] == "voucher_opened"


# Activities -------------------------------------------------------------------------------------------------------


def sold(activity: Activity, unit: Unit, extra: Extra, **changed: Any) -> dict[str, Any]:
    """Return an activity's form as its page would send it, with one unit and one extra."""
    plain = {
        "name": activity.name, "slug": activity.slug, "kind": "open", "currency": "GBP", "capacity": 10,
        "hold_minutes": 10, "opens_days_before": 365, "closes_minutes_before": 0, "balance_days": 14,
        "customers_may_cancel": "on", "cancel_until_minutes": 1440, "cancel_fee_percent": 0,
        "late_cancel_fee_percent": 100, "customers_may_change": "on", "change_until_minutes": 1440,
        "change_fee_minor": 0, "customers_may_transfer": "on", "waitlist_open": "on", "offer_minutes": 30,
        "units-TOTAL_FORMS": 1, "units-INITIAL_FORMS": 1, "units-0-id": unit.id, "units-0-activity": activity.id,
        "units-0-name": unit.name, "units-0-price_minor": unit.price_minor, "units-0-places": unit.places,
        "units-0-minimum_count": unit.minimum_count, "units-0-position": unit.position,
        "extras-TOTAL_FORMS": 1, "extras-INITIAL_FORMS": 1, "extras-0-id": extra.id, "extras-0-activity": activity.id,
        "extras-0-name": extra.name, "extras-0-price_minor": extra.price_minor, "extras-0-is_offered": "on",
        "extras-0-position": extra.position,
    }  # fmt: skip
    return {**plain, **changed}


@pytest.fixture
def page(sign_in: SignIn) -> Any:
    """Return a function that sends the form of an activity with these changes."""
    activity = make_activity(pay_on_arrival=False)
    unit, extra = activity.units.get(), make_extra(activity)
    Activity.objects.filter(id=activity.id).update(hold_minutes=10, opens_days_before=365, capacity=10)
    client = sign_in(activity.organization)

    def send(**changed: Any) -> Any:
        activity.refresh_from_db()
        return activity, client.post(page_address(activity), sold(activity, unit, extra, **changed))

    return send


def told(activity: Activity) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    rows = ScheduleEvent.objects.filter(activity=activity).order_by("seq")
    return {row.kind: (row.before, row.after) for row in rows}


def test_terms_prices_and_extras_that_change_are_told_column_by_column(page: Any) -> None:
    activity, answer = page()
    before = ScheduleEvent.objects.filter(activity=activity).count()
    assert (answer.status_code, before) == (302, len(told(activity)))
    activity, answer = page(
        cancel_fee_percent=20, customers_may_change="", offer_minutes=60,
        **{"units-0-price_minor": 3000, "extras-0-is_offered": ""},
    )  # fmt: skip
    assert answer.status_code == 302
    activity.refresh_from_db()
    assert (activity.cancel_fee_percent, activity.customers_may_change, activity.offer_minutes) == (20, False, 60)
    found = told(activity)
    assert found["activity_changed"] == (
        {"cancel_fee_percent": 0, "customers_may_change": True, "offer_minutes": 30},
        {"cancel_fee_percent": 20, "customers_may_change": False, "offer_minutes": 60},
    )
    assert found["unit_changed"][1]["price_minor"] == 3000
    assert found["extra_changed"][1]["is_offered"] is False
    assert check_invariants() == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cancel_fee_percent": 60, "late_cancel_fee_percent": 50}, "more than is kept of who cancels later"),
        ({"late_cancel_fee_percent": 101}, "At most 100 percent can be kept."),
        ({"offer_minutes": 0}, "1 minute to 1440, which is a day."),
        ({"offer_minutes": 1441}, "1 minute to 1440, which is a day."),
        ({"cancel_until_minutes": -5}, "greater than or equal to 0"),
    ],
)
def test_terms_that_make_no_sense_are_refused_at_their_field(page: Any, wrong: dict[str, Any], words: str) -> None:
    activity, answer = page(**wrong)
    assertContains(answer, words)
    assert not ScheduleEvent.objects.filter(activity=activity, kind="activity_changed").exists()


def test_whether_it_is_on_sale_is_told(sign_in: SignIn) -> None:
    activity = make_activity()
    client = sign_in(activity.organization)
    for action in ("withdraw_activities", "publish_activities", "discontinue_activities"):
        act(client, action, activity)
    assert list(told(activity)) == ["activity_withdrawn", "activity_published", "activity_discontinued"]
    assert told(activity)["activity_published"] == ({"status": "draft"}, {"status": "published"})


# The chain --------------------------------------------------------------------------------------------------------


def test_the_story_is_not_rewritten_and_a_stale_row_does_not_move_its_head(sign_in: SignIn) -> None:
    stale = make_organization()
    sign_in(stale, "owner").post(page_address(stale), terms(stale, reminder_hours=3))
    stale.name = "Renamed"
    stale.save()
    fresh = Organization.objects.get(id=stale.id)
    assert (fresh.name, fresh.event_seq, fresh.event_hash) == ("Renamed", 1, OrganizationEvent.objects.get().hash)
    assert fresh.reminder_hours == 24  # the rest is written as it was read, as ever
    with pytest.raises(DatabaseError), transaction.atomic():
        OrganizationEvent.objects.update(kind="nothing_happened")
