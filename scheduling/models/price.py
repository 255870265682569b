"""What a unit costs when that is not its own price, and the dated rules that move prices."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from config.tenants.models import TenantModel, User
from scheduling.models.activity import Activity, Unit
from scheduling.models.schedule import ScheduleVersion
from scheduling.models.session import Session

EACH_WEEKDAY_ONCE = models.Q(weekdays__contained_by=[0, 1, 2, 3, 4, 5, 6])


class UnitPrice(TenantModel):
    """What a unit costs under one version of the timetable, or in one session; the session's goes before."""

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="own_prices", db_constraint=False)
    schedule = models.ForeignKey(
        ScheduleVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="prices", db_constraint=False
    )
    session = models.ForeignKey(
        Session, null=True, blank=True, on_delete=models.PROTECT, related_name="prices", db_constraint=False
    )
    price_minor = models.PositiveIntegerField()  # minor units of the activity's currency

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["unit", "schedule"], name="unit_price_of_version_once"),
            models.UniqueConstraint(fields=["unit", "session"], name="unit_price_of_session_once"),
            models.CheckConstraint(
                condition=models.Q(schedule=None, session__isnull=False)
                | models.Q(schedule__isnull=False, session=None),
                name="unit_price_of_version_or_session",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.price_minor} for {self.unit_id}"


class PriceRule(TenantModel):
    """A dated rule: when it applies, and what it does to a price. Never edited: it is ended, and another begins.

    Conditions left open apply always; of a pair both ends are included, but for percentages and minutes, where the
    second is excluded. Days and times are the session's, by the venue's clock; `taken` is what is taken of the
    session before this party; `lead` is the time from the booking to the start.
    """

    activity = models.ForeignKey(Activity, on_delete=models.PROTECT, related_name="price_rules", db_constraint=False)
    unit = models.ForeignKey(
        Unit, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )  # None: every unit
    name = models.CharField(max_length=60)  # in customer words: "Weekend"
    position = models.PositiveSmallIntegerField(default=0)  # applied in this order, each on what the one before left
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)  # 0 = Monday; empty: all
    first_date = models.DateField(null=True, blank=True)
    last_date = models.DateField(null=True, blank=True)
    from_time = models.TimeField(null=True, blank=True)
    to_time = models.TimeField(null=True, blank=True)
    lead_minutes_from = models.PositiveIntegerField(null=True, blank=True)
    lead_minutes_to = models.PositiveIntegerField(null=True, blank=True)
    taken_percent_from = models.PositiveSmallIntegerField(null=True, blank=True)
    taken_percent_to = models.PositiveSmallIntegerField(null=True, blank=True)
    percent = models.SmallIntegerField(null=True, blank=True)  # +20, -50
    amount_minor = models.IntegerField(null=True, blank=True)  # added to the price of one; a price ends at 0
    price_minor = models.PositiveIntegerField(null=True, blank=True)  # in place of the price of one
    author = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(TenantModel.Meta):
        ordering = ["position", "id"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(condition=EACH_WEEKDAY_ONCE, name="price_rule_weekdays_known"),
            models.CheckConstraint(
                condition=models.Q(percent__isnull=False, amount_minor=None, price_minor=None)
                | models.Q(percent=None, amount_minor__isnull=False, price_minor=None)
                | models.Q(percent=None, amount_minor=None, price_minor__isnull=False),
                name="price_rule_does_one_thing",
            ),
            models.CheckConstraint(
                condition=models.Q(percent=None) | models.Q(percent__range=(-100, 1000)), name="price_rule_percent_sane"
            ),
            *(
                models.CheckConstraint(
                    condition=models.Q(**{first: None})
                    | models.Q(**{last: None})
                    | models.Q(**{f"{first}__lte": models.F(last)}),
                    name=f"price_rule_{name}_in_order",
                )
                for name, first, last in (
                    ("dates", "first_date", "last_date"),
                    ("times", "from_time", "to_time"),
                    ("lead", "lead_minutes_from", "lead_minutes_to"),
                    ("taken", "taken_percent_from", "taken_percent_to"),
                )
            ),
        ]
        indexes = [
            models.Index(fields=["activity"], condition=models.Q(ended_at=None), name="price_rule_in_force"),
        ]

    def __str__(self) -> str:
        return self.name
