"""Payments' addresses, with and without the trailing slash."""

from django.urls import re_path

from payments import api

urlpatterns = [re_path(r"^payments/webhooks/(?P<provider>stripe)/?$", api.payment_webhook)]
