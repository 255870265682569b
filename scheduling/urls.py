"""Scheduling's addresses, with and without the trailing slash."""

from config.kit.addresses import api_path
from scheduling import api, venue_api

urlpatterns = [
    api_path("activities", api.ActivityList.as_view()),
    api_path("activities/{activity_id}", api.ActivityDetail.as_view()),
    api_path("activities/{activity_id}/availability", api.activity_availability),
    api_path("sessions", api.SessionList.as_view()),
    api_path("sessions/{session_id}/availability", api.session_availability),
    api_path("venues/{embed_key}/availability", venue_api.venue_availability),
    api_path("venues/{embed_key}/sessions", venue_api.venue_sessions),
    api_path("reservations", api.reservation_list),
    api_path("reservations/{reservation_id}", api.reservation_detail),
    api_path("reservations/{reservation_id}/extend", api.reservation_extend),
]
