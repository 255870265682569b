"""Pages on which staff fill in something about money: one look, amounts as people write them, the password where asked.

What a service refuses comes back to the field that it is about, and nothing is written.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from config.kit.admin import AskingMay, ShownAdmin
from config.kit.display import money_text
from config.kit.money import MOST_MINOR, minor_of
from config.kit.refusals import Refusal
from config.tenants.models import Organization
from config.tenants.reauthentication import is_fresh, require_password
from config.tenants.scoping import within

LEAST = Decimal("0.001")  # the finest that any currency has
MOST = 20_000_000  # in whole pounds or euros

if TYPE_CHECKING:

    class Page(ShownAdmin):
        """What it is mixed into."""

else:
    Page = AskingMay


class AmountField(forms.DecimalField):
    """So much, in pounds or euros; how many decimals there may be is the currency's affair."""

    default_error_messages = {
        "required": "Say how much.", "invalid": "Write the amount in digits, such as 45.00.",
        "min_value": "It has to be more than nothing.",
    }  # fmt: skip

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(
            **{"min_value": LEAST, "max_value": MOST, "decimal_places": 3, "max_digits": 12, "widget": widget, **kwargs}
        )


class DayField(forms.DateField):
    """A day, by the browser's own calendar."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    default_error_messages = {"required": "Choose a day.", "invalid": "Write the day as year-month-day."}


class MoneyForm(forms.Form):
    """A form whose service may still refuse it."""

    button = ""
    lead = ""
    field_names: Mapping[str, str] = {}  # what services call a field: its name here, where that differs

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def put_refusal(self, refusal: Refusal) -> None:
        """Say what was refused at the fields that it is about; what is about none of them, above the form."""
        if not refusal.errors:
            self.add_error(None, refusal.detail)
        for error in refusal.errors:
            name = self.field_names.get(error.field, error.field)
            self.add_error(name if name in self.fields else None, error.detail)

    def minor(self, name: str, currency: str) -> int | None:
        """Return an amount in minor units; say at its field when it is finer than the currency, or too much for us.

        Empty: None.
        """
        amount: Decimal | None = self.cleaned_data.get(name)
        try:
            minor = None if amount is None else minor_of(amount, currency)
        except ValueError as error:
            self.add_error(name, str(error))
            return None
        if minor is not None and minor > MOST_MINOR:
            self.add_error(name, f"At most {money_text(MOST_MINOR, currency)}.")
            return None
        return minor


class ConfirmedForm(MoneyForm):
    """Sends money away, so the password is asked for unless it was given a moment ago."""

    password = forms.CharField(
        required=False, strip=False, label="Your password", widget=forms.PasswordInput(
            attrs={"autocomplete": "current-password"}
        ), help_text="Once more, because this moves money. It holds for five minutes.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields([*(name for name in self.fields if name != "password"), "password"])
        if is_fresh(self.request):
            del self.fields["password"]

    def require_password(self) -> None:
        """Refuse unless it is right."""
        require_password(self.request, self.cleaned_data.get("password", ""))


class OwnedForm(forms.Form):
    """A form about something of an organization: of the only one, or of the one that is chosen."""

    organization = forms.ModelChoiceField(
        Organization.objects.none(), empty_label="Choose an organization",
        error_messages={"required": "Choose an organization."},
    )  # fmt: skip

    def __init__(self, *args: Any, organizations: QuerySet[Organization], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.organizations = list(organizations.order_by("name"))
        if len(self.organizations) == 1:
            del self.fields["organization"]
        else:
            self.fields["organization"].queryset = organizations.order_by("name")  # type: ignore[attr-defined]

    def owner(self) -> Organization:
        """Return whose it is."""
        only = self.organizations[0] if len(self.organizations) == 1 else None
        chosen: Organization = only or self.cleaned_data["organization"]
        return chosen

    def currencies(self) -> list[tuple[str, str]]:
        """Return the currencies that can be chosen, those of the first organization first."""
        found = dict.fromkeys(each for owner in self.organizations for each in owner.currencies)
        return [(each, each) for each in found]


def organizations_for(request: HttpRequest, kind: str, right: str) -> QuerySet[Organization]:
    """Return the organizations for which they may do this."""
    return within(request, Organization.objects.all(), kind, right)


class Asks(Page):
    """Mixed in before a page: shows a form in the one look."""

    def ask(
        self, request: HttpRequest, form: MoneyForm, *, title: str, back: str, sentences: Sequence[str] = (),
        status: int = 0, **context: Any,
    ) -> HttpResponse:  # fmt: skip
        """Render the page; `sentences` say what it comes to, once that is known. One to put right is no success."""
        wrong = form.is_bound and bool(form.errors)
        plain = {
            **self.admin_site.each_context(request), "title": title, "opts": self.opts, "form": form, "back": back,
            "sentences": sentences, **context,
        }  # fmt: skip
        code = status or (422 if wrong else 200)
        return TemplateResponse(request, "admin/payments/ask.html", plain, status=code)
