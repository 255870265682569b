"""Bookings' addresses, with and without the trailing slash."""

from bookings.api import attendance, bookings, changes, payments, validation, waitlist
from config.kit.addresses import api_path

urlpatterns = [
    api_path("reservations/{reservation_id}/confirm", bookings.reservation_confirm),
    api_path("bookings", bookings.booking_list),
    api_path("bookings/validate", validation.booking_validation),
    api_path("bookings/{booking_id}", bookings.booking_detail),
    api_path("bookings/{booking_id}/cancel", changes.booking_cancel),
    api_path("bookings/{booking_id}/reschedule", changes.booking_reschedule),
    api_path("bookings/{booking_id}/party-size", changes.booking_party_size),
    api_path("bookings/{booking_id}/participants", changes.booking_participants),
    api_path("bookings/{booking_id}/transfer", changes.booking_transfer),
    api_path("bookings/{booking_id}/payments", payments.booking_payments),
    api_path("bookings/{booking_id}/refunds", payments.booking_refunds),
    api_path("lines/{line_id}/check-in", attendance.line_check_in),
    api_path("lines/{line_id}/undo-check-in", attendance.line_undo_check_in),
    api_path("lines/{line_id}/outcome", attendance.line_outcome),
    api_path("waitlist", waitlist.wait_list),
    api_path("waitlist/{entry_id}", waitlist.wait_detail),
    api_path("waitlist/{entry_id}/accept", waitlist.wait_accept),
]
