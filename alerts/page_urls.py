"""Pages of alerts: the demo's mailbox."""

from django.urls import path

from alerts import mail_pages

urlpatterns = [
    path("staff/mail/", mail_pages.show_mailbox, name="mailbox"),
    path("staff/mail/<uuid:message_id>/", mail_pages.show_message, name="message"),
    path("staff/mail/<uuid:message_id>/html/", mail_pages.show_message_html, name="message-html"),
    path(
        "staff/mail/<uuid:message_id>/<int:number>.ics", mail_pages.download_message_calendar, name="message-calendar"
    ),
]
