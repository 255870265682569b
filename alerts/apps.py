"""The app's place in Django."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "alerts"
