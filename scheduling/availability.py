"""The one engine that says whether a party fits, and why not: for pages, widget, API, OCTO and staff.

It says yes if and only if a fresh customer's hold would succeed: free = total - booked - (held - lapsed), the session
open, nobody waiting, and the party of a size that may come. `capacity_remaining` alone would call places taken that
the next buyer may reclaim. While lapsed places are being handed on to those who wait, it says no a moment too long.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, F, FilteredRelation, IntegerField, Q, QuerySet, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from config.kit.compiled import Compiled
from config.kit.refusals import NotFound
from config.tenants.models import Organization
from scheduling.models import Activity, Session
from scheduling.price_lists import PriceList, price_lists
from scheduling.reasons import ABOUT_PARTY, ABOUT_ROOM, BY_CODE, REASONS, Reason

__all__ = ["REASONS", "Availability", "Reason", "check_slot_availability", "judge", "with_availability"]

# Held places whose time is over: the next buyer reclaims them. The clock in a subquery is an index condition.
LAPSED = RawSQL(
    """CASE WHEN scheduling_session.places_held = 0 THEN 0 ELSE (
        SELECT coalesce(sum(r.places), 0)::int FROM scheduling_reservation r
        WHERE r.session_id = scheduling_session.id AND r.status = 'held'
            AND r.expires_at <= (SELECT clock_timestamp())) END""",
    (),
    output_field=IntegerField(),
)

# The words of a closure that took a session out of the timetable; nobody asks for a session that is in it.
CLOSURE = RawSQL(
    """CASE WHEN scheduling_session.is_legacy OR scheduling_session.status = 'withdrawn' THEN (
        SELECT e.reason FROM scheduling_activity xa JOIN scheduling_venue xv ON xv.id = xa.venue_id
        JOIN scheduling_scheduleexception e ON e.kind = 'closure' AND e.lifted_at IS NULL
            AND (e.venue_id = xv.id OR e.activity_id = xa.id)
            AND e.last_date >= (scheduling_session.starts_at AT TIME ZONE xv.timezone)::date - 1
        CROSS JOIN LATERAL generate_series(
            greatest(e.first_date, (scheduling_session.starts_at AT TIME ZONE xv.timezone)::date - 1)::timestamp,
            least(e.last_date, (scheduling_session.ends_at AT TIME ZONE xv.timezone)::date)::timestamp,
            interval '1 day') AS d(day)
        WHERE xa.id = scheduling_session.activity_id
            AND scheduling_session.ends_at > (d.day + coalesce(e.from_time, '00:00')) AT TIME ZONE xv.timezone
            AND scheduling_session.starts_at < (d.day + coalesce(e.to_time, '00:00') + CASE
                WHEN e.to_time IS NULL OR e.to_time <= e.from_time THEN interval '1 day' ELSE interval '0' END
                ) AT TIME ZONE xv.timezone
        ORDER BY e.id LIMIT 1) END""",
    (),
    output_field=CharField(),
)

FIELDS = (
    "id", "organization_id", "activity_id", "schedule_id", "starts_at", "ends_at", "opens_at", "closes_at", "status",
    "is_legacy", "on_sale", "price_minor", "capacity_total", "capacity_remaining", "places_held", "places_booked",
    "waiting", "version",
)  # fmt: skip
JOINED = {
    "activity_name": F("activity__name"),
    "activity_slug": F("activity__slug"),
    "kind": F("activity__kind"),
    "currency": F("activity__currency"),
    "timezone": F("activity__venue__timezone"),
    "activity_status": F("activity__status"),
    "plain_hold": F("activity__plain_hold"),
    "waitlist_open": F("activity__waitlist_open"),
    "smallest_party": F("activity__smallest_party"),
    "largest_party": F("activity__largest_party"),
    "default_unit": F("unit__id"),
    "default_minimum": F("unit__minimum_count"),
    "default_maximum": F("unit__maximum_count"),
    "default_in_company": F("unit__needs_accompaniment"),
}


@dataclass(frozen=True, slots=True)
class Availability:
    """The answer about one session, for one party."""

    session: Mapping[str, Any]  # a row of `with_availability`, its price by the price list
    causes: tuple[Reason, ...] = field(default_factory=tuple)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The codes for customers and programs, each once."""
        return tuple(dict.fromkeys(cause.public or cause.code for cause in self.causes))

    @property
    def words(self) -> dict[str, str]:
        """Customer words by those codes."""
        return {cause.public or cause.code: cause.customer for cause in self.causes}

    @property
    def is_available(self) -> bool:
        """Would the hold succeed?"""
        return not self.causes

    @property
    def is_full(self) -> bool:
        """Derived, never stored."""
        return bool(self.session["free"] <= 0)

    @property
    def blocked(self) -> tuple[str, ...]:
        """What stands against any party, whatever room there is."""
        found = self.reasons
        return tuple(code for code in found if code not in ABOUT_ROOM and code not in ABOUT_PARTY)

    @property
    def can_wait(self) -> bool:
        """Is it only room that is missing, and does the activity keep a waiting list?"""
        found = set(self.reasons)
        return bool(found and found <= {*ABOUT_ROOM, "waiting_list"} and self.session["waitlist_open"])

    @property
    def is_party_unfit(self) -> bool:
        """Is the party of a size that may not come at all, here or at another time?"""
        return any(code in ABOUT_PARTY for code in self.reasons)

    @property
    def spots(self) -> int:
        """How many places a fresh customer could take."""
        return 0 if self.blocked else max(self.session["free"], 0)

    @property
    def status(self) -> str:
        """The session's own status, or the derived "full"."""
        status = str(self.session["status"])
        return "full" if status == Session.Status.PUBLISHED and self.is_full else status


