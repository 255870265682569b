"""Loading the demo: all or nothing, once, and anew when asked where nothing is real."""

import os

import psycopg
import pytest
from django.core.management import CommandError
from django.test import Client
from pytest_django import Settings

from bookings.models import Booking
from config.demo.credentials import STAFF_EMAIL, STAFF_PASSWORD
from config.demo.loading import DEMO_LOCK
from config.tenants.models import Organization, User
from scheduling.models import Session
from tests.conftest import RunPython
from tests.demo.conftest import SLUGS, run_demo
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


@pytest.fixture
def for_trying(settings: Settings) -> None:
    """Say that nothing on this site is real."""
    settings.DEMO = True


def loaded_slugs() -> set[str]:
    """Return the organizations that there are."""
    return set(Organization.objects.values_list("slug", flat=True))


def test_an_interrupted_load_leaves_nothing_and_running_again_completes_it(run_python: RunPython) -> None:
    killed = run_python(DIE_IN_THE_THIRD_ORGANIZATION)
    assert (killed.returncode, killed.stdout.count("bookings")) == (9, 2)
    assert (loaded_slugs(), User.objects.count()) == (set(), 0)
    run_demo()
    assert loaded_slugs() == SLUGS


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
