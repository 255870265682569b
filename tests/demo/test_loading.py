"""Loading the demo: all or nothing, once, and anew when asked where nothing is real."""

import os
import urllib.request

import psycopg
import pytest
from django.core.management import CommandError
from django.test import Client
from pytest_django import Settings

from bookings.models import Booking
from config.demo import loading, money
from config.demo.bank import find_bank
from config.demo.credentials import STAFF_EMAIL, STAFF_PASSWORD
from config.demo.first_aid import BEACON_FIRST_AID
from config.demo.loading import DEMO_LOCK
from config.kit.facts import SYSTEM
from config.run.valkey import free_port
from config.tenants.models import Organization, User
from payments.models import Payment, ProviderAccount
from payments.services.accounts import connect_account
from payments.services.reconciliation import reconcile_accounts
from scheduling.models import Session
from tests.conftest import RunPython
from tests.demo.conftest import NOWHERE, SLUGS, run_demo
from tests.factories import book, make_activity, make_organization, make_session, make_venue
from tests.servers import servers

pytestmark = pytest.mark.usefixtures("committed_db")

DIE_IN_THE_THIRD_ORGANIZATION = """
import os
from config.demo import loading
from django.core.management import call_command

tell_story = loading.tell_story

def die(scene):
    if scene.activity.slug == "private-lesson":
        os._exit(9)
    tell_story(scene)

loading.tell_story = die
call_command("demo")
"""


DIE_IN_THE_MONEY_OF_THE_SECOND_ORGANIZATION = """
import os
from config.demo import aftermath, loading, money
from config.demo.first_aid import BEACON_FIRST_AID
from config.demo.ski_school import SILBERHORN
from django.core.management import call_command

money.ORGANIZATIONS = loading.ORGANIZATIONS = (BEACON_FIRST_AID, SILBERHORN)
open_shop = money._open_shop

def die(bank, plan):
    if plan is SILBERHORN:
        os._exit(9)
    return open_shop(bank, plan)

money._open_shop = die
call_command("demo")
"""
TWO = {"beacon-first-aid", "silberhorn-ski-school"}


@pytest.fixture
def for_trying(settings: Settings) -> None:
    """Say that nothing on this site is real."""
    settings.DEMO = True


def loaded_slugs() -> set[str]:
    """Return the organizations that there are."""
    return set(Organization.objects.values_list("slug", flat=True))


def connected_slugs() -> set[str]:
    """Return the organizations that have an account at a bank."""
    return set(ProviderAccount.objects.values_list("organization__slug", flat=True))


def test_an_interrupted_load_leaves_nothing_and_running_again_completes_it(run_python: RunPython) -> None:
    killed = run_python(DIE_IN_THE_THIRD_ORGANIZATION)
    assert (killed.returncode, killed.stdout.count("bookings")) == (9, 2)
    assert (loaded_slugs(), User.objects.count()) == (set(), 0)
    run_demo()
    assert loaded_slugs() == SLUGS


def test_money_that_was_cut_short_goes_on_with_the_next_organization(run_python: RunPython, bank: str) -> None:
    environment = {"STRIPE_API_BASE": bank, "SITE_URL": NOWHERE}
    killed = run_python(DIE_IN_THE_MONEY_OF_THE_SECOND_ORGANIZATION, env=environment)
    assert (killed.returncode, killed.stdout.count("is paid online")) == (9, 1)
    assert (loaded_slugs(), connected_slugs()) == (TWO, {"beacon-first-aid"})
    assert run_demo().count("is paid online") == 1
    assert connected_slugs() == TWO
    assert reconcile_accounts() == 0


def test_without_a_bank_the_demo_has_no_money_and_says_so(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(loading, "ORGANIZATIONS", (BEACON_FIRST_AID,))
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{free_port()}"
    assert f"There is no sandbox bank at {settings.STRIPE_API_BASE}" in run_demo()
    assert (loaded_slugs(), connected_slugs()) == ({"beacon-first-aid"}, set())
    assert set(Payment.objects.values_list("provider", flat=True)) == set()


def test_a_real_provider_is_not_asked_whether_it_is_a_bank_of_the_demo(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("somebody was asked")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    settings.STRIPE_API_BASE = "https://api.stripe.com"
    assert find_bank() is None


def test_two_loads_at_once_do_not_mix() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [DEMO_LOCK])
        with pytest.raises(CommandError, match="Another process"):
            run_demo()
    assert loaded_slugs() == set()


def test_a_database_with_an_organization_of_its_own_is_left_alone() -> None:
    Organization.objects.create(name="A real school", slug="a-real-school")
    assert "nothing was changed" in run_demo()
    assert loaded_slugs() == {"a-real-school"}


@pytest.mark.usefixtures("for_trying")
def test_reset_begins_anew_with_a_login_that_opens_the_admin(client: Client) -> None:
    organization = make_organization(slug="lantern-yard")
    session = make_session(make_activity(make_venue(organization)))
    booking = book(session)
    assert f"{STAFF_EMAIL}   password: {STAFF_PASSWORD}" in run_demo("--reset")
    assert loaded_slugs() == SLUGS
    assert not Session.objects.filter(id=session.id).exists()
    assert not Booking.objects.filter(id=booking.id).exists()
    assert client.login(username=STAFF_EMAIL, password=STAFF_PASSWORD)


def test_reset_is_refused_where_things_are_real() -> None:
    Organization.objects.create(name="Lantern Yard", slug="lantern-yard")
    with pytest.raises(CommandError, match="DEMO=on"):
        run_demo("--reset")
    assert loaded_slugs() == {"lantern-yard"}


@pytest.mark.usefixtures("for_trying")
def test_reset_begins_anew_with_clean_books_at_the_bank(bank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "ORGANIZATIONS", (BEACON_FIRST_AID,))
    monkeypatch.setattr(money, "ORGANIZATIONS", (BEACON_FIRST_AID,))
    organization = make_organization(slug="beacon-first-aid")
    connect_account(organization_id=organization.id, api_key="sk_test_before", actor=SYSTEM)
    before = ProviderAccount.objects.get().account_ref
    assert "Beacon First Aid Training is paid online: 15 payments, 1 refunds" in run_demo("--reset")
    assert ProviderAccount.objects.get().account_ref != before
    assert reconcile_accounts() == 0


@pytest.mark.usefixtures("for_trying")
def test_reset_never_loses_an_organization_that_is_not_the_demos() -> None:
    Organization.objects.create(name="A real school", slug="a-real-school")
    with pytest.raises(CommandError, match="a-real-school"):
        run_demo("--reset")
    assert loaded_slugs() == {"a-real-school"}


@pytest.mark.usefixtures("for_trying")
def test_reset_is_refused_without_the_owners_address(monkeypatch: pytest.MonkeyPatch) -> None:
    Organization.objects.create(name="Lantern Yard", slug="lantern-yard")
    monkeypatch.delenv("DATABASE_OWNER_URL")
    with pytest.raises(CommandError, match="DATABASE_OWNER_URL"):
        run_demo("--reset")
    assert loaded_slugs() == {"lantern-yard"}


@pytest.mark.usefixtures("for_trying")
def test_reset_is_refused_when_the_owners_address_is_another_database(monkeypatch: pytest.MonkeyPatch) -> None:
    Organization.objects.create(name="Lantern Yard", slug="lantern-yard")
    monkeypatch.setenv("DATABASE_OWNER_URL", servers.postgres.owner_url("postgres"))
    with pytest.raises(CommandError, match="two different databases"):
        run_demo("--reset")
    assert loaded_slugs() == {"lantern-yard"}
