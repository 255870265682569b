"""What staff do about a booking's money: give some back, take some at the desk, send the link to pay.

Each has a page that says what it comes to. What leaves asks for the password once more.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse

from bookings import payment_links
from bookings.admin.acts import asked_version, name_of_line
from bookings.models import Booking
from bookings.services import desk_money, settlement
from config.kit.display import money_text
from config.kit.facts import Actor
from config.kit.money import amount_of
from config.kit.refusals import Refusal
from config.kit.visitors import staff_actor
from payments.admin.asking import AmountField, Asks, ConfirmedForm, MoneyForm
from payments.models import Payment
from payments.services.balances import balance_of

REFUND, TAKE, LINK = "refund_bookings", "take_money", "send_payment_links"  # the rights
WHY = (
    ("goodwill", "Goodwill"),
    ("not_as_promised", "It was not as promised"),
    ("our_mistake", "A mistake of ours"),
    ("other", "Something else"),
)
HOW = (("cash", "Cash"), ("terminal", "Card terminal"))


class MoneyAct(MoneyForm):
    """An act about one booking."""

    title = ""
    right = ""
    previews = True

    def __init__(self, data: Any, *, booking: Booking, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(data, request=request, **kwargs)
        self.booking = booking

    @classmethod
    def most_minor(cls, booking: Booking) -> int:
        """Return how much it can be about: nothing, when it makes no sense now."""
        return desk_money.due_now(booking)

    @property
    def amount_minor(self) -> int:
        """Return the amount in minor units."""
        return int(self.cleaned_data["amount_minor"])

    def clean(self) -> dict[str, Any]:
        """The amount is one of the booking's currency."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "amount" in cleaned:
            cleaned["amount_minor"] = self.minor("amount", self.booking.currency)
        return cleaned

    def text(self, amount_minor: int) -> str:
        """Write so much of the booking's currency."""
        return money_text(amount_minor, self.booking.currency)

    def sentences(self) -> Sequence[str]:
        """Say what it comes to."""
        raise NotImplementedError

    def do(self, request: HttpRequest, version: int) -> str:
        """Do it, and say so."""
        raise NotImplementedError


def _offer(form: MoneyAct, help_text: str) -> None:
    """Put what there is at most into the amount, as a beginning."""
    most = form.most_minor(form.booking)
    form.fields["amount"].initial = money_plain(most, form.booking.currency)
    form.fields["amount"].help_text = help_text.format(form.text(most))


