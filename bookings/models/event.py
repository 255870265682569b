"""What happened to a booking."""

from django.db import models

from bookings.models.booking import Booking
from config.kit.facts import ActorKind, Fact, FactDetail
from config.tenants.models import Organization, TenantModel


class BookingEvent(Fact):
    """A fact about a booking; a chain per booking."""

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    booking = models.ForeignKey(
        Booking, on_delete=models.PROTECT, related_name="events", db_constraint=False, db_index=False
    )

    class Meta:
        ordering = ["booking", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="booking_event_tenant"),
            models.UniqueConstraint(fields=["booking", "seq"], name="booking_event_seq_once"),
            models.CheckConstraint(
                condition=models.Q(actor_kind__in=[kind.value for kind in ActorKind]), name="booking_event_actor_known"
            ),
            # The system never cancels a booking: a person, or a policy that a person switched on, stands behind it.
            models.CheckConstraint(
                condition=~models.Q(from_status="confirmed", actor_kind="system") | models.Q(to_status="confirmed"),
                name="booking_event_system_never_ends",
            ),
        ]
        indexes = [models.Index(fields=["kind", "id"], name="booking_event_by_kind")]  # how the fan-out looks

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class BookingEventDetail(FactDetail, TenantModel):
    """The erasable side of a fact: address, browser, free text. The chain covers their salted digest, not them."""

    event = models.OneToOneField(BookingEvent, on_delete=models.PROTECT, related_name="detail", db_constraint=False)

    class Meta(TenantModel.Meta):
        pass
