"""Of organizations, and of whose rows the others are."""

from collections.abc import Iterator

from django.apps import apps
from django.db import models

from alerts.services.invariants.base import Invariant, unbroken, whole

# By organizations.
ORGANIZATION_INVARIANTS = [
    whole("tenants_organizationevent", head="tenants_organization", subject="organization"),
    unbroken("tenants_organizationevent", head="tenants_organization", subject="organization"),
]


def tenant_invariants() -> Iterator[Invariant]:
    """Yield a statement for every foreign key between tenants' rows, and for every row's own organization."""
    for model in apps.get_models(include_auto_created=True):
        owned = _organization_of(model)
        if owned is None:
            continue
        yield _coherence(model, "organization_id", "tenants_organization", "p.id IS NULL")
        for key in model._meta.concrete_fields:
            if isinstance(key, models.ForeignKey) and key is not owned and _organization_of(key.related_model):
                parent = key.related_model._meta.db_table
                yield _coherence(model, key.column, parent, "p.id IS NULL OR p.organization_id <> c.organization_id")


def _organization_of(model: type[models.Model]) -> "models.Field[object, object] | None":
    return next((field for field in model._meta.concrete_fields if field.attname == "organization_id"), None)


def _coherence(model: type[models.Model], column: str, parent: str, broken: str) -> Invariant:
    table = model._meta.db_table
    return Invariant(
        "I14",
        f"{table}.{column} leads to another organization, or nowhere",
        f"""SELECT c.id, '{table}.{column}' FROM {table} c LEFT JOIN {parent} p ON p.id = c.{column}
        WHERE c.{column} IS NOT NULL AND ({broken})""",
    )
