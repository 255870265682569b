"""What customers fill in to book."""

from django import forms


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
