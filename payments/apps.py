"""The app's place in Django."""

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
