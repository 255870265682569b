"""Where facts come from: the tables of facts, under the names by which consumers ask for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db.models import F, Model, QuerySet, Value

from bookings.models import BookingEvent, ResumeLink, WaitlistEvent
from payments.models import PaymentEvent, Reconciliation
from scheduling.models import ScheduleEvent


class AnyFact(Protocol):
    """What every fact is, whichever table it stands in."""

    id: UUID
    organization_id: UUID
    kind: str
    at: datetime
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """One table of facts. Ids are UUIDv7, unique across the tables."""

    model: type[Model]
    subject: str  # what a fact of it is about, fetched with it
    only_kind: str = ""  # of a table without the columns of a fact: each of its rows is one of this kind …
    counted: str = ""  # … as far as it counts something in this column

    def facts(self) -> "QuerySet[Any]":
        """Return its facts."""
        rows = self.model._default_manager.filter(**({f"{self.counted}__gt": 0} if self.counted else {}))
        return rows.annotate(kind=Value(self.only_kind), at=F("created_at")) if self.only_kind else rows

    def select_kinds(self) -> str:
        """Return the SQL of ids, kinds and times, for the auditor."""
        columns = f"id, '{self.only_kind}' AS kind, created_at AS at" if self.only_kind else "id, kind, at"
        where = f" WHERE {self.counted} > 0" if self.counted else ""
        return f"SELECT {columns} FROM {self.model._meta.db_table}{where}"


SOURCES: Mapping[str, Source] = {
    "booking": Source(BookingEvent, "booking"),
    "waitlist": Source(WaitlistEvent, "entry"),
    "schedule": Source(ScheduleEvent, "activity"),
    "resume": Source(ResumeLink, "organization", only_kind="resume_link_asked"),
    "payment": Source(PaymentEvent, "payment"),
    "reconciliation": Source(Reconciliation, "account", only_kind="reconciliation_differed", counted="open_count"),
}
