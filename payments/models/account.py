"""An organization's account with a payment provider."""

from django.db import models
from django.db.models.functions import Now

from config.kit.secrets import open_secret, seal_secret
from config.tenants.models import TenantModel


class ProviderName(models.TextChoices):
    """Who moves the money; each is a module of payments/providers/."""

    STRIPE = "stripe", "Stripe"
    ON_ARRIVAL = "on_arrival", "At the desk"
    VOUCHER = "voucher", "Voucher"


class ProviderAccount(TenantModel):
    """What is needed to take an organization's money at a provider. Its secrets are sealed; nobody is shown them."""

    provider = models.CharField(max_length=12, choices=ProviderName.choices, default=ProviderName.STRIPE)
    account_ref = models.CharField(max_length=80, blank=True)  # the provider's name for it: acct_…
    sealed_key = models.TextField(editable=False)  # the API key
    sealed_webhook_secret = models.TextField(editable=False)
    # The secret before the last rotation, good until then: no event is lost while both are in use.
    sealed_former_secret = models.TextField(blank=True, default="", editable=False)
    former_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
    endpoint_ref = models.CharField(max_length=80, blank=True)  # the provider's name for our webhook: we_…
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)  # takes no new payments; old ones go on
    reconciled_until = models.DateTimeField(null=True, blank=True, editable=False)  # the bank's statement was read to

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["organization", "provider"], condition=models.Q(ended_at=None), name="provider_account_once"
            ),
            models.CheckConstraint(condition=models.Q(provider="stripe"), name="provider_account_provider_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} {self.account_ref}".strip()

    @property
    def api_key(self) -> str:
        """The key, for the provider's client alone."""
        return open_secret(self.sealed_key)

    @api_key.setter
    def api_key(self, key: str) -> None:
        self.sealed_key = seal_secret(key)
