"""How pages write money, times and lengths for people."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time

from config.kit import money

LOCALE = "en_GB"


def money_text(amount_minor: int, currency: str) -> str:
    """Write minor units as people do: 4500 GBP is £45.00, 4500 JPY is ¥4,500."""
    return money.written(amount_minor, currency, locale=LOCALE)


def change_text(change_minor: int, currency: str) -> str:
    """Write by how much a price was changed: +£2.00, −£1.00."""
    return ("+" if change_minor > 0 else "−") + money_text(abs(change_minor), currency)


def clock_text(at: datetime, zone: ZoneInfo) -> str:
    """Write the venue's wall clock: 15:30."""
    return str(format_time(at, "HH:mm", tzinfo=zone, locale=LOCALE))


def day_text(at: datetime, zone: tzinfo) -> str:
    """Write a day: Tuesday 8 December."""
    return str(format_date(at.astimezone(zone).date(), "EEEE d MMMM", locale=LOCALE))


def utc_text(at: datetime) -> str:
    """Write an instant where there is no venue: Tue 8 Dec 2026, 15:30 UTC."""
    return str(format_datetime(at.astimezone(UTC), "EEE d MMM yyyy, HH:mm 'UTC'", locale=LOCALE))


def length_text(length: timedelta) -> str:
    """Write a length: 45 min, 1 h, 1 h 30 min."""
    hours, minutes = divmod(int(length.total_seconds()) // 60, 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)
