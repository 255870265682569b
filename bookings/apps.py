"""The app's place in Django."""

from importlib import import_module

from django.apps import AppConfig


class BookingsConfig(AppConfig):
    name = "bookings"

    def ready(self) -> None:
        """Listen, and say for scheduling's pages who can take money online."""
        import_module("bookings.receivers")
        payable, charges = import_module("scheduling.payable"), import_module("payments.services.charges")
        payable.answer_by(charges.can_pay_online)
