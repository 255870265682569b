"""The people: who books, and who comes."""

from django.db import models
from django.db.models.functions import Lower, Now

from config.tenants.models import TenantModel


class Customer(TenantModel):
    """Who books with one organization, known by e-mail address without case."""

    email = models.EmailField()
    name = models.CharField(max_length=200)
    phone = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "email"], name="customer_once"),
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="customer_email_is_lower"),
        ]

    def __str__(self) -> str:
        return self.name


class Participant(TenantModel):
    """Who comes: the customer, or somebody of theirs."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="participants", db_constraint=False)
    name = models.CharField(max_length=200)
    birth_date = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return self.name
