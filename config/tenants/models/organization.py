"""Who owns."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from config.kit.facts import ChainHead
from config.kit.ids import uuid7

# Addresses of ours at the root: no organization may take such a name.
RESERVED_SLUGS = (
    "admin", "api", "bookings", "calendar", "checkout", "embed", "events", "health", "livez", "metrics", "octo",
    "pay", "readyz", "resume", "staff", "static", "waitlist", "ws",
)  # fmt: skip


class Language(models.TextChoices):
    """What customers are written to in; ISO 639-1."""

    ENGLISH = "en", "English"
    GERMAN = "de", "Deutsch"


class Organization(ChainHead, models.Model):
    """The tenant: a school or an operator; owns everything below it."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"

    class OutcomePolicy(models.TextChoices):
        BY_STAFF = "by_staff", "staff say so, one by one"
        COMPLETED = "completed", "who was expected has come"
        NO_SHOW = "no_show", "who was not checked in has not come"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=60, unique=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    currency = models.CharField(max_length=3, default="GBP")  # ISO 4217; what it settles in
    # That it takes besides.
    other_currencies = ArrayField(models.CharField(max_length=3), default=list, db_default=[], blank=True)
    language = models.CharField(max_length=5, choices=Language.choices, default=Language.ENGLISH, db_default="en")
    # Below this age somebody who may must consent; None: nobody is asked.
    consent_under_age = models.PositiveSmallIntegerField(null=True, blank=True)
    # What becomes, at a session's end, of those nobody has said anything about. Switched on by a person, never by us.
    outcome_policy = models.CharField(
        max_length=10, choices=OutcomePolicy.choices, default=OutcomePolicy.BY_STAFF, db_default="by_staff"
    )
    retention_days = models.PositiveIntegerField(default=1095, db_default=1095)  # personal data, after the last session
    reminder_hours = models.PositiveSmallIntegerField(default=24, db_default=24)  # before the start; 0: none
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["active", "suspended"]), name="organization_status_known"
            ),
            models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="organization_currency_iso"),
            models.CheckConstraint(
                condition=models.Q(slug__regex=r"^[a-z0-9]+(-[a-z0-9]+)*$"), name="organization_slug_form"
            ),
            models.CheckConstraint(condition=~models.Q(slug__in=RESERVED_SLUGS), name="organization_slug_not_reserved"),
            models.CheckConstraint(condition=models.Q(language__in=["en", "de"]), name="organization_language_known"),
            models.CheckConstraint(
                condition=models.Q(outcome_policy__in=["by_staff", "completed", "no_show"]),
                name="organization_outcome_policy_known",
            ),
            models.CheckConstraint(condition=models.Q(retention_days__gte=30), name="organization_retention_sane"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def currencies(self) -> list[str]:
        """The currencies in which it sells, the one that it settles in first."""
        return [self.currency, *(other for other in self.other_currencies if other != self.currency)]

    @property
    def is_active(self) -> bool:
        """May it sell?"""
        return self.status == self.Status.ACTIVE


class TenantModel(models.Model):
    """A row that belongs to an organization; (organization, id) is what its children's composite keys point at."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="%(app_label)s_%(class)s_tenant"),
        ]
