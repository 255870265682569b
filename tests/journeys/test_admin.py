"""Staff in the admin."""

import pytest
from playwright.sync_api import Page, expect

from config.tenants.models import User

pytestmark = pytest.mark.journey
PASSWORD = "correct horse battery"


def test_a_member_of_staff_signs_in_with_email_and_password(page: Page) -> None:
    User.objects.create_superuser(email="staff@example.com", password=PASSWORD)
    page.goto("/admin/")
    page.get_by_label("Email").fill("staff@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Site administration")).to_be_visible()
    expect(page).to_have_url("/admin/")


def test_a_wrong_password_is_refused(page: Page) -> None:
    User.objects.create_superuser(email="staff@example.com", password=PASSWORD)
    page.goto("/admin/")
    page.get_by_label("Email").fill("staff@example.com")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Please enter the correct email")).to_be_visible()
