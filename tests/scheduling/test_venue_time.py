"""Where time is kept and told: instants in the database, zones in one module."""

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection, models

ROOT = Path(__file__).resolve().parents[2]
APPS = ("config", "scheduling", "payments", "bookings", "alerts")
ONE_MODULE = "scheduling/wall_clock.py"
DATA = ("config/demo/", "payments/sandbox/")  # venues, with their zones; and a bank with a clock of its own
CALENDARS = "scheduling/calendars.py"  # writes a zone's own changes down, for programs that know no zones
ZONES_OWN = ("utcnow", "utcfromtimestamp", "utcoffset", "available_timezones", "today")


@pytest.mark.django_db
def test_every_instant_is_stored_with_its_zone() -> None:
    wanted = {
        (model._meta.db_table, field.column)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.concrete_fields
        if isinstance(field, models.DateTimeField)
    }
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
            WHERE table_schema = 'public' AND data_type LIKE 'timestamp%'"""
        )
        found = cursor.fetchall()
    assert [row for row in found if row[2] != "timestamp with time zone"] == []
    assert wanted <= {(table, column) for table, column, _ in found}
    assert ("scheduling_session", "starts_at") in wanted


def clock_faults(source: str) -> list[str]:
    """Return each now without a zone, zone called by name, offset in figures, and question for an offset."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    texts = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    in_sql = [text for text in texts if isinstance(text, str) and re.search(r"AT TIME ZONE '(?!UTC')", text)]
    return [ast.unparse(call) for call in calls if _is_fault(call)] + in_sql


def _is_fault(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    by_name = bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value != "UTC"
    in_figures = bool(call.args) and "timedelta" in ast.unparse(call.args[0])
    return (
        last in ZONES_OWN
        or (last == "now" and "timezone" not in name and not call.args and not call.keywords)
        or (last in ("ZoneInfo", "load_zone", "timezone") and (by_name or in_figures))
    )


def test_zones_are_the_business_of_one_module() -> None:
    faults = {
        name
        for folder in APPS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "migrations" not in path.parts
        and not (name := str(path.relative_to(ROOT))).startswith(DATA)
        and clock_faults(path.read_text())
    }
    assert faults - {CALENDARS} == {ONE_MODULE}


@pytest.mark.parametrize(
    "fault",
    [
        "datetime.now()",
        "datetime.utcnow()",
        "date.today()",
        'ZoneInfo("Europe/London")',
        "timezone(timedelta(hours=1))",
        "at.utcoffset()",
        "sql = \"SELECT starts_at AT TIME ZONE 'Europe/Paris'\"",
    ],
)
def test_the_look_for_zones_sees_them(fault: str) -> None:
    assert len(clock_faults(fault)) == 1
    assert clock_faults('datetime.now(tz=UTC), at.astimezone(zone), ZoneInfo(venue.timezone), ZoneInfo("UTC")') == []
