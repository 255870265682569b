"""The customer pages of the checkout, and of the booking afterwards."""

from django.urls import path, re_path

from bookings import embeds, views

NUMBER = "(?P<number>[0-9A-HJKMNP-TV-Z]{8})"

urlpatterns = [
    path("checkout/<uuid:basket>/", views.show_checkout, name="checkout"),
    path("checkout/<uuid:basket>/extend/", views.extend_basket, name="extend-basket"),
    path("checkout/<uuid:basket>/release/", views.release_basket, name="release-basket"),
    path("checkout/<uuid:basket>/again/", views.hold_again, name="hold-again"),
    path("embed/checkout/<uuid:basket>/<str:token>/", embeds.checkout_embedded, name="embed-checkout"),
    path("embed/checkout/<uuid:basket>/<str:token>/extend/", embeds.extend_embedded),
    path("embed/checkout/<uuid:basket>/<str:token>/release/", embeds.release_embedded),
    path("embed/checkout/<uuid:basket>/<str:token>/again/", embeds.hold_again_embedded),
    re_path(rf"^embed/bookings/{NUMBER}\.(?P<token>[\w-]+)/$", embeds.show_booking_embedded, name="embed-booking"),
    re_path(
        rf"^embed/bookings/{NUMBER}\.(?P<token>[\w-]+)/calendar\.ics$",
        embeds.download_calendar_embedded,
        name="embed-calendar",
    ),
    re_path(rf"^bookings/{NUMBER}\.(?P<token>[\w-]+)/$", views.open_booking, name="open-booking"),
    re_path(rf"^bookings/{NUMBER}/$", views.show_booking, name="booking"),
    re_path(rf"^bookings/{NUMBER}/calendar\.ics$", views.download_calendar, name="booking-calendar"),
]
