"""Our ledger beside the bank's statement."""

from django.db import models
from django.db.models.functions import Now

from config.tenants.models import TenantModel
from payments.models.account import ProviderAccount


class Reconciliation(TenantModel):
    """One comparison: what was read, what differed, and what was healed by it."""

    append_only = True

    account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, related_name="reconciliations", db_constraint=False
    )
    since = models.DateTimeField()
    until = models.DateTimeField()
    checked = models.PositiveIntegerField()  # movements of the statement
    # [{kind, ref, currency, ours_minor, theirs_minor, healed}]
    differences = models.JSONField(default=list)
    open_count = models.PositiveIntegerField()  # differences that a person must look at
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["created_at"], condition=models.Q(open_count__gt=0), name="reconciliation_open")
        ]

    def __str__(self) -> str:
        return f"{self.checked} movements, {self.open_count} differences"
