"""What day it is at venues, by their own clocks."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db.models import DateField, Max, QuerySet
from django.db.models.expressions import RawSQL

from config.kit.clock import database_now
from config.tenants.models import Organization
from scheduling.models import Venue


def latest_today(organizations: "Iterable[Organization] | QuerySet[Any]") -> date:
    """Return what day it is at these organizations' venues: where it is two days at once, the later one."""
    there = RawSQL("(clock_timestamp() AT TIME ZONE timezone)::date", (), output_field=DateField())
    venues = Venue.objects.filter(organization__in=organizations).annotate(today=there)
    latest: date | None = venues.aggregate(latest=Max("today"))["latest"]
    return latest or database_now().date()
