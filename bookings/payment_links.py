"""Where a payer comes back to from the provider's page: by a token for this payment alone, so no cookie is needed."""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse

from config.kit.refusals import NotFound
from config.kit.tokens import is_valid_token
from payments.models import Payment


def links_of(request: HttpRequest, *, back: str = "") -> Callable[[Payment], tuple[str, str]]:
    """Return what makes a payment's two addresses: for who has paid, and for who turned `back` (a path of this site).

    Without a `back` both lead to the payment's own page.
    """

    def links(payment: Payment) -> tuple[str, str]:
        own = own_address(payment)
        return request.build_absolute_uri(own), request.build_absolute_uri(back or own)

    return links


def own_address(payment: Payment) -> str:
    """Return where a payment tells what became of it: to whoever has this address, and nothing else of the booking."""
    return reverse("payment", kwargs={"payment_id": payment.id, "token": payment.token})


def require_payment(payment_id: UUID, token: str) -> Payment:
    """Return the payment that this token opens, or raise NotFound."""
    if not is_valid_token(token, purpose="payment", subject=payment_id):
        raise NotFound
    payment = Payment.objects.filter(id=payment_id).first()
    if payment is None:
        raise NotFound
    return payment
