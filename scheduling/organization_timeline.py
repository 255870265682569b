"""What happened to an organization as a whole, in plain words, read from the facts."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from config.kit.display import money_text
from config.tenants.models import Organization, OrganizationEvent
from scheduling.timeline import MOST, Entry, changes_in_words, entries

WORDS: Mapping[str, str] = {
    "organization_added": "Added",
    "organization_changed": "Settings changed",
    "organization_activated": "May sell again",
    "organization_suspended": "Suspended: sells nothing",
    "member_added": "Somebody may act here",
    "member_changed": "A role changed",
    "api_key_issued": "API key issued",
    "venue_added": "Venue added",
    "venue_changed": "Venue changed",
    "feed_address_renewed": "Calendar of a venue has a new address",
    "account_connected": "Payment account connected",
    "account_secret_changed": "Payment account: new secret for its events",
    "account_ended": "Payment account disconnected",
    "voucher_issued": "Voucher issued",
    "voucher_prolonged": "Voucher good for longer, for what came back to it",
    "voucher_opened": "Voucher opened again",
    "voucher_ended": "Voucher ended",
    "promo_code_made": "Promo code made",
    "promo_code_ended": "Promo code ended",
}
NAMED = ("account_ref", "code", "prefix", "role", "name")  # what tells people which one it is


def timeline_of_organization(organization: Organization) -> list[Entry]:
    """Return the newest of what happened to it, in order; times are UTC."""
    rows = OrganizationEvent.objects.filter(organization=organization).order_by("-seq")[:MOST]
    return entries(list(rows)[::-1], ZoneInfo("UTC"), WORDS, note=_note)


def _note(event: OrganizationEvent) -> str:
    if event.before:
        return changes_in_words(event.before, event.after)
    return _subject(event.after)


def _subject(after: Mapping[str, Any]) -> str:
    """Say which one: by what people call it, or by its worth."""
    if after.get("amount_minor"):
        worth = money_text(after["amount_minor"], after["currency"])
        return " ".join(filter(None, (str(after.get("code", "")), worth)))
    return ", ".join(str(after[name]) for name in NAMED if after.get(name))