class RefundForm(MoneyAct, ConfirmedForm):
    """Some of what was paid goes back, and the price falls by it."""

    title, button, right = "Give money back", "Give it back", REFUND
    lead = (
        "The booking stays as it is. To take places back, cancel it or change it: what is then too much goes back by "
        "itself."
    )
    field_names = {"amount_minor": "amount"}

    amount = AmountField(label="How much")
    lines = forms.TypedMultipleChoiceField(
        coerce=UUID, required=False, widget=forms.CheckboxSelectMultiple, label="For which part",
        help_text="Tick none, and it is for the whole booking.",
    )  # fmt: skip
    reason_code = forms.ChoiceField(choices=WHY, label="Why")
    reason = forms.CharField(
        max_length=500, label="In your words", help_text="Kept with the booking, with your name.",
        error_messages={"required": "Say why: it is kept with the booking."},
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = self.booking.lines.select_related("session__activity__venue").order_by("session__starts_at", "id")
        self.fields["lines"].choices = [(str(line.id), name_of_line(line)) for line in rows]  # type: ignore[attr-defined]
        _offer(self, "Of this booking, {} can go back.")

    @classmethod
    def most_minor(cls, booking: Booking) -> int:
        """Return what was paid and has not gone back."""
        return max(min(balance_of(booking.id).net_minor, settlement.owed_minor(booking)), 0)

    def sentences(self) -> Sequence[str]:
        """Say what goes back, how, and what stays."""
        self._require_enough()
        back = self._back_minor()
        goes = f"{self.text(back)} goes back as it came: to cards first, then desk money, then vouchers."
        return (
            f"The price falls by {self.text(self.amount_minor)}, to {self.text(self._after_minor())}.",
            goes if back else "Nothing goes back, since not all is paid: less is due instead.",
            "The customer is told by e-mail.",
        )

    def _after_minor(self) -> int:
        return max(self.booking.total_minor - self.amount_minor, 0)

    def _back_minor(self) -> int:
        """Return what is too much then: of a booking that is not paid whole, it is less, or nothing."""
        return max(balance_of(self.booking.id).net_minor - self._after_minor(), 0)

    def _require_enough(self) -> None:
        """Refuse what the service would, before it is asked."""
        most = self.most_minor(self.booking)
        if self.amount_minor > most:
            raise settlement.RebateTooLarge(f"{self.text(most)} can go back, not {self.text(self.amount_minor)}.")

    def do(self, request: HttpRequest, version: int) -> str:
        """Let them off so much, and return it."""
        self.require_password()
        back = self._back_minor()
        settlement.give_back(
            booking_id=self.booking.id, amount_minor=self.amount_minor, reason_code=self.cleaned_data["reason_code"],
            lines=self.cleaned_data["lines"], actor=staff_actor(request, self.cleaned_data["reason"]), version=version,
        )  # fmt: skip
        return f"{self.text(back)} goes back." if back else f"{self.text(self.amount_minor)} less is due."


class TakeMoneyForm(MoneyAct):
    """Money in hand, for what is due."""

    title, button, right = "Take money at the desk", "It is in the till", TAKE
    field_names = {"amount_minor": "amount"}

    amount = AmountField(label="How much")
    how = forms.ChoiceField(
        choices=HOW, widget=forms.RadioSelect, label="How", error_messages={"required": "Say how it was paid."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer(self, "{} is due.")

    def sentences(self) -> Sequence[str]:
        """Say what is due afterwards."""
        left = max(self.most_minor(self.booking) - self.amount_minor, 0)
        waits = self.booking.status == Booking.Status.PENDING
        enough = balance_of(self.booking.id).net_minor + self.amount_minor >= settlement.required_minor(self.booking)
        return (
            f"{self.text(self.amount_minor)} is written down as paid at the desk.",
            f"{self.text(left)} is due after that." if left else "Nothing is due after that.",
            *(("The booking is confirmed by it, if its places are still there.",) if waits and enough else ()),
        )

    def do(self, request: HttpRequest, version: int) -> str:
        """Write it down."""
        actor: Actor = staff_actor(request, dict(HOW)[self.cleaned_data["how"]])
        desk_money.take_money(booking_id=self.booking.id, amount_minor=self.amount_minor, actor=actor, version=version)
        return f"{self.text(self.amount_minor)} is written down as paid."


class PaymentLinkForm(MoneyAct):
    """The link with which the customer pays, to read out or to send."""

    title, button, right, previews = "Link to pay", "Send it by e-mail", LINK, False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.booking.status != Booking.Status.CONFIRMED:
            self.button = ""  # nobody is written to before there is a booking
        self.link = payment_link(self.request, self.booking)

    def sentences(self) -> Sequence[str]:
        """Say where it is paid."""
        due = self.text(self.most_minor(self.booking))
        return (f"{due} is due. It can be paid at this address:" if self.link else f"{due} is due.",)

    def do(self, request: HttpRequest, version: int) -> str:  # noqa: ARG002
        """Have it sent."""
        desk_money.remind_of_balance(booking_id=self.booking.id, actor=staff_actor(request))
        return f"The link goes to {self.booking.customer.email}."


FORMS: Mapping[str, type[MoneyAct]] = {
    "refund": RefundForm,
    "take-money": TakeMoneyForm,
    "payment-link": PaymentLinkForm,
}


def payment_link(request: HttpRequest, booking: Booking) -> str:
    """Return where a booking is paid: its open payment's page, or its own to pay; empty when there is none now."""
    if booking.status == Booking.Status.CONFIRMED:
        address = reverse("open-booking", kwargs={"number": booking.number, "token": booking.token})
        return request.build_absolute_uri(f"{address}?to=pay")
    rows = Payment.objects.filter(reference=booking.id, provider="stripe").order_by("-id")
    waiting = next((payment for payment in rows if payment.is_open), None)
    return payment_links.links_of(request)(waiting)[0] if waiting else ""


def money_plain(amount_minor: int, currency: str) -> str:
    """Return an amount as a form has it: 45.00."""
    return str(amount_of(amount_minor, currency))


class MoneyActs(Asks):
    """Mixed in before the booking's page: a page for each act about its money."""

    def get_urls(self) -> list[URLPattern]:
        """Have an address for each."""
        view = self.admin_site.admin_view(self.money_view)
        own = [path(f"<uuid:booking_id>/{act}/", view, {"act": act}, name=f"bookings_booking_{act}") for act in FORMS]
        return [*own, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show which acts this person may do with the booking's money as it is now."""
        booking: Booking | None = context["original"]
        if booking is not None:
            context["act_pages"] = [*context.get("act_pages", []), *self._offered(request, booking)]
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    def _offered(self, request: HttpRequest, booking: Booking) -> list[tuple[str, str]]:
        return [
            (f"../{act}/", form.title)
            for act, form in FORMS.items()
            if self.may(request, form.right, booking) and form.most_minor(booking)
        ]

    def money_view(self, request: HttpRequest, booking_id: UUID, act: str) -> HttpResponse:
        """Ask, show what it comes to, and do it when that was pressed."""
        booking: Booking | None = self.get_queryset(request).filter(id=booking_id).first()
        if booking is None:
            raise Http404
        kind = FORMS[act]
        if not self.may(request, kind.right, booking):
            raise PermissionDenied
        form = kind(request.POST if request.method == "POST" else None, booking=booking, request=request)
        sentences, status = (() if kind.previews else form.sentences()), 0
        if form.is_valid():
            try:
                if "do" in request.POST:
                    return self._money_done(request, form, form.do(request, asked_version(request)))
                sentences = form.sentences()
            except Refusal as refusal:
                form.put_refusal(refusal)
                status = refusal.status
        return self.ask(
            request, form, title=f"{form.title}: booking {booking.number}, {booking.contact_name}",
            back=reverse("admin:bookings_booking_change", args=[booking.id]), sentences=sentences, status=status,
            previews=kind.previews, version=booking.version,
        )  # fmt: skip

    def _money_done(self, request: HttpRequest, form: MoneyAct, outcome: str) -> HttpResponse:
        self.log_change(request, form.booking, f"{form.title}: {outcome}"[:200])
        self.message_user(request, outcome, messages.SUCCESS)
        return redirect("admin:bookings_booking_change", form.booking.id)
