"""recalculate_capacity [SESSION …]: recount sessions from their reservations, repair and report."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from config.kit.clock import database_now
from scheduling.models import Session
from scheduling.services import reservations


class Command(BaseCommand):
    help = "Recount the places of sessions (all that have not ended, when none is named); report what was repaired."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name sessions."""
        parser.add_argument("session", nargs="*", type=UUID)

    def handle(self, **options: Any) -> None:
        """Recount one by one; each is locked only for its own count."""
        sessions = Session.objects.filter(ends_at__gt=database_now()).values_list("id", flat=True)
        repaired = 0
        for session_id in options["session"] or sessions.iterator():
            drift = reservations.recalculate_capacity(session_id=session_id)
            if not drift.is_clean:
                repaired += 1
                self.stdout.write(
                    f"{session_id}: held {drift.places_held} -> {drift.counted_held}, "
                    f"booked {drift.places_booked} -> {drift.counted_booked}"
                )
        self.stdout.write(f"{repaired} sessions repaired")
