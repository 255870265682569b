"""The display functions, for templates."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django import template

from config.kit.display import change_text, clock_text, day_text, money_text

register = template.Library()


@register.filter
def money(amount_minor: int, currency: str) -> str:
    """{{ amount_minor|money:currency }}: £45.00."""
    return money_text(amount_minor, currency)


@register.filter
def money_change(change_minor: int, currency: str) -> str:
    """{{ change_minor|money_change:currency }}: +£2.00."""
    return change_text(change_minor, currency)


@register.filter
def clock(at: datetime, zone: ZoneInfo) -> str:
    """{{ at|clock:zone }}: 15:30."""
    return clock_text(at, zone)


@register.filter
def day(at: datetime, zone: ZoneInfo) -> str:
    """{{ at|day:zone }}: Tuesday 8 December."""
    return day_text(at, zone)
