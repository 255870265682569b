"""What happened to money."""

from django.db import models

from config.kit.facts import ActorKind, Fact, FactDetail
from config.tenants.models import Organization, TenantModel
from payments.models.payment import Payment


class PaymentEvent(Fact):
    """A fact about a payment, its refunds and its disputes; a chain per payment."""

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, related_name="history", db_constraint=False, db_index=False
    )

    class Meta:
        ordering = ["payment", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="payment_event_tenant"),
            models.UniqueConstraint(fields=["payment", "seq"], name="payment_event_seq_once"),
            models.CheckConstraint(
                condition=models.Q(actor_kind__in=[kind.value for kind in ActorKind]), name="payment_event_actor_known"
            ),
        ]
        indexes = [models.Index(fields=["kind", "id"], name="payment_event_by_kind")]  # how the fan-out looks

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class PaymentEventDetail(FactDetail, TenantModel):
    """The erasable side of a fact: address, browser, free text such as a reason in staff's words."""

    event = models.OneToOneField(PaymentEvent, on_delete=models.PROTECT, related_name="detail", db_constraint=False)

    class Meta(TenantModel.Meta):
        pass
