"""The only row that takes places, of one session, from the hold to the end."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models.functions import Lower, Now

from config.kit.ids import uuid7
from config.kit.tokens import make_token
from config.kit.transitions import Transitions
from config.tenants.models import Organization, TenantModel
from scheduling.models.activity import Extra
from scheduling.models.session import Session


class ReservationQuerySet(models.QuerySet["Reservation"]):
    """Reservations by state and time."""

    def held(self) -> Self:
        """Those that keep places for a buyer, lapsed ones too until they are reclaimed."""
        return self.filter(status=Reservation.Status.HELD)

    def of_basket(self, basket: object) -> Self:
        """Those bought together, in the order in which their sessions are locked."""
        return self.filter(basket=basket).order_by("session_id", "id")


class Reservation(TenantModel):
    """Places of one session, for one party. The quote is stored with it and honoured while it is held."""

    class Status(models.TextChoices):
        HELD = "held"
        CONFIRMED = "confirmed"
        RELEASED = "released"
        EXPIRED = "expired"

    TRANSITIONS = Transitions(
        initial=frozenset({Status.HELD}),
        moves={
            Status.HELD: frozenset({Status.CONFIRMED, Status.RELEASED, Status.EXPIRED}),
            Status.CONFIRMED: frozenset({Status.RELEASED}),
        },
    )

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    session = models.ForeignKey(
        Session, on_delete=models.PROTECT, related_name="reservations", db_constraint=False, db_index=False
    )
    basket = models.UUIDField(default=uuid7)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.HELD)
    party_size = models.PositiveIntegerField()  # people
    places = models.PositiveIntegerField()  # what they take of the session
    email = models.EmailField()
    currency = models.CharField(max_length=3)
    amount_minor = models.PositiveIntegerField()
    quote = models.JSONField()  # [{unit or extra, name, count, amount_minor, why}]
    held_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    extended = models.BooleanField(default=False)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)  # released or expired
    token_version = models.PositiveSmallIntegerField(default=1)
    # A permitted person put it beyond the capacity, with a reason: the mark stays for good.
    overbooked = models.BooleanField(db_default=False, default=False, editable=False)

    objects = ReservationQuerySet.as_manager()

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(status__in=["held", "confirmed", "released", "expired"]),
                name="reservation_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(places__gte=1, party_size__gte=1), name="reservation_takes_places"
            ),
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="reservation_email_is_lower"),
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("held_at")), name="reservation_expires_after_start"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["held", "confirmed"], ended_at=None)
                | models.Q(status__in=["released", "expired"], ended_at__isnull=False),
                name="reservation_end_has_a_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="confirmed") | models.Q(confirmed_at__isnull=False),
                name="reservation_confirmed_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["basket"], name="reservation_by_basket"),
            models.Index(
                fields=["session", "expires_at"], condition=models.Q(status="held"), name="reservation_held_by_session"
            ),
            models.Index(fields=["session"], condition=models.Q(status="confirmed"), name="reservation_confirmed"),
        ]

    def __str__(self) -> str:
        return f"{self.party_size} in {self.session_id}, {self.status}"

    def is_held(self, *, at: datetime) -> bool:
        """Does it still bind? A lapsed one keeps its places until they are reclaimed, but promises nothing."""
        return self.status == self.Status.HELD and self.expires_at > at

    @property
    def token(self) -> str:
        """What proves to whom it belongs."""
        return make_token(purpose="reservation", subject=self.id, version=self.token_version)

    @property
    def basket_token(self) -> str:
        """What lets its holder put more into the basket, and buy it."""
        return make_token(purpose="basket", subject=self.basket)


class ReservationExtra(TenantModel):
    """So many of one extra, with a reservation: taken while the reservation is held or confirmed, never longer.

    There is no counter: a trigger locks the session and adds up, so that no writer can take more than the stock.
    """

    reservation = models.ForeignKey(
        Reservation, on_delete=models.PROTECT, related_name="extras", db_constraint=False, db_index=False
    )
    extra = models.ForeignKey(Extra, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    count = models.PositiveIntegerField()
    amount_minor = models.PositiveIntegerField()

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["reservation", "extra"], name="reservation_extra_once"),
            models.CheckConstraint(condition=models.Q(count__gte=1), name="reservation_extra_counts"),
        ]

    def __str__(self) -> str:
        return f"{self.count} of {self.extra_id}"
