"""A price rule that customers bring along."""

from django.db import models
from django.db.models.functions import Now, Upper

from bookings.models.booking import Booking
from bookings.models.customer import Customer
from config.tenants.models import TenantModel
from scheduling.models import Activity


class PromoCode(TenantModel):
    """So many percent, or so much, off a booking. What it gives does not change once it is used; it can be ended."""

    code = models.CharField(max_length=40)
    percent = models.PositiveSmallIntegerField(null=True, blank=True)  # of the lines that it is for …
    amount_minor = models.PositiveIntegerField(null=True, blank=True)  # … or so much, never more than they cost
    currency = models.CharField(max_length=3)  # of the amount, and of the minimum
    activities = models.ManyToManyField(Activity, through="PromoActivity", related_name="+", blank=True)  # none: all
    starts_at = models.DateTimeField(null=True, blank=True)  # when it may be used
    ends_at = models.DateTimeField(null=True, blank=True)
    minimum_minor = models.PositiveIntegerField(default=0)  # of the lines that it is for
    most_uses = models.PositiveIntegerField(null=True, blank=True)
    most_uses_each = models.PositiveIntegerField(null=True, blank=True)  # per customer
    uses = models.PositiveIntegerField(default=0, editable=False)  # live ones; written by services/promo_codes.py
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["organization", "code"], condition=models.Q(ended_at=None), name="promo_code_once"
            ),
            models.CheckConstraint(condition=models.Q(code=Upper("code")), name="promo_code_is_upper"),
            models.CheckConstraint(condition=models.Q(code__regex=r"^[A-Z0-9-]{3,40}$"), name="promo_code_form"),
            models.CheckConstraint(
                condition=models.Q(percent__range=(1, 100), amount_minor=None)
                | models.Q(percent=None, amount_minor__gte=1),
                name="promo_code_gives_one_thing",
            ),
            models.CheckConstraint(
                condition=models.Q(most_uses=None) | models.Q(uses__lte=models.F("most_uses")),
                name="promo_code_uses_within",
            ),
            models.CheckConstraint(
                condition=models.Q(starts_at=None) | models.Q(ends_at=None)
                | models.Q(ends_at__gt=models.F("starts_at")),
                name="promo_code_window_in_order",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.code


class PromoActivity(TenantModel):
    """That a code is for an activity."""

    promo_code = models.ForeignKey(
        PromoCode, on_delete=models.PROTECT, related_name="links", db_constraint=False, db_index=False
    )
    activity = models.ForeignKey(Activity, on_delete=models.PROTECT, related_name="+", db_constraint=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["promo_code", "activity"], name="promo_activity_once"),
        ]

    def __str__(self) -> str:
        return f"{self.promo_code_id} for {self.activity_id}"


class PromoUse(TenantModel):
    """That a booking used a code, and what it gave. A booking that came to nothing gives its use back."""

    promo_code = models.ForeignKey(PromoCode, on_delete=models.PROTECT, related_name="used", db_constraint=False)
    booking = models.OneToOneField(Booking, on_delete=models.PROTECT, related_name="promo_use", db_constraint=False)
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    code = models.CharField(max_length=40)  # as it was then …
    percent = models.PositiveSmallIntegerField(null=True, blank=True)  # … and what it gave
    amount_minor = models.PositiveIntegerField()  # off the whole booking, when it was made
    at = models.DateTimeField(db_default=Now(), editable=False)
    released_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(TenantModel.Meta):
        constraints = [*TenantModel.Meta.constraints]

    def __str__(self) -> str:
        return f"{self.code} on {self.booking_id}"
