"""Which fact was handed over to which consumer."""

from django.db import models
from django.db.models.functions import Now

from config.kit.ids import uuid7
from config.tenants.models import Organization


class Handled(models.Model):
    """That a consumer's effect of a fact is done: written in the transaction of that effect, once."""

    append_only = True

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    fact_id = models.UUIDField()  # of whichever table of facts: their ids are UUIDv7, unique across them
    consumer = models.CharField(max_length=40)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fact_id", "consumer"], name="handled_once")]

    def __str__(self) -> str:
        return f"{self.fact_id} by {self.consumer}"
