"""The app's place in Django."""

from importlib import import_module

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        """Listen."""
        import_module("payments.receivers")
