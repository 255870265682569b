"""What customers fill in to book."""

from django import forms

from config.kit.refusals import FieldError, InvalidRequest


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
