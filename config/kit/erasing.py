"""The one place that deletes rows: of models that say `erasable`, and of no other."""

from typing import Any

from django.db.models import QuerySet


def erase_rows(rows: "QuerySet[Any]") -> int:
    """Delete rows of an erasable model; return how many. Raises TypeError for any other model."""
    if not getattr(rows.model, "erasable", False):
        raise TypeError(f"{rows.model.__name__} is not erasable")
    return rows.delete()[0]
