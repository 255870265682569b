"""Timetables, venues and who may show their widget."""

from datetime import date
from typing import Any

import pytest
from pytest_django.asserts import assertContains

from scheduling.models import Venue
from scheduling.schedule_rules import parse_rules
from scheduling.schedule_words import week_in_words
from scheduling.services import schedules
from tests.factories import make_activity, make_organization, make_venue
from tests.staff.admin_site import list_address, page_address
from tests.staff.conftest import SignIn

pytestmark = pytest.mark.django_db
RULES: dict[str, Any] = {
    "operatingDays": ["Monday", "Tuesday", "Wednesday"], "startTime": "09:00", "endTime": "12:00", "slotInterval": 60,
    "capacity": 8, "customHours": {"Saturday": {"enabled": True, "startTime": "20:00", "endTime": "02:00"}},
}  # fmt: skip
WEEK = [
    "Monday to Wednesday: 09:00 to 12:00",
    "Thursday to Friday: closed",
    "Saturday: 20:00 to 02:00 the next day",
    "Sunday: closed",
    "A session every 60 minutes, 60 minutes long, with 8 places: 15 a week",
]


def test_a_week_is_said_in_words() -> None:
    assert week_in_words(parse_rules(RULES)) == WEEK


def test_a_version_is_not_edited(sign_in: SignIn) -> None:
    activity = make_activity()
    version = schedules.publish_schedule(
        activity_id=activity.id, rules=RULES, effective_from=date.fromisoformat("2026-01-01")
    )
    client = sign_in(activity.organization)
    assertContains(client.get(page_address(version)), WEEK[0])
    assert client.post(page_address(version), {"rules": "{}"}).status_code == 403


# Venues -----------------------------------------------------------------------------------------------------------


def test_a_venues_page_has_the_line_for_its_own_site(sign_in: SignIn) -> None:
    venue = make_venue()
    page = sign_in(venue.organization).get(page_address(venue))
    line = f"&lt;script src=&quot;http://testserver/static/embed/embed.js&quot; data-key=&quot;{venue.embed_key}&quot;"
    assertContains(page, line)


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", []),
        ("https://example.org", ["https://example.org"]),
        (
            "https://Example.org\nhttp://localhost:3000, https://example.org",
            ["https://example.org", "http://localhost:3000"],
        ),
    ],
)
def test_origins_are_kept_as_browsers_write_them(sign_in: SignIn, text: str, origins: list[str]) -> None:
    venue = make_venue()
    form = {"name": venue.name, "allowed_embed_origins": text}
    assert sign_in(venue.organization).post(page_address(venue), form).status_code == 302
    venue.refresh_from_db()
    assert venue.allowed_embed_origins == origins


@pytest.mark.parametrize(
    "text",
    ["example.org", "https://example.org/path", "https://example.org/", "*", "https://*.example.org", "'self'",
     "https://example.org; script-src", "ftp://example.org", "https://a@example.org", "https://example.org:99999999"],
)  # fmt: skip
def test_what_is_no_origin_is_refused_by_name(sign_in: SignIn, text: str) -> None:
    venue = make_venue()
    answer = sign_in(venue.organization).post(page_address(venue), {"name": "x", "allowed_embed_origins": text})
    assertContains(answer, "is not a site", status_code=200)
    venue.refresh_from_db()
    assert (venue.name, venue.allowed_embed_origins) == ("Hall", [])


def test_a_zone_that_nobody_knows_is_refused(sign_in: SignIn) -> None:
    organization = make_organization()
    client = sign_in(organization)
    form = {"organization": organization.id, "name": "Hall", "timezone": "Mars/Olympus", "allowed_embed_origins": ""}
    assertContains(client.post(list_address(Venue) + "add/", form), "is not a time zone that we know")
    assert client.post(list_address(Venue) + "add/", {**form, "timezone": "Europe/Rome"}).status_code == 302
    assert Venue.objects.get().organization == organization


def test_a_venue_is_not_put_into_another_organization(sign_in: SignIn) -> None:
    foreign = make_organization()
    form = {"organization": foreign.id, "name": "Hall", "timezone": "Europe/Rome", "allowed_embed_origins": ""}
    answer = sign_in(make_organization()).post(list_address(Venue) + "add/", form)
    assert "organization" in answer.context["adminform"].form.errors
