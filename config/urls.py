"""Every address."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("scheduling.urls")),
    path("api/v1/", include("bookings.urls")),
    path("api/v1/", include("payments.urls")),
    path("api/v1/", include("alerts.urls")),
    path("", include("alerts.urls_health")),
    path("admin/", admin.site.urls),
    path("", include("alerts.page_urls")),
    path("", include("bookings.page_urls")),
    path("", include("scheduling.page_urls")),  # last: an organization's name stands at the root
]
handler404 = "config.kit.addresses.page_not_found"
