"""The one engine that says whether a party fits, and why not: for pages, widget, API, OCTO and staff.

It says yes if and only if a fresh customer's hold would succeed: free = total - booked - (held - lapsed), the session
open, and nobody waiting. `capacity_remaining` alone would call places taken that the next buyer may reclaim.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, F, IntegerField, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from config.kit.refusals import NotFound
from config.tenants.models import Organization
from scheduling.models import Activity, Session, Unit

# In customer words; the code is stable.
REASONS: Mapping[str, str] = {
    "not_on_sale": "This is not on sale at the moment.",
    "cancelled": "This session does not take place.",
    "session_closed": "The venue has closed this session for booking.",
    "not_open_yet": "Booking for this session has not opened yet.",
    "booking_closed": "Booking for this session has ended.",
    "waiting_list": "Others are waiting for this session and come first.",
    "full": "This session is full.",
    "not_enough_places": "There are not enough places left for your party.",
}

# Held places whose time is over: the next buyer reclaims them. The clock in a subquery is an index condition.
LAPSED = RawSQL(
    """CASE WHEN scheduling_session.places_held = 0 THEN 0 ELSE (
        SELECT coalesce(sum(r.places), 0)::int FROM scheduling_reservation r
        WHERE r.session_id = scheduling_session.id AND r.status = 'held'
            AND r.expires_at <= (SELECT clock_timestamp())) END""",
    (),
    output_field=IntegerField(),
)

FIELDS = (
    "id", "organization_id", "activity_id", "starts_at", "ends_at", "opens_at", "closes_at", "status", "is_legacy",
    "on_sale", "capacity_total", "capacity_remaining", "waiting", "version",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Availability:
    """The answer about one session, for one party."""

    session: Mapping[str, Any]  # FIELDS, with `free`, `price_minor`, `currency`, `timezone`, `now`
    reasons: tuple[str, ...] = field(default_factory=tuple)

    @property
    def is_available(self) -> bool:
        """Would the hold succeed?"""
        return not self.reasons

    @property
    def is_full(self) -> bool:
        """Derived, never stored."""
        return bool(self.session["free"] <= 0)

    @property
    def spots(self) -> int:
        """How many places a fresh customer could take."""
        blocked = [reason for reason in self.reasons if reason not in ("full", "not_enough_places")]
        return 0 if blocked else max(self.session["free"], 0)

    @property
    def status(self) -> str:
        """The session's own status, or the derived "full"."""
        status = str(self.session["status"])
        return "full" if status == Session.Status.PUBLISHED and self.is_full else status


def with_availability(sessions: QuerySet[Session]) -> QuerySet[Session, dict[str, Any]]:
    """Return rows with all that `judge` and the answers need, in one query."""
    default_price = Unit.objects.filter(activity=OuterRef("activity"), is_default=True).values("price_minor")
    rows: QuerySet[Session, dict[str, Any]] = sessions.annotate(
        lapsed=LAPSED,
        free=F("capacity_total") - F("places_held") - F("places_booked") + F("lapsed"),
        price=Coalesce("price_minor", Subquery(default_price)),
        currency=F("activity__currency"),
        timezone=F("activity__venue__timezone"),
        activity_status=F("activity__status"),
        is_sold=Case(When(organization__status=Organization.Status.ACTIVE, then=Value(True)), default=Value(False)),
        now=RawSQL("clock_timestamp()", ()),
    ).values(
        *FIELDS, "lapsed", "free", "price", "currency", "timezone", "activity_status", "is_sold", "now"
    )  # fmt: skip
    return rows


def judge(session: Mapping[str, Any], *, party_size: int = 1) -> Availability:
    """Say whether this party fits, with every reason that stands against it."""
    return Availability(session, tuple(_reasons(session, party_size)))


def _reasons(session: Mapping[str, Any], party_size: int) -> list[str]:
    now: datetime = session["now"]
    status = session["status"]
    found = {
        "not_on_sale": session["is_legacy"] or not session["on_sale"] or status == Session.Status.WITHDRAWN,
        "cancelled": status == Session.Status.CANCELLED,
        "session_closed": status in (Session.Status.CLOSED, Session.Status.COMPLETED),
        "not_open_yet": now < session["opens_at"],
        "booking_closed": now >= session["closes_at"],
        "waiting_list": session["waiting"] > 0,
        "full": session["free"] <= 0,
        "not_enough_places": 0 < session["free"] < party_size,
    }
    return [reason for reason, holds in found.items() if holds]


def check_slot_availability(
    *, session_id: UUID, party_size: int = 1, organization_id: UUID | None = None
) -> Availability:
    """Answer for one session, or raise NotFound: drafts and other tenants' sessions do not exist for the caller."""
    sessions = Session.objects.filter(id=session_id).exclude(activity__status=Activity.Status.DRAFT)
    if organization_id is not None:
        sessions = sessions.filter(organization=organization_id)
    session = with_availability(sessions).first()
    if session is None:
        raise NotFound
    return judge(session, party_size=party_size)
