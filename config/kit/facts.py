"""Facts: append-only rows that say what happened; audit trail, history and outbox in one.

A fact's subject (a booking, a session) carries `event_seq` and `event_hash`, the head of its chain. A trigger numbers
each new fact, links it to the one before by SHA-256 and moves the head on; the head's row lock keeps two writers apart.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from config.kit.ids import uuid7


class ActorKind(models.TextChoices):
    """Who did it. A policy is one that a person switched on; the system alone never ends a booking."""

    CUSTOMER = "customer"
    STAFF = "staff"
    API_KEY = "api_key"
    POLICY = "policy"
    SYSTEM = "system"


class Fact(models.Model):
    """What happened, in the transaction in which it happened."""

    append_only = True  # nobody may rewrite it: no privilege, and a trigger

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    seq = models.PositiveIntegerField(editable=False)  # 1, 2, 3 … per subject; set by the trigger
    kind = models.CharField(max_length=40)  # the past participle: booking_confirmed
    from_status = models.CharField(max_length=20, blank=True)
    to_status = models.CharField(max_length=20)
    actor_kind = models.CharField(max_length=10, choices=ActorKind.choices)
    actor_id = models.UUIDField(null=True, blank=True)
    channel = models.CharField(max_length=20)  # web, widget, api, octo, admin, system
    reason_code = models.CharField(max_length=40, blank=True)
    before = models.JSONField(default=dict)  # ids and numbers only: what is personal sits in the erasable side row
    after = models.JSONField(default=dict)
    detail_digest = models.CharField(max_length=64, blank=True)  # salted digest of the side row
    at = models.DateTimeField(editable=False)  # set by the trigger: clock_timestamp() under the head's lock
    previous_hash = models.CharField(max_length=64, editable=False)
    hash = models.CharField(max_length=64, editable=False)

    class Meta:
        abstract = True


class ChainHead(models.Model):
    """A row that facts are about, with the head of their chain, which the trigger alone moves."""

    event_seq = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    event_hash = models.CharField(max_length=64, default="", db_default="", blank=True, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row without the head: a fact may have moved it on since the row was read."""
        if not self._state.adding and kwargs.get("update_fields") is None:
            left_alone = {"event_seq", "event_hash", *self.get_deferred_fields()}
            fields = [field for field in self._meta.concrete_fields if not field.primary_key]
            kwargs["update_fields"] = [field.name for field in fields if field.attname not in left_alone]
        super().save(*args, **kwargs)


class FactDetail(models.Model):
    """The erasable side of a fact: address, browser, free text. The chain covers their salted digest, not them.

    Each kind of fact has its own, with `event` leading to the fact.
    """

    erasable = True

    salt = models.CharField(max_length=32)
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=400, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"detail of {self.event_id}"  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it, through which channel, and what only the erasable side row may know."""

    kind: ActorKind
    channel: str
    id: UUID | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)  # ip_address, user_agent, note


SYSTEM = Actor(kind=ActorKind.SYSTEM, channel="system")
AnyFact = TypeVar("AnyFact", bound=Fact)


def append_fact(
    facts: type[AnyFact], details: type[models.Model], *, organization_id: UUID, actor: Actor, kind: str,
    from_status: str = "", to_status: str = "", reason_code: str = "", before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None, **subject: Any,
) -> AnyFact:  # fmt: skip
    """Append a fact to its subject's chain; what is personal goes beside it, under a salted digest.

    In the transaction of what it says: alone it would tell what may never come to be.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("A fact is written in the transaction of what it says.")
    salt = secrets.token_hex(16) if actor.detail else ""
    fact = facts._default_manager.create(
        organization_id=organization_id, kind=kind, from_status=from_status, to_status=to_status,
        actor_kind=actor.kind, actor_id=actor.id, channel=actor.channel, reason_code=reason_code,
        before=dict(before or {}), after=dict(after or {}), detail_digest=_digest(salt, actor.detail) if salt else "",
        seq=0, at="1970-01-01T00:00:00Z",  # both set by the trigger, under the lock of the chain's head
        **subject,
    )  # fmt: skip
    if salt:
        details._default_manager.create(organization_id=organization_id, event=fact, salt=salt, **actor.detail)
    return fact


def _digest(salt: str, detail: Mapping[str, Any]) -> str:
    """Digest the side row, so that the chain vouches for it while it is there and survives its erasure."""
    parts = [salt, *(f"{name}={detail.get(name) or ''}" for name in ("ip_address", "user_agent", "note"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


# What the chain covers, in order; `s` is the row. Shared by the trigger and by the auditor's statement.
CHAINED_COLUMNS = """concat_ws('|', {s}.id, {s}.organization_id, {s}.{subject}_id, {s}.seq, {s}.kind,
    {s}.from_status, {s}.to_status, {s}.actor_kind, coalesce({s}.actor_id::text, ''), {s}.channel, {s}.reason_code,
    {s}.before::text, {s}.after::text, {s}.detail_digest,
    to_char({s}.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), {s}.previous_hash)"""


def hash_expression(alias: str, subject: str) -> str:
    """Return the SQL that computes a fact's hash from its own columns."""
    return f"encode(sha256(convert_to({CHAINED_COLUMNS.format(s=alias, subject=subject)}, 'UTF8')), 'hex')"


class ChainFacts(Operation):
    """Number, link and freeze the facts of one table; `subject` is the field that names what they are about."""

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str, subject: str) -> None:
        self.model_name, self.subject = model_name, subject

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change no model."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, _from: ProjectState, to_state: ProjectState
    ) -> None:
        """Create the function and its triggers."""
        model = to_state.apps.get_model(app_label, self.model_name)
        table = model._meta.db_table
        head = model._meta.get_field(self.subject).related_model._meta.db_table
        schema_editor.execute(f"""
            CREATE FUNCTION {table}_chain() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                UPDATE {head} SET event_seq = event_seq + 1 WHERE id = NEW.{self.subject}_id
                    RETURNING event_seq, event_hash INTO NEW.seq, NEW.previous_hash;
                NEW.at := clock_timestamp();
                NEW.hash := {hash_expression("NEW", self.subject)};
                UPDATE {head} SET event_hash = NEW.hash WHERE id = NEW.{self.subject}_id;
                RETURN NEW;
            END $$""")
        schema_editor.execute(
            f"CREATE TRIGGER chain BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_chain()"
        )
        schema_editor.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, _to: ProjectState
    ) -> None:
        """Drop them."""
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        schema_editor.execute(f"DROP FUNCTION {table}_chain() CASCADE")
        schema_editor.execute(f"DROP TRIGGER append_only ON {table}")

    def describe(self) -> str:
        """Say it in a line."""
        return f"Chain the facts of {self.model_name}"

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return what makes this operation again."""
        return self.__class__.__name__, [self.model_name, self.subject], {}