# Rows -------------------------------------------------------------------------------------------------------------


def with_availability(sessions: QuerySet[Session]) -> QuerySet[Session, dict[str, Any]]:
    """Return rows with all that `judge` and the answers need, in one query; `priced` completes their prices."""
    rows: QuerySet[Session, dict[str, Any]] = sessions.annotate(
        unit=FilteredRelation("activity__units", condition=Q(activity__units__is_default=True)),
        lapsed=LAPSED,
        free=F("capacity_total") - F("places_held") - F("places_booked") + F("lapsed"),
        price=Coalesce("price_minor", "unit__price_minor"),
        is_sold=Case(When(organization__status=Organization.Status.ACTIVE, then=Value(True)), default=Value(False)),
        closure=CLOSURE,
        now=RawSQL("clock_timestamp()", ()),
        **JOINED,
    ).values(*FIELDS, "lapsed", "free", "price", "is_sold", "closure", "now", *JOINED)
    return rows


PriceLists = Callable[[set[UUID]], Mapping[UUID, PriceList]]


def priced(rows: list[dict[str, Any]], prices: PriceLists = price_lists) -> list[dict[str, Any]]:
    """Give each row the price of its default unit by the price list, where the row alone cannot tell."""
    moving = {row["activity_id"] for row in rows if not row["plain_hold"]}
    if not moving:
        return rows
    lists = prices(moving)
    return [row if row["plain_hold"] else _with_price(row, lists[row["activity_id"]]) for row in rows]


def _with_price(row: dict[str, Any], prices: PriceList) -> dict[str, Any]:
    return {**row, "price": prices.default_price(row), "price_varies": prices.varies}


def judged(
    rows: list[dict[str, Any]], *, party_size: int | None = None, prices: PriceLists = price_lists
) -> list[Availability]:
    """Judge rows in their order, with their prices; a display may bring lists that it keeps."""
    return [judge(row, party_size=party_size) for row in priced(rows, prices)]


# The samples stand for what a caller asks.
_SESSION, _OWNER, _ACTIVITY = UUID(int=1), UUID(int=2), UUID(int=3)
_BEGINS, _ENDS = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 2, 2, tzinfo=UTC)


def _known(session: UUID) -> QuerySet[Session]:
    return Session.objects.filter(id=session).exclude(activity__status=Activity.Status.DRAFT)


ONE = Compiled(lambda session: with_availability(_known(session)), session=_SESSION)
ONE_OF = Compiled(
    lambda session, organization: with_availability(_known(session).filter(organization=organization)),
    session=_SESSION, organization=_OWNER,
)  # fmt: skip
ANY_STATE = Compiled(lambda session: with_availability(Session.objects.filter(id=session)), session=_SESSION)
SPAN = Compiled(
    lambda activity, begins, ends: with_availability(
        Session.objects.visible()
        .filter(activity=activity, starts_at__gte=begins, starts_at__lt=ends)
        .order_by("starts_at")
    ),
    activity=_ACTIVITY, begins=_BEGINS, ends=_ENDS,
)  # fmt: skip


