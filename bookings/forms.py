"""What customers fill in to book."""

from decimal import Decimal

from django import forms

from config.kit.money import amount_of, exponent, minor_of
from config.kit.refusals import FieldError, InvalidRequest, Refusal
from payments.methods import PaymentMethod


class ContactForm(forms.Form):
    """Who books: three fields, which a browser fills in by itself."""

    name = forms.CharField(
        max_length=200,
        label="Your name",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={"required": "Give your name, so that the venue knows who comes."},
    )
    email = forms.EmailField(
        label="E-mail",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={
            "required": "Give your e-mail address.",
            "invalid": "This does not look like an e-mail address: name@example.org.",
        },
    )
    phone = forms.CharField(
        max_length=40,
        required=False,
        label="Phone",
        help_text="Only for the day itself, if something changes.",
        widget=forms.TextInput(attrs={"autocomplete": "tel", "type": "tel"}),
    )

    def clean_email(self) -> str:
        """Without case: A@x and a@x are one customer."""
        return str(self.cleaned_data["email"]).lower()


class PayForm(forms.Form):
    """How the basket is paid for: by which method, and with which codes. What they are worth the services say."""

    payment_method = forms.ChoiceField(
        choices=[(method.value, method.label) for method in PaymentMethod], required=False, label="How you pay"
    )
    promo_code = forms.CharField(
        max_length=60, required=False, label="Promo code", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    voucher = forms.CharField(
        max_length=60, required=False, label="Voucher", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    @property
    def codes(self) -> dict[str, str]:
        """Return the codes as typed."""
        return {name: self.cleaned_data.get(name, "").strip() for name in ("promo_code", "voucher")}

    def blame(self, refusals: list[Refusal]) -> bool:
        """Say at its field what stands against a code; is that all there is to say?"""
        errors = [error for refusal in refusals for error in refusal.errors]
        of_codes = [error for error in errors if error.field in ("promo_code", "voucher")]
        for error in of_codes:
            self.add_error(error.field, f"{error.detail.rstrip('.')}.")
        return len(of_codes) == len(errors) and bool(errors)


class BalanceForm(forms.Form):
    """How much of what is due somebody pays, and who gets the provider's receipt."""

    amount = forms.DecimalField(
        label="Amount",
        error_messages={"required": "Say how much is to be paid.", "invalid": "Give the amount as a number: 15.00."},
    )
    email = forms.EmailField(
        required=False,
        label="E-mail of whoever pays",
        help_text="Only if it is somebody else: the receipt of the payment goes there.",
        error_messages={"invalid": "This does not look like an e-mail address: name@example.org."},
    )

    def __init__(self, *args: object, due_minor: int, currency: str, words: str, **kwargs: object) -> None:
        """Ask for all that is due, in this currency, unless less is given; `words` say how much that is."""
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.due_minor, self.currency, self.words = due_minor, currency, words
        amount = self.fields["amount"]
        amount.label = f"Amount, in {currency}"
        amount.initial = amount_of(due_minor, currency)
        amount.widget.attrs |= {"step": f"{Decimal(1).scaleb(-exponent(currency))}", "inputmode": "decimal"}

    def clean_amount(self) -> int:
        """Return minor units: no more than is due, no finer than the currency."""
        try:
            minor = minor_of(self.cleaned_data["amount"], self.currency)
        except (ValueError, ArithmeticError) as error:
            raise forms.ValidationError(f"{self.currency} is not that fine.") from error
        if not 1 <= minor <= self.due_minor:
            raise forms.ValidationError(f"Pay {self.words} or less.")
        return minor


class TransferForm(forms.Form):
    """To whom a booking is offered."""

    name = forms.CharField(
        max_length=200, label="Their name", error_messages={"required": "Give the name of whoever takes it over."}
    )
    email = forms.EmailField(
        label="Their e-mail",
        error_messages={
            "required": "Give their e-mail address: we ask them there whether they agree.",
            "invalid": "This does not look like an e-mail address: name@example.org.",
        },
    )

    def clean_email(self) -> str:
        """Without case: A@x and a@x are one customer."""
        return str(self.cleaned_data["email"]).lower()


class LinkForm(forms.Form):
    """Where a link to the basket is to go."""

    email = forms.EmailField(
        label="E-mail",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={
            "required": "Give your e-mail address: the link is sent there.",
            "invalid": "This does not look like an e-mail address: name@example.org.",
        },
    )


def wrong_fields(form: forms.Form) -> InvalidRequest:
    """Return what a form found wrong as the refusal that it is, for whoever counts them."""
    errors = [
        FieldError(name, str(error.code or "invalid"), " ".join(error.messages))
        for name, found in form.errors.as_data().items()
        for error in found
    ]
    return InvalidRequest(errors=errors)
