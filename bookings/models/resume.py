"""A way back to a basket, on another device or after a lost connection."""

from django.db import models
from django.db.models.functions import Now

from config.kit.tokens import make_token
from config.tenants.models import TenantModel


class ResumeLink(TenantModel):
    """Opens a basket once, until a time. The address holds its token; the row holds that it was used."""

    basket = models.UUIDField()
    email_digest = models.CharField(max_length=64)  # keyed: to whom it was sent
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("created_at")), name="resume_link_lasts_a_while"
            ),
        ]
        indexes = [models.Index(fields=["basket"], name="resume_link_by_basket")]

    def __str__(self) -> str:
        return f"to {self.basket}"

    @property
    def token(self) -> str:
        """What the address holds."""
        return make_token(purpose="resume", subject=self.id)
