"""Bookings' addresses, with and without the trailing slash."""

from bookings import api
from config.kit.addresses import api_path

urlpatterns = [
    api_path("reservations/{reservation_id}/confirm", api.reservation_confirm),
    api_path("bookings", api.booking_list),
    api_path("bookings/{booking_id}", api.booking_detail),
]
