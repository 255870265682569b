"""Composite foreign keys: a child's organization is its parent's, by the database's word."""

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import ForeignKey


class AddTenantKey(Operation):
    """Add FOREIGN KEY (organization_id, <field>_id) REFERENCES <parent> (organization_id, id).

    The Django field has db_constraint=False: this key does its work, and one check a row is enough.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str, field: str) -> None:
        self.model_name, self.field = model_name, field

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change no model."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, _from: ProjectState, to_state: ProjectState
    ) -> None:
        """Add the key."""
        table, name, field = self._names(app_label, to_state)
        parent = field.remote_field.model._meta.db_table
        schema_editor.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (organization_id, {field.column}) "
            f"REFERENCES {parent} (organization_id, id)"
        )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, _to: ProjectState
    ) -> None:
        """Drop the key."""
        table, name, _ = self._names(app_label, from_state)
        schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")

    def _names(self, app_label: str, state: ProjectState) -> tuple[str, str, "ForeignKey[Any, Any]"]:
        model = state.apps.get_model(app_label, self.model_name)
        field = model._meta.get_field(self.field)
        assert isinstance(field, ForeignKey)  # noqa: S101 a migration written wrong
        return model._meta.db_table, f"{model._meta.db_table}_{self.field}_tenant", field

    def describe(self) -> str:
        """Say it in a line."""
        return f"Keep {self.model_name}.{self.field} within the organization"

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return what makes this operation again."""
        return self.__class__.__name__, [self.model_name, self.field], {}
