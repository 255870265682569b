"""The customer pages of what there is, and the hold."""

from django.urls import path

from scheduling import embeds, feeds, views

urlpatterns = [
    path("", views.show_organizations, name="organizations"),
    path("embed", embeds.show_embed, name="embed"),
    path("embed/<uuid:activity_id>/<uuid:session_id>/", embeds.hold_embedded, name="embed-hold"),
    path("calendar/venues/<uuid:venue_id>.ics", feeds.show_venue_calendar, name="venue-feed"),
    path("<slug:organization>/", views.show_organization, name="organization"),
    path("<slug:organization>/<slug:activity>/", views.show_activity, name="activity"),
    path("<slug:organization>/<slug:activity>/<uuid:session_id>/", views.hold_session, name="hold-session"),
]
