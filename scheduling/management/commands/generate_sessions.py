"""generate_sessions: fill the next 30 days of every venue, now."""

from typing import Any

from django.core.management.base import BaseCommand

from config.kit.clock import database_now
from scheduling.models import Venue
from scheduling.services import generation


class Command(BaseCommand):
    help = "Generate the sessions of the next 30 days for every venue; what exists is left alone."

    def handle(self, **_: Any) -> None:
        """Fill venue by venue, and say how far it is."""
        venues, at = list(Venue.objects.order_by("name")), database_now()
        for position, venue in enumerate(venues, start=1):
            made = generation.fill_venue(venue_id=venue.id, at=at)
            self.stdout.write(f"{position}/{len(venues)} {venue.name}: {made} new sessions")
