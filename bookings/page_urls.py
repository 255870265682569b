"""The customer pages of the checkout, and of the booking afterwards."""

from django.urls import path, re_path

from bookings import embeds
from bookings.views import (
    baskets,
    booking,
    check_in,
    checkout,
    manage,
    payments,
    privacy,
    receipts,
    recovery,
    transfers,
    waitlist,
)  # fmt: skip

NUMBER = "(?P<number>[0-9A-HJKMNP-TV-Z]{8})"

urlpatterns = [
    path("checkout/<uuid:basket>/", checkout.show_checkout, name="checkout"),
    path("checkout/<uuid:basket>/extend/", baskets.extend_basket, name="extend-basket"),
    path("checkout/<uuid:basket>/release/", baskets.release_basket, name="release-basket"),
    path("checkout/<uuid:basket>/add/", baskets.add_session, name="add-session"),
    path("checkout/<uuid:basket>/remove/<uuid:reservation_id>/", baskets.remove_line, name="remove-line"),
    path("checkout/<uuid:basket>/again/", baskets.hold_again, name="hold-again"),
    path("embed/checkout/<uuid:basket>/<str:token>/", embeds.checkout_embedded, name="embed-checkout"),
    path("embed/checkout/<uuid:basket>/<str:token>/extend/", embeds.extend_embedded),
    path("embed/checkout/<uuid:basket>/<str:token>/release/", embeds.release_embedded),
    path("embed/checkout/<uuid:basket>/<str:token>/remove/<uuid:reservation_id>/", embeds.remove_line_embedded),
    path("embed/checkout/<uuid:basket>/<str:token>/again/", embeds.hold_again_embedded),
    re_path(rf"^embed/bookings/{NUMBER}\.(?P<token>[\w-]+)/$", embeds.show_booking_embedded, name="embed-booking"),
    re_path(
        rf"^embed/bookings/{NUMBER}\.(?P<token>[\w-]+)/calendar\.ics$",
        embeds.download_calendar_embedded,
        name="embed-calendar",
    ),
    re_path(rf"^bookings/{NUMBER}\.(?P<token>[\w-]+)/$", booking.open_booking, name="open-booking"),
    re_path(rf"^bookings/{NUMBER}/$", booking.show_booking, name="booking"),
    re_path(rf"^bookings/{NUMBER}/calendar\.ics$", booking.download_calendar, name="booking-calendar"),
    re_path(rf"^bookings/{NUMBER}/receipt/$", receipts.show_receipt, name="receipt"),
    re_path(rf"^bookings/{NUMBER}/receipt\.pdf$", receipts.download_receipt, name="receipt-pdf"),
    re_path(rf"^embed/bookings/{NUMBER}\.(?P<token>[\w-]+)/receipt\.pdf$", receipts.download_receipt_embedded),
    re_path(rf"^bookings/{NUMBER}/pay/$", manage.on_site(payments.answer_pay), name="pay-booking"),
    re_path(rf"^embed/bookings/{NUMBER}\.(?P<token>[\w-]+)/pay/$", manage.in_frame(payments.answer_pay)),
    path("pay/<uuid:payment_id>.<str:token>/", payments.show_payment, name="payment"),
    path("pay/<uuid:payment_id>.<str:token>/go/", payments.go_to_provider, name="go-to-payment"),
    path("checkout/<uuid:basket>/elsewhere/", recovery.continue_elsewhere, name="continue-elsewhere"),
    path("resume/<uuid:link_id>.<str:token>/", recovery.resume_basket, name="resume-basket"),
    path("resume/<uuid:link_id>.<str:token>/again/", recovery.send_link_again, name="send-link-again"),
    path("bookings/your-data/<uuid:customer_id>.<str:token>/", privacy.show_data, name="your-data"),
    path("bookings/your-data/<uuid:customer_id>.<str:token>/data.json", privacy.download_data, name="download-data"),
    path("bookings/transfers/<uuid:offer_id>.<str:token>/", transfers.show_offer, name="transfer-offer"),
    path("staff/check-in/", check_in.show_door, name="check-in"),
    path("staff/check-in/<uuid:line_id>/", check_in.note_attendance, name="note-attendance"),
    *(re_path(rf"^bookings/{NUMBER}/{act}/$", view, name=f"booking-{act}") for act, view in manage.ON_SITE.items()),
    *(re_path(rf"^embed/bookings/{NUMBER}\.(?P<token>[\w-]+)/{act}/$", view) for act, view in manage.IN_FRAMES.items()),
    path("waitlist/<uuid:entry_id>.<slug:token>/", waitlist.open_wait, name="open-wait"),
    path("waitlist/<uuid:entry_id>/", waitlist.show_wait, name="wait"),
    path("waitlist/<uuid:entry_id>/accept/", waitlist.accept_offer, name="accept-offer"),
    path("waitlist/<uuid:entry_id>/leave/", waitlist.leave_waitlist, name="leave-waitlist"),
    path("<slug:organization>/<slug:activity>/<uuid:session_id>/wait/", waitlist.join_waitlist, name="join-waitlist"),
]
