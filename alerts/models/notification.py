"""One message to one recipient through one channel."""

from django.db import models
from django.db.models.functions import Now

from config.kit.ids import uuid7
from config.kit.transitions import Transitions
from config.tenants.models import Language, TenantModel


class Notification(TenantModel):
    """Made from a fact, at most one for each recipient and channel; its text is written when it is sent."""

    class Channel(models.TextChoices):
        EMAIL = "email"

    class Status(models.TextChoices):
        QUEUED = "queued"
        SENT = "sent"
        DROPPED = "dropped"  # what it would have said is not so any more
        FAILED = "failed"  # given up after many tries; staff see it and may send it again

    TRANSITIONS = Transitions(
        initial=frozenset({Status.QUEUED}),
        moves={
            Status.QUEUED: frozenset({Status.SENT, Status.DROPPED, Status.FAILED}),
            Status.FAILED: frozenset({Status.QUEUED}),
        },
    )

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    fact_id = models.UUIDField()
    kind = models.CharField(max_length=40)  # booking_confirmed, reminder, waitlist_offer …; which text
    channel = models.CharField(max_length=8, choices=Channel.choices, default=Channel.EMAIL)
    recipient = models.EmailField()
    language = models.CharField(max_length=5, choices=Language.choices, default=Language.ENGLISH)
    subject_id = models.UUIDField()  # the booking's, or the waiting party's
    due_at = models.DateTimeField(db_default=Now())  # reminders wait for it
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(db_default=Now())
    last_error = models.CharField(max_length=300, blank=True)
    title = models.CharField(max_length=300, blank=True)  # as it was sent …
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    calendar = models.TextField(blank=True)  # RFC 5545
    provider_id = models.CharField(max_length=200, blank=True)  # the mail provider's name for it
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = "message"
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["fact_id", "kind", "recipient", "channel"], name="notification_once_per_fact"
            ),
            models.CheckConstraint(condition=models.Q(channel__in=["email"]), name="notification_channel_known"),
            models.CheckConstraint(
                condition=models.Q(status="sent", sent_at__isnull=False)
                | (~models.Q(status="sent") & models.Q(sent_at=None)),
                name="notification_sent_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=models.Q(status="queued"), name="notification_queue"),
            models.Index(fields=["subject_id"], name="notification_by_subject"),
            models.Index(fields=["organization", "created_at"], name="notification_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}"
