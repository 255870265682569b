"""The people: who books, and who comes."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower, Now

from config.tenants.models import Language, TenantModel


class Customer(TenantModel):
    """Who books with one organization, known by e-mail address without case."""

    email = models.EmailField()
    name = models.CharField(max_length=200)
    phone = models.CharField(max_length=40, blank=True)
    language = models.CharField(max_length=5, choices=Language.choices, default=Language.ENGLISH, db_default="en")
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)  # personal data is gone; the row stays
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
    level = models.PositiveSmallIntegerField(null=True, blank=True)  # 0 for those who begin
    languages = ArrayField(models.CharField(max_length=8), default=list, blank=True)  # BCP 47: "en", "de"
    notes = models.TextField(blank=True, db_default="", default="")  # what whoever teaches should know
    consent_by = models.CharField(max_length=200, blank=True, db_default="", default="")  # who may say so for a minor
    consent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(consent_at=None) | ~models.Q(consent_by=""), name="participant_consent_has_a_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name
