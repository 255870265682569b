"""The app's place in Django."""

from importlib import import_module

from django.apps import AppConfig


class SchedulingConfig(AppConfig):
    name = "scheduling"

    def ready(self) -> None:
        """Listen."""
        import_module("scheduling.receivers")
