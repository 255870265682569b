"""What is sold, and to whom."""

from typing import Self

from django.db import models

from config.kit.transitions import Transitions
from config.tenants.models import Organization, TenantModel
from scheduling.models.venue import Venue


class ActivityQuerySet(models.QuerySet["Activity"]):
    """Which activities the public may see."""

    def on_sale(self) -> Self:
        """Published, of an organization that is active."""
        return self.filter(status=Activity.Status.PUBLISHED, organization__status=Organization.Status.ACTIVE)


class Activity(TenantModel):
    """What is sold: places in a session, groups by level, instructor time or opening hours."""

    class Kind(models.TextChoices):
        OPEN = "open"
        COLLECTIVE = "collective"
        PRIVATE = "private"
        PASS = "pass"  # noqa: S105 opening hours, not a password

    class Status(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        DISCONTINUED = "discontinued"

    TRANSITIONS = Transitions(
        initial=frozenset({Status.DRAFT, Status.PUBLISHED}),
        moves={
            Status.DRAFT: frozenset({Status.PUBLISHED, Status.DISCONTINUED}),
            Status.PUBLISHED: frozenset({Status.DRAFT, Status.DISCONTINUED}),
            Status.DISCONTINUED: frozenset({Status.PUBLISHED}),
        },
    )

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="activities", db_index=False)
    venue = models.ForeignKey(Venue, on_delete=models.PROTECT, related_name="activities", db_constraint=False)
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80)
    summary = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.OPEN)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.DRAFT)
    currency = models.CharField(max_length=3, default="GBP")  # ISO 4217
    price_reference = models.CharField(max_length=100, blank=True)  # the payment provider's name for its price
    capacity = models.PositiveIntegerField(default=10)  # of a new session, when its schedule does not say
    hold_minutes = models.PositiveSmallIntegerField(default=10)
    opens_days_before = models.PositiveSmallIntegerField(default=365)
    closes_minutes_before = models.PositiveIntegerField(default=0)
    pay_on_arrival = models.BooleanField(default=False)

    objects = ActivityQuerySet.as_manager()

    class Meta(TenantModel.Meta):
        verbose_name_plural = "activities"
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "slug"], name="activity_slug_once"),
            models.CheckConstraint(
                condition=models.Q(kind__in=["open", "collective", "private", "pass"]), name="activity_kind_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["draft", "published", "discontinued"]), name="activity_status_known"
            ),
            models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="activity_currency_iso"),
            models.CheckConstraint(condition=models.Q(hold_minutes__range=(1, 60)), name="activity_hold_minutes_sane"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def price_from(self) -> int | None:
        """The price of the cheapest who takes a place, in minor units; its units are to be prefetched."""
        return min((unit.price_minor for unit in self.units.all() if unit.places), default=None)


class Unit(TenantModel):
    """A kind of participant: its price and the places it takes (adult 1, infant 0, family 4)."""

    activity = models.ForeignKey(Activity, on_delete=models.PROTECT, related_name="units", db_constraint=False)
    name = models.CharField(max_length=60)
    price_minor = models.PositiveIntegerField()  # minor units of the activity's currency
    places = models.PositiveSmallIntegerField(default=1)
    minimum_age = models.PositiveSmallIntegerField(null=True, blank=True)  # years
    maximum_age = models.PositiveSmallIntegerField(null=True, blank=True)
    is_default = models.BooleanField(default=False)  # what a bare party size is counted in
    position = models.PositiveSmallIntegerField(default=0)

    class Meta(TenantModel.Meta):
        ordering = ["position", "id"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["activity"],
                condition=models.Q(is_default=True),
                name="unit_one_default",
                include=["price_minor"],
            ),
            models.UniqueConstraint(fields=["activity", "name"], name="unit_name_once"),
            # So that a party of n counted in the default unit takes n places: the plain hold relies on it.
            models.CheckConstraint(
                condition=models.Q(is_default=False) | models.Q(places=1), name="unit_default_takes_one_place"
            ),
            models.CheckConstraint(
                condition=models.Q(minimum_age=None)
                | models.Q(maximum_age=None)
                | models.Q(minimum_age__lte=models.F("maximum_age")),
                name="unit_ages_in_order",
            ),
        ]

    def __str__(self) -> str:
        return self.name
