"""What happened to an organization as a whole."""

from django.db import models

from config.kit.facts import ActorKind, Fact, FactDetail
from config.tenants.models.organization import Organization, TenantModel


class OrganizationEvent(Fact):
    """A fact about an organization as a whole: its terms, who may act, its accounts, vouchers and promo codes."""

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="history", db_index=False, db_constraint=False
    )

    class Meta:
        ordering = ["organization", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="organization_event_tenant"),
            models.UniqueConstraint(fields=["organization", "seq"], name="organization_event_seq_once"),
            models.CheckConstraint(
                condition=models.Q(actor_kind__in=[kind.value for kind in ActorKind]),
                name="organization_event_actor_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class OrganizationEventDetail(FactDetail, TenantModel):
    """The erasable side of a fact: address, browser, free text such as a reason in staff's words."""

    event = models.OneToOneField(
        OrganizationEvent, on_delete=models.PROTECT, related_name="detail", db_constraint=False
    )

    class Meta(TenantModel.Meta):
        pass
