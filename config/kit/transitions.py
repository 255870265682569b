"""Transition tables: one beside each status, read by the code, the trigger, the diagram and the property tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState


@dataclass(frozen=True, slots=True)
class Transitions:
    """The states a row may begin in, and from each state the ones it may go to."""

    initial: frozenset[str]
    moves: Mapping[str, frozenset[str]]

    def allows(self, before: str, after: str) -> bool:
        """Is this one step legal?"""
        return after in self.moves.get(before, frozenset())

    def pairs(self) -> list[tuple[str, str]]:
        """Return every legal step, in a stable order."""
        return sorted((before, after) for before, afters in self.moves.items() for after in afters)


def trigger_statements(table: str, column: str, initial: list[str], pairs: list[tuple[str, str]]) -> list[str]:
    """Return the SQL of the two triggers that refuse everything else; a legal step never calls the function."""
    legal = ", ".join(f"('{before}', '{after}')" for before, after in sorted(pairs))
    begins = ", ".join(f"'{state}'" for state in sorted(initial))
    refuse = f"EXECUTE FUNCTION refuse_transition('{column}')"
    begin = f"NEW.{column} NOT IN ({begins})"
    move = f"OLD.{column} <> NEW.{column} AND (OLD.{column}, NEW.{column}) NOT IN ({legal})"
    return [
        f"CREATE TRIGGER {column}_begins BEFORE INSERT ON {table} FOR EACH ROW WHEN ({begin}) {refuse}",
        f"CREATE TRIGGER {column}_moves BEFORE UPDATE OF {column} ON {table} FOR EACH ROW WHEN ({move}) {refuse}",
    ]


class GuardTransitions(Operation):
    """Let the database refuse what the transition table does not allow; the migration freezes the pairs."""

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str, column: str, initial: list[str], pairs: list[tuple[str, str]]) -> None:
        self.model_name, self.column, self.initial, self.pairs = model_name, column, initial, pairs

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change no model."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, _from: ProjectState, to_state: ProjectState
    ) -> None:
        """Put the triggers in place of earlier ones."""
        table = to_state.apps.get_model(app_label, self.model_name)._meta.db_table
        self._drop(schema_editor, table)
        for statement in trigger_statements(table, self.column, self.initial, self.pairs):
            schema_editor.execute(statement)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, _to: ProjectState
    ) -> None:
        """Take the triggers away."""
        self._drop(schema_editor, from_state.apps.get_model(app_label, self.model_name)._meta.db_table)

    def _drop(self, schema_editor: BaseDatabaseSchemaEditor, table: str) -> None:
        for name in ("begins", "moves"):
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {self.column}_{name} ON {table}")

    def describe(self) -> str:
        """Say it in a line."""
        return f"Refuse illegal transitions of {self.model_name}.{self.column}"

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return what makes this operation again."""
        return self.__class__.__name__, [self.model_name, self.column, self.initial, self.pairs], {}
