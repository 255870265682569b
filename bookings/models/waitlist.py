"""Who waits for a full session, and what became of it."""

from django.db import models
from django.db.models.functions import Lower, Now

from bookings.models.booking import Booking
from config.kit.facts import ActorKind, ChainHead, Fact, FactDetail
from config.kit.tokens import make_token
from config.kit.transitions import Transitions
from config.tenants.models import Language, Organization, TenantModel
from scheduling.models import Activity, Reservation, Session


class WaitlistEntry(ChainHead, TenantModel):
    """A party waiting for one of up to five sessions; its offer is a reservation of its size."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        OFFERED = "offered"
        CONVERTED = "converted"
        LAPSED = "lapsed"
        LEFT = "left"

    class Kind(models.TextChoices):
        WAITLIST = "waitlist"
        NEXT_IN_LINE = "next", "next in line"  # behind somebody's hold: what lapses is held for them at once

    TRANSITIONS = Transitions(
        initial=frozenset({Status.WAITING}),
        moves={
            Status.WAITING: frozenset({Status.OFFERED, Status.LAPSED, Status.LEFT}),
            Status.OFFERED: frozenset({Status.CONVERTED, Status.LAPSED, Status.LEFT}),
        },
    )

    activity = models.ForeignKey(Activity, on_delete=models.PROTECT, related_name="waitlist", db_constraint=False)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.WAITLIST)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    priority = models.SmallIntegerField(default=0)  # set by staff; the higher one is asked first, then the earlier one
    email = models.EmailField()
    name = models.CharField(max_length=200)
    phone = models.CharField(max_length=40, blank=True)
    language = models.CharField(max_length=5, choices=Language.choices, default=Language.ENGLISH)
    units = models.JSONField(default=list)  # [{unit, count}]; what the party is made of
    party_size = models.PositiveIntegerField()  # people
    places = models.PositiveIntegerField()
    reservation = models.OneToOneField(
        Reservation, null=True, blank=True, on_delete=models.PROTECT, related_name="waitlist_entry", db_constraint=False
    )  # the offer
    booking = models.ForeignKey(
        Booking, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )  # what it was converted to
    joined_at = models.DateTimeField(db_default=Now(), editable=False)
    offered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    skips = models.PositiveIntegerField(default=0)  # how often somebody behind them fitted, and they did not
    token_version = models.PositiveSmallIntegerField(default=1, editable=False)

    class Meta(TenantModel.Meta):
        verbose_name_plural = "waitlist entries"
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(condition=models.Q(kind__in=["waitlist", "next"]), name="waitlist_kind_known"),
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="waitlist_email_is_lower"),
            models.CheckConstraint(condition=models.Q(places__gte=1, party_size__gte=1), name="waitlist_is_somebody"),
            models.CheckConstraint(
                condition=~models.Q(status="offered") | models.Q(reservation__isnull=False, offered_at__isnull=False),
                name="waitlist_offer_is_a_reservation",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["waiting", "offered"], ended_at=None)
                | models.Q(status__in=["converted", "lapsed", "left"], ended_at__isnull=False),
                name="waitlist_end_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.party_size} waiting, {self.status}"

    @property
    def token(self) -> str:
        """What lets its holder look, accept and leave."""
        return make_token(purpose="waitlist", subject=self.id, version=self.token_version)


class WaitlistChoice(TenantModel):
    """A session that a waiting party would come to; `rank` 1 is what they would like best."""

    entry = models.ForeignKey(
        WaitlistEntry, on_delete=models.PROTECT, related_name="choices", db_constraint=False, db_index=False
    )
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="waiters", db_constraint=False)
    rank = models.PositiveSmallIntegerField()

    class Meta(TenantModel.Meta):
        ordering = ["rank"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["entry", "session"], name="waitlist_choice_once"),
            models.UniqueConstraint(fields=["entry", "rank"], name="waitlist_rank_once"),
            models.CheckConstraint(condition=models.Q(rank__range=(1, 5)), name="waitlist_five_choices"),
        ]

    def __str__(self) -> str:
        return f"{self.rank}: {self.session_id}"


class WaitlistEvent(Fact):
    """A fact about a waiting party; a chain per entry."""

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    entry = models.ForeignKey(
        WaitlistEntry, on_delete=models.PROTECT, related_name="events", db_constraint=False, db_index=False
    )

    class Meta:
        ordering = ["entry", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="waitlist_event_tenant"),
            models.UniqueConstraint(fields=["entry", "seq"], name="waitlist_event_seq_once"),
            models.CheckConstraint(
                condition=models.Q(actor_kind__in=[kind.value for kind in ActorKind]), name="waitlist_event_actor_known"
            ),
        ]
        indexes = [models.Index(fields=["kind", "id"], name="waitlist_event_by_kind")]  # how the fan-out looks

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class WaitlistEventDetail(FactDetail, TenantModel):
    """The erasable side of a fact."""

    event = models.OneToOneField(WaitlistEvent, on_delete=models.PROTECT, related_name="detail", db_constraint=False)

    class Meta(TenantModel.Meta):
        pass
