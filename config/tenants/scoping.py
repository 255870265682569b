"""Admin pages by membership: staff see and change the rows of their organizations, as far as their role goes.

The one place where the admin asks who somebody is. Another tenant's row does not exist: it is in no list, no choice
and no search, and its address answers as one that nobody has ever given out.
"""

from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.contrib.admin import FieldListFilter, RelatedOnlyFieldListFilter
from django.db.models import ForeignKey, ManyToManyField, Model, QuerySet
from django.http import HttpRequest

from config.kit.admin import AskingMay, KeptAdmin, KeptInline
from config.tenants import rights
from config.tenants.models import Organization, User

if TYPE_CHECKING:

    class Page(KeptAdmin):
        """What it is mixed into."""

    class Inline(KeptInline):
        """What it is mixed into."""

else:
    Page = Inline = AskingMay

Row = TypeVar("Row", bound=Model)

OWNER_FILTER: tuple[str, type[FieldListFilter]] = ("organization", RelatedOnlyFieldListFilter)


def roles_of(request: HttpRequest) -> dict[UUID, str]:
    """Return what the signed-in person may be, by organization; nothing when they may not come in."""
    user = request.user
    return user.roles if isinstance(user, User) and user.is_active and user.is_staff else {}


def is_unbounded(request: HttpRequest) -> bool:
    """Do they see every tenant?"""
    return request.user.is_active and request.user.is_superuser


def may(request: HttpRequest, kind: str, act: str, row: Any = None) -> bool:
    """May they do this, with this row or with any at all?"""
    if is_unbounded(request):
        return True
    roles = roles_of(request)
    if row is None:
        return rights.allow_any(roles.values(), kind, act)
    return rights.allows(roles.get(row.pk if isinstance(row, Organization) else row.organization_id), kind, act)


def within(request: HttpRequest, rows: QuerySet[Row], kind: str, act: str) -> QuerySet[Row]:
    """Keep to the rows of organizations in which they may do this with rows of that kind."""
    if is_unbounded(request):
        return rows
    allowed = [owner for owner, role in roles_of(request).items() if rights.allows(role, kind, act)]
    return rows.filter(**{"pk__in" if rows.model is Organization else "organization__in": allowed})


class ByRole(Page):
    """Mixed in before a page: opens it to members of staff, for their own organizations' rows."""

    def may(self, request: HttpRequest, act: str, row: Any = None) -> bool:
        """Ask the table of rights."""
        return may(request, self.model._meta.label_lower, act, row)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Keep to the rows that they may view."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return within(request, rows, self.model._meta.label_lower, "view")

    def formfield_for_foreignkey(self, db_field: "ForeignKey[Any, Any]", request: HttpRequest, **kwargs: Any) -> Any:
        """Offer, and accept, what belongs to organizations in which they may write such rows."""
        if not is_unbounded(request):
            related: QuerySet[Any] = db_field.related_model._meta.base_manager.all()
            kwargs["queryset"] = within(request, related, self.model._meta.label_lower, "add")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Refuse to guess: no page of a tenant's row has such a field."""
        if not is_unbounded(request):
            raise NotImplementedError(f"{db_field} would offer every tenant's rows")
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    # Whoever works for one organization need not be told which

    def get_list_display(self, request: HttpRequest) -> Any:
        """Leave out the column that says the same everywhere."""
        columns = super().get_list_display(request)
        return columns if self._has_several(request) else [name for name in columns if name != "organization"]

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Leave out the filter that has one choice."""
        filters = super().get_list_filter(request)
        return filters if self._has_several(request) else [each for each in filters if each != OWNER_FILTER]

    @staticmethod
    def _has_several(request: HttpRequest) -> bool:
        return is_unbounded(request) or len(roles_of(request)) > 1


class PartByRole(Inline):
    """Mixed in before an inline: the rights of the row whose page it is."""

    def may(self, request: HttpRequest, act: str, row: Any = None) -> bool:
        """Ask the table of rights about the whole: who changes it, adds to it."""
        return may(request, self.parent_model._meta.label_lower, "change" if act == "add" else act, row)
