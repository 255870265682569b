"""Every address."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("scheduling.urls")),
    path("api/v1/", include("bookings.urls")),
    path("admin/", admin.site.urls),
]
handler404 = "config.kit.addresses.page_not_found"
