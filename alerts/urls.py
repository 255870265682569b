"""Alerts' addresses, with and without the trailing slash."""

from alerts import api
from config.kit.addresses import api_path

urlpatterns = [
    api_path("alerts", api.AlertList.as_view()),
    api_path("alerts/{alert_id}/acknowledge", api.alert_acknowledge),
]
