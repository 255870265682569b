"""The app's place in Django."""

from importlib import import_module

from django.apps import AppConfig


class BookingsConfig(AppConfig):
    name = "bookings"

    def ready(self) -> None:
        """Listen."""
        import_module("bookings.receivers")
