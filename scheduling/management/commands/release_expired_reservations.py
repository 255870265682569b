"""release_expired_reservations: give lapsed holds' places back, now."""

from typing import Any

from django.core.management.base import BaseCommand

from scheduling.services import reservations


class Command(BaseCommand):
    help = "Give back the places of every lapsed hold (the worker does this each minute)."

    def handle(self, **_: Any) -> None:
        """Sweep once."""
        self.stdout.write(f"{reservations.release_expired_reservations()} places came back")
