"""What the code keeps to, beyond what a linter knows."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.dispatch import Signal

from alerts.models import Alert, Notification
from bookings import signals as bookings_signals
from bookings.models import Booking, Line, WaitlistEntry
from config.celery import app
from config.kit.transitions import Transitions, trigger_statements
from payments import signals as payments_signals
from payments.models import Dispute, Payment, Refund
from scheduling import signals
from scheduling.models import Activity, Reservation, Session

ROOT = Path(__file__).resolve().parents[2]
APPS = ("scheduling", "payments", "bookings", "alerts", "config/kit", "config/tenants")


def sources(*folders: str) -> dict[str, str]:
    files = [
        path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")) if "migrations" not in path.parts
    ]
    return {str(path.relative_to(ROOT)): path.read_text() for path in files}


def lines_with(pattern: str, *folders: str) -> list[str]:
    found = re.compile(pattern)
    return [
        f"{name}: {line.strip()}"
        for name, text in sources(*folders).items()
        for line in text.splitlines()
        if found.search(line)
    ]


def test_services_know_no_clock_but_the_databases() -> None:
    clocks = (
        r"timezone\.now|datetime\.now|datetime\.utcnow|(?<![\w_])now\(\)|Now\(|CURRENT_TIMESTAMP|statement_timestamp"
    )
    assert lines_with(clocks, "scheduling/services", "bookings/services", "scheduling/availability.py") == []


def test_counters_are_written_by_the_one_door_alone() -> None:
    writes = r"(places_held|places_booked|honoured_capacity)\s*=(?!=)(?! 0)"
    assert {line.split(":")[0] for line in lines_with(writes, *APPS)} <= {
        "scheduling/services/capacity.py",
        "scheduling/models/session.py",  # the constraints
        "scheduling/models/lesson_group.py",
    }


def test_reservations_change_status_in_the_one_door_alone() -> None:
    writers = {
        name
        for name, text in sources(*APPS).items()
        if re.search(r"Reservation\.objects[^\n]*\n?[^\n]*\.update\([^)]*status=|SET status = 'expired'", text)
    }
    assert writers == {"scheduling/services/capacity.py"}


def test_a_bookings_status_has_one_writer() -> None:
    writers = list(
        lines_with(r"\.update\(status=|booking\.status(, booking\.\w+)? = ", "bookings", "alerts", "payments")
    )
    assert {line.split(":")[0] for line in writers} == {"bookings/services/lifecycle.py"}


def test_no_app_below_makes_an_alert() -> None:
    assert {line.split(":")[0] for line in lines_with(r"Alert\.objects\.\w*create|alerts_alert", *APPS)} == {
        "alerts/services/alerts.py"
    }


def test_nothing_with_business_meaning_is_deleted() -> None:
    deletes = lines_with(r"\.delete\(\)|DELETE FROM", *APPS)
    assert [line.partition(" WHERE")[0] for line in deletes] == [
        "config/kit/erasing.py: return rows.delete()[0]",  # of models that say so
        'config/kit/idempotency.py: "DELETE FROM kit_idempotencykey',
    ]


def test_the_wiring_between_the_apps_is_this() -> None:
    heard = {
        f"{module}.{name}": sorted(f"{ref().__module__}.{ref().__name__}" for _, ref, *_ in signal.receivers)
        for module, name, signal in (
            (holder.__name__, name, value)
            for holder in (bookings_signals, payments_signals, signals)
            for name, value in vars(holder).items()
            if isinstance(value, Signal)
        )
    }
    assert heard == {
        "bookings.signals.fact_recorded": ["alerts.receivers.nudge_fan_out"],
        "bookings.signals.lapse_awaited": ["bookings.receivers.look_when_it_lapses"],
        "bookings.signals.personal_data_asked": ["alerts.receivers.hand_out_messages"],
        "bookings.signals.personal_data_erased": ["alerts.receivers.overwrite_messages"],
        "payments.signals.dispute_closed": ["bookings.receivers.tell_end_of_dispute"],
        "payments.signals.dispute_opened": ["bookings.receivers.tell_dispute"],
        "payments.signals.payment_failed": ["bookings.receivers.tell_failure"],
        "payments.signals.payment_succeeded": ["bookings.receivers.take_payment"],
        "payments.signals.payments_lapsed": ["payments.receivers.close_soon"],
        "payments.signals.provider_asked": [
            "alerts.receivers.count_call",
            "alerts.receivers.remember_call",
        ],
        "payments.signals.refund_due": ["payments.receivers.submit_soon"],
        "payments.signals.refund_settled": ["bookings.receivers.tell_refund"],
        "scheduling.signals.availability_changed": [
            "alerts.receivers.push_changes",
            "scheduling.receivers.move_display_versions",
        ],
        "scheduling.signals.places_freed": ["bookings.receivers.ask_who_waits"],
    }


def test_every_scheduled_task_exists() -> None:
    app.loader.import_default_modules()
    assert "alerts.tasks.fan_out_facts" in app.tasks
    assert [entry["task"] for entry in app.conf.beat_schedule.values() if entry["task"] not in app.tasks] == []


# The catalogue ----------------------------------------------------------------------------------------------------

OWNED = [
    model
    for model in apps.get_models()
    if any(field.attname == "organization_id" for field in model._meta.concrete_fields)
]


def rows(sql: str, *parameters: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


@pytest.mark.django_db
def test_every_key_between_tenants_rows_carries_the_organization() -> None:
    wanted = {
        (model._meta.db_table, field.column, field.related_model._meta.db_table)
        for model in OWNED
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and field.related_model in OWNED
    }
    found = rows(
        """SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[2]
        JOIN pg_attribute o ON o.attrelid = c.conrelid AND o.attnum = c.conkey[1] AND o.attname = 'organization_id'
        WHERE c.contype = 'f' AND cardinality(c.conkey) = 2"""
    )
    assert set(found) == wanted


@pytest.mark.django_db
def test_the_applications_role_owns_nothing_and_deletes_next_to_nothing() -> None:
    role = settings.DATABASE_APP_ROLE
    assert rows("SELECT current_user::text") == [(role,)]
    assert rows("SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = current_user") == []
    deletable = rows(
        """SELECT table_name::text FROM information_schema.role_table_grants
        WHERE grantee = %s AND privilege_type = 'DELETE' ORDER BY 1""",
        role,
    )
    assert [name for (name,) in deletable if not str(name).startswith(("auth_", "django_", "tenants_user_"))] == [
        "bookings_attempt",
        "bookings_bookingeventdetail",
        "bookings_waitlisteventdetail",
        "kit_idempotencykey",
        "payments_paymenteventdetail",
        "scheduling_scheduleeventdetail",
        "tenants_organizationeventdetail",
    ]
    assert rows("SELECT has_table_privilege('bookings_bookingevent', 'UPDATE')") == [(False,)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "column", "transitions"),
    [
        (Activity, "status", Activity.TRANSITIONS),
        (Session, "status", Session.TRANSITIONS),
        (Reservation, "status", Reservation.TRANSITIONS),
        (Booking, "status", Booking.TRANSITIONS),
        (Line, "status", Line.TRANSITIONS),
        (Line, "attendance", Line.ATTENDANCE_TRANSITIONS),
        (WaitlistEntry, "status", WaitlistEntry.TRANSITIONS),
        (Payment, "status", Payment.TRANSITIONS),
        (Refund, "status", Refund.TRANSITIONS),
        (Dispute, "status", Dispute.TRANSITIONS),
        (Alert, "status", Alert.TRANSITIONS),
        (Notification, "status", Notification.TRANSITIONS),
    ],
)
def test_the_triggers_refuse_what_the_transition_table_does_not_allow(
    model: type[models.Model], column: str, transitions: Transitions
) -> None:
    table = model._meta.db_table
    sql = (
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname LIKE %s ORDER BY tgname"
    )
    before = rows(sql, table, f"{column}\\_%")
    with connection.cursor() as cursor:  # made anew in a scratch copy from the table in the code
        cursor.execute(f"CREATE TEMPORARY TABLE scratch (LIKE {table})")
        for statement in trigger_statements("scratch", column, sorted(transitions.initial), transitions.pairs()):
            cursor.execute(statement)
    after = rows(sql, "scratch", f"{column}\\_%")
    assert [
        str(text).replace(f"public.{table}", "scratch").replace(f"ON {table}", "ON scratch") for (text,) in before
    ] == [re.sub(r"ON \S*scratch", "ON scratch", str(text)) for (text,) in after]
    assert set(transitions.initial) | {state for pair in transitions.pairs() for state in pair} == {
        value for value, _ in getattr(model._meta.get_field(column), "choices", [])
    }


def test_what_is_traced_is_there_and_no_test_stands_for_more_than_three_requirements() -> None:
    rows = [line.split("\t") for line in (ROOT / "docs" / "traceability.tsv").read_text().splitlines()[1:]]
    stands_for: dict[str, set[str]] = {}
    for requirement, proof in rows:
        stands_for.setdefault(proof, set()).add(requirement)
    missing = []
    for proof in stands_for:
        name, _, test = proof.partition("::")
        path = ROOT / name.split(" ")[0]
        if not path.exists() or (test and f"def {test}(" not in path.read_text()):
            missing.append(proof)
    assert missing == []
    assert [proof for proof, found in stands_for.items() if len(found) > 3] == []
