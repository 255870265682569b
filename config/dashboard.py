"""The admin's first page: beside the ways in, what came in lately, for those who may look at the ledger."""

import json
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest

from config.kit.clock import database_now
from config.kit.display import money_text
from config.kit.money import amount_of
from config.tenants.models import Organization
from config.tenants.scoping import may, within
from payments.revenue import Week, revenue_by_week

LEDGER = "payments.ledgertransaction"


def show(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the charts to the page's context: one of each currency, with its table."""
    if may(request, LEDGER, "view"):
        owners = within(request, Organization.objects.all(), LEDGER, "view").values_list("pk", flat=True)
        weeks = revenue_by_week(list(owners), now=database_now())
        context["revenue"] = [_chart(currency, found) for currency, found in weeks.items()]
    return context


def _chart(currency: str, weeks: Sequence[Week]) -> dict[str, Any]:
    bars = {
        "label": f"Revenue, {currency}",
        "data": [str(amount_of(week.amount_minor, currency)) for week in weeks],
        "backgroundColor": "var(--color-primary-600)",
        "displayYAxis": True,
    }
    return {
        "currency": currency,
        "data": json.dumps({"labels": [f"{week.monday:%d %b}" for week in weeks], "datasets": [bars]}),
        "rows": [(f"{week.monday:%d %b %Y}", money_text(week.amount_minor, currency)) for week in weeks],
    }
