"""The organization's account at the payment provider: connected by its owner, whose secrets nobody is shown again."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from config.kit.admin import ShownAdmin
from config.kit.clock import database_now
from config.kit.display import utc_text
from config.kit.facts import Actor
from config.kit.refusals import Refusal
from config.kit.visitors import staff_actor
from config.tenants.scoping import OWNER_FILTER, ByRole
from payments.admin.asking import Asks, ConfirmedForm, OwnedForm, organizations_for
from payments.admin.reconciliations import outcome_of
from payments.models import ProviderAccount
from payments.providers.base import ProviderDown, ProviderRefused
from payments.services import accounts, reconciliation

KIND = "payments.provideraccount"
CHECK, RECONCILE = "check_accounts", "reconcile_accounts"  # the rights
ROTATE, END = "rotate_secrets", "end_accounts"
BROKEN = "the provider does not accept its key any more: disconnect it, and connect it with a new one"
UNHEARD = "its key works, but its events do not come here: disconnect it, and connect it again."
AWAY = "the provider does not answer just now; nothing was changed"


class ConnectForm(ConfirmedForm, OwnedForm):
    """The key, which goes in and never comes out."""

    lead = (
        "Paste the secret key of your Stripe account (it begins with sk_). Money of your customers then goes to that "
        "account. The key is kept encrypted, and shown to nobody."
    )
    button = "Connect it"

    api_key = forms.CharField(
        max_length=255, label="Secret key", widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Paste the secret key."},
    )  # fmt: skip


class RotateForm(ConfirmedForm):
    """Events are signed with another secret."""

    title, button, right = "New secret for its events", "Change the secret", ROTATE
    lead = (
        "What the provider tells us is signed with a new secret. The old one is good for another day, so nothing is "
        "lost."
    )
    done = "Its events have a new secret; the old one is good for another day."
    service: Callable[..., ProviderAccount] = staticmethod(accounts.rotate_webhook_secret)


class EndForm(ConfirmedForm):
    """It takes nothing any more."""

    title, button, right = "Disconnect", "Disconnect it", END
    lead = "Nothing can be paid online any more until another account is connected. Refunds and disputes go on."
    done = "Disconnected: it takes no new payments."
    service: Callable[..., ProviderAccount] = staticmethod(accounts.end_account)


FORMS: Mapping[str, type[RotateForm | EndForm]] = {"rotate": RotateForm, "end": EndForm}


@admin.register(ProviderAccount)
class ProviderAccountAdmin(Asks, ByRole, ShownAdmin):
    """Connected and disconnected by the owner; checked and reconciled by those who run the desk."""

    can_add = True
    fields = ("state", "provider", "account_ref", "connected", "reconciled", "former", "organization")
    list_display = ("provider", "account_ref", "state", "organization", "connected", "reconciled")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), OWNER_FILTER)
    list_select_related = ("organization",)
    ordering = ("organization__name", "-created_at")
    actions = (CHECK, RECONCILE)

    def name_of(self, row: ProviderAccount) -> str:
        """Name it by the provider's name for it."""
        return str(row)

    @admin.display(ordering="ended_at")
    def state(self, account: ProviderAccount) -> str:
        """Say whether it takes money."""
        return "disconnected" if account.ended_at else "takes payments"

    @admin.display(ordering="created_at")
    def connected(self, account: ProviderAccount) -> str:
        """Return since when."""
        return utc_text(account.created_at)

    @admin.display(description="compared with the bank until", ordering="reconciled_until")
    def reconciled(self, account: ProviderAccount) -> str:
        """Return how far its statement was read."""
        return utc_text(account.reconciled_until) if account.reconciled_until else "not yet"

    @admin.display(description="secret of its events")
    def former(self, account: ProviderAccount) -> str:
        """Say whether two secrets are good just now."""
        until = account.former_secret_until
        rotates = until and until > database_now()
        return f"changed; the one before is good until {utc_text(until)}" if until and rotates else "kept encrypted"

    # Connecting, and what only the owner does

    def get_urls(self) -> list[URLPattern]:
        """Have an address for each act that asks for the password."""
        view = self.admin_site.admin_view(self.act_view)
        own = [
            path(f"<uuid:account_id>/{act}/", view, {"act": act}, name=f"payments_provideraccount_{act}")
            for act in FORMS
        ]
        return [*own, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:  # noqa: ARG002
        """Ask for the key, ask the provider whose it is, and keep it; never inside a transaction."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        owners = organizations_for(request, KIND, "add")
        form = ConnectForm(request.POST or None, request=request, organizations=owners)
        status = 0
        if form.is_valid():
            try:
                return self._connected(request, self._connect(request, form))
            except Refusal as refusal:
                form.put_refusal(refusal)
                status = refusal.status
        back = reverse("admin:payments_provideraccount_changelist")
        return self.ask(request, form, title="Connect a payment account", back=back, status=status)

    @staticmethod
    def _connect(request: HttpRequest, form: ConnectForm) -> ProviderAccount:
        form.require_password()
        return accounts.connect_account(
            organization_id=form.owner().id, api_key=form.cleaned_data["api_key"], actor=staff_actor(request)
        )

    def _connected(self, request: HttpRequest, account: ProviderAccount) -> HttpResponse:
        self.log_addition(request, account, "Connected")
        self.message_user(request, f"Connected: {account}. Customers can pay online now.", messages.SUCCESS)
        return redirect("admin:payments_provideraccount_change", account.id)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Offer the owner's acts while it is connected."""
        account: ProviderAccount | None = context["original"]
        if account is not None and not account.ended_at:
            context["act_pages"] = [
                (f"../{act}/", form.title) for act, form in FORMS.items() if self.may(request, form.right, account)
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def act_view(self, request: HttpRequest, account_id: UUID, act: str) -> HttpResponse:
        """Say what it does, ask for the password, and do it."""
        account: ProviderAccount | None = self.get_queryset(request).filter(id=account_id).first()
        if account is None:
            raise Http404
        kind = FORMS[act]
        if not self.may(request, kind.right, account):
            raise PermissionDenied
        form, status = kind(request.POST if request.method == "POST" else None, request=request), 0
        if form.is_valid():
            try:
                return self._done(request, account, form)
            except Refusal as refusal:
                form.put_refusal(refusal)
                status = refusal.status
        back = reverse("admin:payments_provideraccount_change", args=[account.id])
        return self.ask(request, form, title=f"{form.title}: {account}", back=back, status=status)

    def _done(self, request: HttpRequest, account: ProviderAccount, form: RotateForm | EndForm) -> HttpResponse:
        form.require_password()
        actor: Actor = staff_actor(request)
        form.service(account.id, actor=actor)
        self.log_change(request, account, form.done)
        self.message_user(request, form.done, messages.SUCCESS)
        return redirect("admin:payments_provideraccount_change", account.id)

    # Looking

    @admin.action(description="Check that it works")
    def check_accounts(self, request: HttpRequest, chosen: QuerySet[ProviderAccount]) -> None:
        """Ask the provider about each."""

        def act(row: ProviderAccount) -> str:
            return "healthy." if accounts.test_account(row.id).hears_us else UNHEARD

        self.act_on_each(request, chosen, act)

    @admin.action(description="Compare with the bank now")
    def reconcile_accounts(self, request: HttpRequest, chosen: QuerySet[ProviderAccount]) -> None:
        """Read each one's statement since the last time."""

        def act(row: ProviderAccount) -> str:
            return f"{outcome_of(_reconciled(row))}."

        self.act_on_each(request, chosen, act)


class CannotRead(Refusal):
    """The bank's statement cannot be read now."""

    code, title, status = "statement_unreadable", "The bank's statement cannot be read now", 503


def _reconciled(account: ProviderAccount) -> Any:
    try:
        return reconciliation.reconcile(account.id)
    except ProviderDown as down:
        raise CannotRead(AWAY) from down
    except ProviderRefused as refused:
        raise CannotRead(BROKEN) from refused
