"""The app's place in Django."""

from django.apps import AppConfig


class BookingsConfig(AppConfig):
    name = "bookings"
