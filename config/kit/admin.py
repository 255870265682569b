"""The kinds of admin page that every app's admin is made of, in Unfold's dress.

A page says what can be done on it at all; `may` says who may do it. Here that is superusers alone, so that a page
which forgets to ask for more shows no tenant's rows to anybody else; `config.tenants.scoping` opens it by role.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.text import capfirst

from config.kit.facts import Actor
from config.kit.refusals import Refusal
from config.kit.visitors import staff_actor

if TYPE_CHECKING:  # Django's admin classes take no type arguments when they run, and Unfold has no types
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyModelForm = forms.ModelForm[Any]
    AnyTabularInline = admin.TabularInline[Any, Any]
else:
    from unfold.admin import ModelAdmin as AnyModelAdmin
    from unfold.admin import TabularInline as AnyTabularInline

    AnyModelForm = forms.ModelForm

FROM_PAGE = "from_page"  # posted with an act by a row's own page: where to go back to


def told_of(form: AnyModelForm) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns that a person has filled in anew, before and after, as a fact tells them."""
    columns = {field.name for field in form.instance._meta.concrete_fields}
    told = {
        name: (_plain(form.get_initial_for_field(form.fields[name], name)), _plain(getattr(form.instance, name)))
        for name in form.changed_data
        if name in columns
    }
    changed = {name: values for name, values in told.items() if values[0] != values[1]}  # empty is the default
    return {name: values[0] for name, values in changed.items()}, {name: values[1] for name, values in changed.items()}


def _plain(value: Any) -> Any:
    """Return a column's value as a fact can hold it."""
    if isinstance(value, Model):
        return str(value.pk)
    return value if isinstance(value, str | int | bool | list | None) else str(value)


class AskingMay:
    """Answers Django's questions about permissions by `may`. Nothing with business meaning is deleted, by nobody."""

    can_add = True
    can_change = True

    def may(self, request: HttpRequest, act: str, row: Any = None) -> bool:  # noqa: ARG002
        """May this person view, add, change or do an action, with this row or with any at all?"""
        return request.user.is_active and request.user.is_superuser

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show it on the first page?"""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """May they look?"""
        return self.may(request, "view", obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """May they add?"""
        return self.can_add and self.may(request, "add", obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """May they change?"""
        return self.can_change and self.may(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody deletes: there are flags, end dates and versions."""
        return False


class KeptAdmin(AskingMay, AnyModelAdmin):
    """Pages to add and to change; the list's actions stand on a row's own page, too."""

    show_full_result_count = False
    list_per_page = 30
    compressed_fields = False
    change_form_outer_before_template = "admin/_acts.html"

    def name_of(self, row: Any) -> str:
        """Return what a row is called in titles and messages."""
        return str(row)

    def can_be(self, act: str, row: Any) -> bool:  # noqa: ARG002
        """Does this act change anything about the row as it is now? Its page offers no other."""
        return True

    # Saving

    def save_model(self, request: HttpRequest, obj: Any, form: AnyModelForm, change: bool) -> None:
        """Write a new row whole, of an old one what this person changed: the rest may be newer than this page."""
        before, after = told_of(form)
        if change:
            obj.save(update_fields=list(after))
        else:
            obj.save()
        if after or not change:
            self.record(obj, staff_actor(request), before=before if change else {}, after=after)

    def record(self, row: Any, actor: Actor, *, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Write the fact of a row that was added (nothing before) or changed, in its transaction; by the columns."""

    # Acts: the admin's actions, each of which is a right of its own

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer what this person may do with some row at least."""
        return {name: act for name, act in super().get_actions(request).items() if self.may(request, name)}

    def act_on_each(self, request: HttpRequest, rows: Iterable[Any], act: Callable[[Any], str]) -> None:
        """Do it to each row, by itself; say what became of it, to the person and in the admin's own log."""
        for row in rows:
            if not self.may(request, request.POST.get("action", ""), row):
                self.message_user(request, f"{self.name_of(row)}: your role does not include this.", messages.ERROR)
                continue
            try:
                outcome = act(row)
            except Refusal as refusal:
                self.message_user(request, f"{self.name_of(row)}: {refusal.detail}", messages.ERROR)
            else:
                self.log_change(request, row, capfirst(outcome))
                self.message_user(request, f"{self.name_of(row)}: {outcome}", messages.SUCCESS)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Go back to the page that asked; what a list hides by its filters, a row's own page can still act on."""
        page = request.POST.get(FROM_PAGE)
        response = super().response_action(request, self.get_queryset(request) if page else queryset)
        leads_elsewhere = getattr(response, "url", "") != request.get_full_path()  # the act has a page of its own
        if page and response and not leads_elsewhere:
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", page)
        return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show the row's name, and what can be done with it."""
        obj = context["original"]
        if obj is not None:
            context |= {"row_name": self.name_of(obj), "acts": self._acts_for(request, obj)}
        return super().render_change_form(request, context, *args, **kwargs)

    def _acts_for(self, request: HttpRequest, row: Model) -> list[tuple[str, str]]:
        acts = [(name, capfirst(text)) for name, (_, _, text) in self.get_actions(request).items()]
        return [(name, text) for name, text in acts if self.can_be(name, row) and self.may(request, name, row)]


class ShownAdmin(KeptAdmin):
    """Pages to look at: their rows are written by services, which actions may call."""

    can_add = False
    can_change = False


class KeptInline(AskingMay, AnyTabularInline):
    """Rows that are part of the row whose page it is."""

    extra = 0
    hide_title = True


class ShownInline(KeptInline):
    """Rows to look at on another row's page."""

    can_add = False
    can_change = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ARG002
        """Show what no form may have, too."""
        return flatten(self.fields or ())


def environment_label(request: HttpRequest) -> list[str] | None:  # noqa: ARG001 Unfold's signature
    """Return the badge beside the site's name: nothing on the demo is real."""
    return ["Demo", "info"] if settings.DEMO else None