def check_slot_availability(
    *, session_id: UUID, party_size: int | None = None, organization_id: UUID | None = None
) -> Availability:
    """Answer for one session, or raise NotFound: drafts and other tenants' sessions do not exist for the caller.

    Without a party size it answers whether any party may come.
    """
    if organization_id is None:
        rows = ONE.rows(session=session_id)
    else:
        rows = ONE_OF.rows(session=session_id, organization=organization_id)
    if not rows:
        raise NotFound
    return judged(rows, party_size=party_size)[0]


def staff_reasons(session_id: UUID) -> list[Reason]:
    """Return every reason why nobody can book a session now, with staff words and the remedy.

    An empty list: it can be booked. Drafts have an answer here. Raises NotFound when there is no such session.
    """
    rows = ANY_STATE.rows(session=session_id)
    if not rows:
        raise NotFound
    return list(judge(rows[0]).causes)


# The judgement ----------------------------------------------------------------------------------------------------


def judge(session: Mapping[str, Any], *, party_size: int | None = None) -> Availability:
    """Say whether this party fits, with every reason that stands against it.

    A party size is counted in the default unit. None asks whether any party may come: the smallest that fits the rules.
    """
    size = session["smallest_party"] if party_size is None else party_size
    causes = [*_never(session), *_not_now(session)]
    if party_size is not None:
        causes += _not_this_party(session, party_size)
    return Availability(session, (*causes, *_no_room(session, size)))


def _never(session: Mapping[str, Any]) -> Iterator[Reason]:
    """Yield what keeps the session off sale, whatever the time and the party."""
    if not session["on_sale"]:
        yield BY_CODE[_why_not_on_sale(session)]
    if session["closure"] is not None:
        yield replace(BY_CODE["venue_closed"], customer=session["closure"], staff=f"A closure: {session['closure']}")
    elif session["is_legacy"]:
        yield BY_CODE["legacy"]
    status = session["status"]
    if status == Session.Status.WITHDRAWN and session["closure"] is None:
        yield BY_CODE["withdrawn"]
    elif status in OF_STATUS:
        yield BY_CODE[OF_STATUS[status]]


OF_STATUS = {
    Session.Status.CANCELLED: "cancelled",
    Session.Status.CLOSED: "session_closed",
    Session.Status.COMPLETED: "completed",
}


def _why_not_on_sale(session: Mapping[str, Any]) -> str:
    if not session["is_sold"]:
        return "organization_suspended"
    return "not_published" if session["activity_status"] != Activity.Status.PUBLISHED else "not_on_sale"


def _not_now(session: Mapping[str, Any]) -> Iterator[Reason]:
    """Yield what the clock says: the hold asks for opens_at <= now < closes_at, and nothing else of it."""
    now: datetime = session["now"]
    if now < session["opens_at"]:
        yield BY_CODE["not_open_yet"]
    if now >= session["closes_at"]:
        begun = "already_begun" if now >= session["starts_at"] else "booking_closed"
        yield BY_CODE["already_over" if now >= session["ends_at"] else begun]


def _not_this_party(session: Mapping[str, Any], size: int) -> Iterator[Reason]:
    """Yield what the activity and its default unit ask of a party of that unit alone."""
    if session["default_unit"] is None:
        yield BY_CODE["no_default_unit"]
    if session["default_in_company"]:
        yield BY_CODE["needs_accompaniment"]
    if size < max(session["smallest_party"], session["default_minimum"] or 0):
        yield BY_CODE["party_too_small"]
    if any(most is not None and size > most for most in (session["largest_party"], session["default_maximum"])):
        yield BY_CODE["party_too_large"]


def _no_room(session: Mapping[str, Any], size: int) -> Iterator[Reason]:
    """Yield what the waiters and the places say."""
    if session["waiting"] > 0:
        yield BY_CODE["waiting_list"]
    if session["free"] <= 0:
        yield BY_CODE["full"]
    elif session["free"] < size:
        yield BY_CODE["not_enough_places"]
