"""docs/walks.md says what the code does, because the code wrote it."""

import os
import subprocess
import sys

import pytest

from tests import servers
from tests.tracing import document
from tests.tracing.__main__ import NAMES
from tests.tracing.statements import effects_of, one_line
from tests.tracing.steps import Step, Walk, folded, page


def traced(*arguments: str) -> str:
    """Run bin/trace on this worker's servers and return its page."""
    command = [sys.executable, "-m", "tests.tracing", *arguments]
    environment = {**os.environ, "LIMITS": "on"}  # as it is served
    answer = subprocess.run(command, cwd=servers.ROOT, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.rstrip("\n")


@pytest.mark.parametrize("name", NAMES)
def test_the_document_shows_the_walk_as_it_is(committed_db: None, name: str) -> None:
    text = document.FILE.read_text()
    stale = f"docs/walks.md is stale: the walk “{name}” goes another way now. Renew it by {document.COMMAND}"
    assert document.written(text, name, traced(name, "--shape")) == text, stale


def test_the_whole_page_has_lines_and_milliseconds(committed_db: None) -> None:
    text = traced("hold")
    assert "hold_places  scheduling/services/capacity.py:" in text
    assert " ms under watch" in text
    assert '"capacity_remaining": 8' in text.split("REDIS PUBLISH", 1)[1]


def test_a_changed_walk_makes_the_document_another() -> None:
    text = "before\n<!-- begin hold -->\n<!-- end hold -->\nafter\n"
    first = document.written(text, "hold", "one\n  two")
    assert first == "before\n<!-- begin hold -->\n\n```text\none\n  two\n```\n\n<!-- end hold -->\nafter\n"
    assert document.written(first, "hold", "one\n  two") == first
    assert document.written(first, "hold", "one\n  three") != first
    with pytest.raises(LookupError):
        document.written(text, "book", "one")


def test_a_statement_says_what_it_writes_and_locks() -> None:
    assert effects_of('SELECT "a"."id" FROM "a" ORDER BY "a"."id" FOR NO KEY UPDATE') == [
        "locks a rows FOR NO KEY UPDATE"
    ]
    assert effects_of("WITH t AS (UPDATE a SET n = 1 RETURNING id) INSERT INTO b (id) SELECT id FROM t") == [
        "updates a",
        "inserts b",
    ]
    assert effects_of("INSERT INTO b (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2") == ["inserts b"]
    assert effects_of("SELECT clock_timestamp()") == []


def test_a_statement_is_one_short_line() -> None:
    columns = ", ".join(f'"some_table"."column_{number}"' for number in range(9))
    assert one_line(f'SELECT {columns}\n  FROM "some_table" WHERE "some_table"."id" = %s') == (
        "SELECT … FROM some_table WHERE id = %s"
    )
    inner = "(SELECT sum(o.places) FROM other_table WHERE other_table.id = some_table.id)"
    assert one_line(f"SELECT id, {inner} AS n FROM some_table") == "SELECT id, (…) AS n FROM some_table"
    assert one_line('SAVEPOINT "s1401_x1"') == "SAVEPOINT"


def test_equal_leaves_are_folded_and_what_is_told_is_not() -> None:
    leaf, statement = Step("uuid7", "config/kit/ids.py", 11), Step("SQL SELECT 1", notes=["1 row"], figures=["0.1 ms"])
    request = Step("request", steps=[leaf, statement, Step("uuid7", "config/kit/ids.py", 11), statement])
    assert [(step.words, step.times) for step in folded(request.steps)] == [
        ("uuid7", 2),
        ("SQL SELECT 1", 1),
        ("SQL SELECT 1", 1),
    ]
    walk = Walk("POST", "→ 201", 1.25, request, {})
    sql = "  SQL SELECT 1  [1 row]"
    assert page(walk, shape=True).splitlines() == ["POST", "  uuid7 ×2  config/kit/ids.py", sql, sql, "→ 201"]
    assert "  uuid7 ×2  config/kit/ids.py:11" in page(walk, shape=False).splitlines()
