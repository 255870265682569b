"""REST: what is paid for a booking, what is still to be paid, and what goes back. Parse, one call, answer."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from bookings.api.bookings import actor_of, own_booking, with_version
from bookings.api.changes import version_of
from bookings.api.money import begun, payment_json, payments_json, refunds_json
from bookings.models import Booking
from bookings.serializers import BalanceSerializer, RebateSerializer
from bookings.services import amendments, paying, settlement
from config.kit.api import answer, api_view, checked, read_json
from config.kit.idempotency import claim_of
from config.kit.refusals import NotFound
from config.tenants.authentication import api_key_of
from config.tenants.models import ApiKey


def _payments(request: HttpRequest, booking_id: UUID) -> HttpResponse:
    """GET bookings/{id}/payments: every payment, what is paid, and what is due."""
    booking, _ = own_booking(request, booking_id)
    return with_version(answer(payments_json(booking)), booking)


def _pay(request: HttpRequest, booking_id: UUID) -> HttpResponse:
    """POST bookings/{id}/payments: the page on which a pending booking, or a balance, is paid."""
    booking, key = own_booking(request, booking_id)
    data = checked(BalanceSerializer, read_json(request))
    claim = claim_of(request, caller=str(key.id) if key else str(booking_id), route="POST payments")
    actor = actor_of(request, key)
    if booking.status == Booking.Status.CONFIRMED:
        payment = paying.open_balance(
            booking_id=booking.id, actor=actor, amount_minor=data.get("amount_minor"),
            payer_email=data.get("payer_email", ""), claim=claim,
        )  # fmt: skip
    else:
        payment = paying.open_or_new(booking_id=booking.id, actor=actor)
    return answer(payment_json(begun(request, payment)), status=201)


def _refunds(request: HttpRequest, booking_id: UUID) -> HttpResponse:
    """GET bookings/{id}/refunds: what went back, and what is on its way."""
    booking, _ = own_booking(request, booking_id)
    return with_version(answer(refunds_json(booking)), booking)


def _give_back(request: HttpRequest, booking_id: UUID) -> HttpResponse:
    """POST bookings/{id}/refunds: the organization's program lets the customer off a part, which goes back."""
    booking, key = own_booking(request, booking_id)
    key = key or api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
    if key is None or key.organization_id != booking.organization_id:
        raise NotFound
    data = checked(RebateSerializer, read_json(request))
    booking = settlement.give_back(
        booking_id=booking.id, amount_minor=data["amount_minor"], lines=data.get("lines", ()),
        actor=amendments.with_note(actor_of(request, key), data["reason"]), version=version_of(request, data),
        claim=claim_of(request, caller=str(key.id), route="POST refunds"),
    )  # fmt: skip
    return with_version(answer(refunds_json(booking), status=201), booking)


booking_payments = api_view(GET=_payments, POST=_pay)
booking_refunds = api_view(GET=_refunds, POST=_give_back)
