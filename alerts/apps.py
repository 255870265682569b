"""The app's place in Django."""

from importlib import import_module

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "alerts"

    def ready(self) -> None:
        """Listen, and count."""
        import_module("alerts.receivers")
        import_module("alerts.metrics")
