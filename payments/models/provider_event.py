"""The inbox: what providers told us, stored before anything is done with it."""

from django.db import models
from django.db.models.functions import Now

from config.tenants.models import TenantModel
from payments.models.account import ProviderAccount


class ProviderEvent(TenantModel):
    """One event of one account, once. Its payload keeps what the work needs: no name, no address, no card."""

    account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, related_name="events", db_constraint=False, db_index=False
    )
    event_id = models.CharField(max_length=120)  # evt_…
    kind = models.CharField(max_length=80)  # checkout.session.completed
    payload = models.JSONField()
    occurred_at = models.DateTimeField()  # the provider's clock
    received_at = models.DateTimeField(db_default=Now(), editable=False)
    applied_at = models.DateTimeField(null=True, blank=True, editable=False)
    tries = models.PositiveSmallIntegerField(default=0, editable=False)
    next_try_at = models.DateTimeField(null=True, blank=True, db_default=Now(), editable=False)  # None: applied
    last_error = models.CharField(max_length=300, blank=True, default="", editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["account", "event_id"], name="provider_event_once"),
            models.CheckConstraint(
                condition=models.Q(applied_at=None) | models.Q(next_try_at=None), name="provider_event_applied_is_done"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"], condition=models.Q(next_try_at__isnull=False), name="provider_event_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
