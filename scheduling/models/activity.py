"""What is sold, and to whom."""

from typing import Self

from django.db import models

from config.kit.facts import ChainHead
from config.kit.transitions import Transitions
from config.tenants.models import Organization, TenantModel
from scheduling.models.venue import Venue


class ActivityQuerySet(models.QuerySet["Activity"]):
    """Which activities the public may see."""

    def on_sale(self) -> Self:
        """Published, of an organization that is active."""
        return self.filter(status=Activity.Status.PUBLISHED, organization__status=Organization.Status.ACTIVE)


class Activity(ChainHead, TenantModel):
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
    closes_minutes_before = models.PositiveIntegerField(default=0)  # the start; of a pass, the end
    notice_days = models.PositiveSmallIntegerField(db_default=0, default=0)  # 1: until the end of the day before
    smallest_party = models.PositiveSmallIntegerField(db_default=1, default=1)  # people
    largest_party = models.PositiveSmallIntegerField(null=True, blank=True)
    # Terms for who has booked; what they cost stands in bookings/policies.py.
    customers_may_change = models.BooleanField(db_default=True, default=True)
    change_until_minutes = models.PositiveIntegerField(db_default=1440, default=1440)  # before the start
    change_fee_minor = models.PositiveIntegerField(db_default=0, default=0)  # for each change of time or date
    customers_may_transfer = models.BooleanField(db_default=True, default=True)
    customers_may_cancel = models.BooleanField(db_default=True, default=True)
    cancel_until_minutes = models.PositiveIntegerField(db_default=1440, default=1440)  # before the start …
    cancel_fee_percent = models.PositiveSmallIntegerField(db_default=0, default=0)  # … this is kept of the price;
    late_cancel_fee_percent = models.PositiveSmallIntegerField(db_default=100, default=100)  # later, this
    waitlist_open = models.BooleanField(db_default=True, default=True)
    offer_minutes = models.PositiveSmallIntegerField(db_default=30, default=30)  # for which an offer is kept
    # One statement can decide a bare party: no dated prices, no limits on its size. Kept true by catalogue.py.
    plain_hold = models.BooleanField(db_default=True, default=True, editable=False)
    pay_on_arrival = models.BooleanField(default=False)
    # To be paid online at once, in percent of the price; the rest is due so many days before the start. None: all.
    deposit_percent = models.PositiveSmallIntegerField(null=True, blank=True)
    balance_days = models.PositiveSmallIntegerField(db_default=14, default=14)

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
            models.CheckConstraint(
                condition=models.Q(deposit_percent=None) | models.Q(deposit_percent__range=(1, 99)),
                name="activity_deposit_percent_sane",
            ),
            models.CheckConstraint(
                condition=models.Q(smallest_party__gte=1)
                & (models.Q(largest_party=None) | models.Q(largest_party__gte=models.F("smallest_party"))),
                name="activity_party_sizes_in_order",
            ),
            models.CheckConstraint(
                condition=models.Q(cancel_fee_percent__lte=models.F("late_cancel_fee_percent"))
                & models.Q(late_cancel_fee_percent__lte=100),
                name="activity_fees_sane",
            ),
            models.CheckConstraint(
                condition=models.Q(offer_minutes__range=(1, 1440)), name="activity_offer_minutes_sane"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_pass(self) -> bool:
        """Is it sold by the day: one session from opening to closing, to come and go as one likes?"""
        return self.kind == self.Kind.PASS

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
    minimum_count = models.PositiveSmallIntegerField(db_default=0, default=0)  # of a party that has any of them
    maximum_count = models.PositiveSmallIntegerField(null=True, blank=True)
    needs_accompaniment = models.BooleanField(db_default=False, default=False)  # by a unit that can accompany
    can_accompany = models.BooleanField(db_default=False, default=False)
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
            models.CheckConstraint(
                condition=models.Q(maximum_count=None) | models.Q(maximum_count__gte=models.F("minimum_count")),
                name="unit_counts_in_order",
            ),
            models.CheckConstraint(
                condition=models.Q(needs_accompaniment=False) | models.Q(can_accompany=False),
                name="unit_accompanies_or_is_accompanied",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Extra(TenantModel):
    """Something to have beside the places: a locker, a photograph. It takes no place; its stock is the session's."""

    activity = models.ForeignKey(Activity, on_delete=models.PROTECT, related_name="extras", db_constraint=False)
    name = models.CharField(max_length=60)
    summary = models.CharField(max_length=200, blank=True)
    price_minor = models.PositiveIntegerField()  # minor units of the activity's currency
    stock_per_session = models.PositiveIntegerField(null=True, blank=True)  # None: as many as are asked for
    maximum_per_party = models.PositiveSmallIntegerField(null=True, blank=True)
    is_offered = models.BooleanField(default=True)  # taken off the list, it stays with those who have it
    position = models.PositiveSmallIntegerField(default=0)

    class Meta(TenantModel.Meta):
        ordering = ["position", "id"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["activity", "name"], name="extra_name_once"),
        ]

    def __str__(self) -> str:
        return self.name
