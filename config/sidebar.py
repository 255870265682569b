"""The admin's sidebar: what staff work with, in five groups; each person sees what their role shows them."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from alerts.models import Alert, Notification
from bookings.models import AffectedLine, Attempt, Booking, Customer, PromoCode, WaitlistEntry
from config.tenants.models import ApiKey, Membership, Organization, User
from config.tenants.scoping import may, within
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

GROUPS = (
    ("Sessions & bookings", ((Session, "Sessions", "event"), (Booking, "Bookings", "confirmation_number"),
        (Reservation, "Reservations", "hourglass_top"),
        (WaitlistEntry, "Waiting lists", "format_list_numbered"), (AffectedLine, "After changes", "support_agent"),
        (Attempt, "Attempts", "rule"))),
    ("What is sold", ((Activity, "Activities", "sell"), (ScheduleVersion, "Timetables", "calendar_view_week"),
        (PriceRule, "Price rules", "percent"), (ScheduleException, "Closures & openings", "event_busy"),
        (ScheduleChange, "Changes", "difference"),
        (Venue, "Venues", "location_on"), (Organization, "Organizations", "domain"))),
    ("Money", ((Payment, "Payments", "payments"), (Refund, "Refunds", "undo"), (Dispute, "Disputes", "gavel"),
        (Voucher, "Vouchers", "redeem"), (PromoCode, "Promo codes", "loyalty"),
        (LedgerTransaction, "Ledger", "account_balance"), (Reconciliation, "Reconciliations", "balance"),
        (ProviderAccount, "Payment account", "account_balance_wallet"))),
    ("People", ((Customer, "Customers", "groups"), (Membership, "Members of staff", "badge"),
        (User, "Logins", "person"), (ApiKey, "API keys", "key"))),
    ("Alerts & messages", ((Alert, "Alerts", "notifications"), (Notification, "Messages", "mail"))),
)  # fmt: skip


MAILBOX = {"title": "Mailbox of the demo", "icon": "inbox"}
BANK = {"title": "Sandbox bank", "icon": "account_balance"}
DESK = {"title": "Book for a caller", "icon": "call"}
DOOR = {"title": "Check in", "icon": "how_to_reg"}
STATEMENT = {"title": "Statement", "icon": "receipt_long"}
CANCELLATIONS = {"title": "Cancellations", "icon": "trending_down"}
NOT_THE_LIST = (  # pages with items of their own
    "admin:bookings_booking_add",
    "admin:bookings_booking_cancellations",
    "admin:payments_statement",
)


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
    if may(request, LedgerTransaction._meta.label_lower, "view"):
        _group(groups, "Money")["items"].append({**STATEMENT, "link": reverse("admin:payments_statement")})
    if _has_sandbox_bank() and may(request, Payment._meta.label_lower, "view"):
        _group(groups, "Money")["items"].append({**BANK, "link": f"{settings.STRIPE_API_BASE}/sandbox"})
    if settings.DEMO and may(request, Notification._meta.label_lower, "view"):
        groups[-1]["items"].append({**MAILBOX, "link": reverse("mailbox")})
    return [group for group in groups if group["items"]]


def _has_sandbox_bank() -> bool:
    """Is this the demo, with a bank of its own? A real provider is reached over TLS alone."""
    return bool(settings.DEMO) and settings.STRIPE_API_BASE.startswith("http://")


def _group(groups: list[dict[str, Any]], title: str) -> dict[str, Any]:
    return next(group for group in groups if group["title"] == title)


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
