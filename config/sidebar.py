"""The admin's sidebar: what staff work with, in four groups; each person sees what their role shows them."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from alerts.models import Alert, Notification
from bookings.models import AffectedLine, Attempt, Booking, Customer, WaitlistEntry
from config.tenants.models import ApiKey, Membership, Organization, User
from config.tenants.scoping import may, within
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

GROUPS = (
    ("Sessions & bookings", ((Session, "Sessions", "event"), (Booking, "Bookings", "confirmation_number"),
        (Reservation, "Reservations", "hourglass_top"),
        (WaitlistEntry, "Waiting lists", "format_list_numbered"), (AffectedLine, "After changes", "support_agent"),
        (Attempt, "Attempts", "rule"))),
    ("What is sold", ((Activity, "Activities", "sell"), (ScheduleVersion, "Timetables", "calendar_view_week"),
        (PriceRule, "Price rules", "percent"), (ScheduleException, "Closures & openings", "event_busy"),
        (ScheduleChange, "Changes", "difference"),
        (Venue, "Venues", "location_on"), (Organization, "Organizations", "domain"))),
    ("People", ((Customer, "Customers", "groups"), (Membership, "Members of staff", "badge"),
        (User, "Logins", "person"), (ApiKey, "API keys", "key"))),
    ("Alerts & messages", ((Alert, "Alerts", "notifications"), (Notification, "Messages", "mail"))),
)  # fmt: skip


MAILBOX = {"title": "Mailbox of the demo", "icon": "inbox"}
DESK = {"title": "Book for a caller", "icon": "call"}
DOOR = {"title": "Check in", "icon": "how_to_reg"}
CANCELLATIONS = {"title": "Cancellations", "icon": "trending_down"}
NOT_THE_LIST = ("admin:bookings_booking_add", "admin:bookings_booking_cancellations")  # pages with items of their own


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups with what this person may view; a group of nothing is left out."""
    groups: list[dict[str, Any]] = [
        {"title": title, "items": [_item(request, *entry) for entry in entries if _may_view(request, entry[0])]}
        for title, entries in GROUPS
    ]
    if may(request, Booking._meta.label_lower, "add"):
        groups[0]["items"].insert(0, {**DESK, "link": reverse("admin:bookings_booking_add")})
    if may(request, Booking._meta.label_lower, "check_in_lines"):
        groups[0]["items"].insert(0, {**DOOR, "link": reverse("check-in")})
    if may(request, Booking._meta.label_lower, "view_cancellations"):
        groups[0]["items"].append({**CANCELLATIONS, "link": reverse("admin:bookings_booking_cancellations")})
    if settings.DEMO and may(request, Notification._meta.label_lower, "view"):
        groups[-1]["items"].append({**MAILBOX, "link": reverse("mailbox")})
    return [group for group in groups if group["items"]]


def _may_view(request: HttpRequest, model: type[Any]) -> bool:
    return admin.site._registry[model].has_view_permission(request)  # noqa: SLF001 the site's own list of pages


def _item(request: HttpRequest, model: type[Any], title: str, icon: str) -> dict[str, Any]:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    badge = _unread_alerts(request) if model is Alert else {}
    is_here = request.path.startswith(address) and request.path not in map(reverse, NOT_THE_LIST)
    return {"title": title, "icon": icon, "link": address, "active": is_here, **badge}


def _unread_alerts(request: HttpRequest) -> dict[str, str]:
    """Return the badge that counts what nobody has seen yet; none, when everything is seen."""
    alerts = within(request, Alert.objects.filter(status=Alert.Status.UNREAD), Alert._meta.label_lower, "view")
    count = alerts.count()
    return {"badge": str(count), "badge_variant": "warning"} if count else {}
