"""The admin's addresses, and how its lists are acted on."""

from typing import Any

from django.db.models import Model
from django.test import Client
from django.urls import reverse


def list_address(model: type[Model]) -> str:
    """Return where a model's list is."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page_address(row: Model) -> str:
    """Return where a row's own page is."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def act(client: Client, action: str, *rows: Model, from_page: bool = False) -> Any:
    """Run an action of a list, or of a row's own page; return the page that follows."""
    form = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    if from_page:
        form["from_page"] = str(rows[0].pk)
    return client.post(list_address(type(rows[0])), form, follow=True)


def messages_of(response: Any) -> list[str]:
    """Return what the page says at its top."""
    return [str(message) for message in response.context["messages"]]
