"""What happened to what is sold: timetables, closures, capacities, prices, overbooking."""

from django.db import models

from config.kit.facts import ActorKind, Fact, FactDetail
from config.tenants.models import Organization, TenantModel
from scheduling.models.activity import Activity


class ScheduleEvent(Fact):
    """A fact about an activity, or about sessions of it, which `before` and `after` name; a chain per activity."""

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    activity = models.ForeignKey(
        Activity, on_delete=models.PROTECT, related_name="events", db_constraint=False, db_index=False
    )
    session_id = models.UUIDField(null=True, blank=True)  # when it is about one; a plain id: sessions are a hot table

    class Meta:
        ordering = ["activity", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="schedule_event_tenant"),
            models.UniqueConstraint(fields=["activity", "seq"], name="schedule_event_seq_once"),
            models.CheckConstraint(
                condition=models.Q(actor_kind__in=[kind.value for kind in ActorKind]), name="schedule_event_actor_known"
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "id"], name="schedule_event_by_kind"),  # how the fan-out looks
            models.Index(fields=["session_id"], condition=models.Q(session_id__isnull=False), name="schedule_event_of"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class ScheduleEventDetail(FactDetail, TenantModel):
    """The erasable side of a fact: address, browser, free text such as a reason in staff's words."""

    event = models.OneToOneField(ScheduleEvent, on_delete=models.PROTECT, related_name="detail", db_constraint=False)

    class Meta(TenantModel.Meta):
        pass
