"""The admin's sidebar: what staff work with, in four groups; each person sees what their role shows them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from alerts.models import Alert
from bookings.models import Booking, Customer
from config.tenants.models import ApiKey, Membership, Organization, User
from config.tenants.scoping import may, within
from scheduling.models import Activity, Reservation, ScheduleVersion, Session, Venue

GROUPS = (
    ("Sessions & bookings", ((Session, "Sessions", "event"), (Booking, "Bookings", "confirmation_number"),
        (Reservation, "Reservations", "hourglass_top"))),
    ("What is sold", ((Activity, "Activities", "sell"), (ScheduleVersion, "Timetables", "calendar_view_week"),
        (Venue, "Venues", "location_on"), (Organization, "Organizations", "domain"))),
    ("People", ((Customer, "Customers", "groups"), (Membership, "Members of staff", "badge"),
        (User, "Logins", "person"), (ApiKey, "API keys", "key"))),
    ("Alerts", ((Alert, "Alerts", "notifications"),)),
)  # fmt: skip


DESK = {"title": "Book for a caller", "icon": "call"}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups with what this person may view; a group of nothing is left out."""
    groups: list[dict[str, Any]] = [
        {"title": title, "items": [_item(request, *entry) for entry in entries if _may_view(request, entry[0])]}
        for title, entries in GROUPS
    ]
    if may(request, Booking._meta.label_lower, "add"):
        groups[0]["items"].insert(0, {**DESK, "link": reverse("admin:bookings_booking_add")})
    return [group for group in groups if group["items"]]


def _may_view(request: HttpRequest, model: type[Any]) -> bool:
    return admin.site._registry[model].has_view_permission(request)  # noqa: SLF001 the site's own list of pages


def _item(request: HttpRequest, model: type[Any], title: str, icon: str) -> dict[str, Any]:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    badge = _unread_alerts(request) if model is Alert else {}
    is_here = request.path.startswith(address) and request.path != reverse("admin:bookings_booking_add")
    return {"title": title, "icon": icon, "link": address, "active": is_here, **badge}


def _unread_alerts(request: HttpRequest) -> dict[str, str]:
    """Return the badge that counts what nobody has seen yet; none, when everything is seen."""
    alerts = within(request, Alert.objects.filter(status=Alert.Status.UNREAD), Alert._meta.label_lower, "view")
    count = alerts.count()
    return {"badge": str(count), "badge_variant": "warning"} if count else {}
