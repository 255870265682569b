"""Kit's one table."""

from django.db import models


class IdempotencyKey(models.Model):
    """One effect of one request; see idempotency.py. A hot table: a plain organization_id, one index."""

    erasable = True  # kept for a day and swept: it protects retries, it is not a record of business

    id = models.UUIDField(primary_key=True, editable=False)
    organization_id = models.UUIDField()
    fingerprint = models.UUIDField()
    effect_id = models.UUIDField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.id)
