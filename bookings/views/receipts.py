"""Customer pages: the receipt of a booking, to print and as a file. Parse, one call, answer."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.module_loading import import_string
from django.views.decorators.http import require_GET

from bookings.models import Booking
from bookings.pages import booking_page
from bookings.receipts import Receipt, receipt_of
from bookings.views.booking import COOKIE, require_booking
from config.kit.clock import database_now
from config.kit.embedding import allow_frames, embedded

# By name, since loading what writes PDFs takes most of a second: only a process pays it that writes one.
PDF_WRITER = "bookings.receipt_files.receipt_pdf"


def _receipt(booking: Booking) -> Receipt:
    return receipt_of(booking_page(booking.number), at=database_now())


@require_GET
def show_receipt(request: HttpRequest, number: str) -> HttpResponse:
    """GET /bookings/{number}/receipt/: on one page, which prints."""
    booking = require_booking(number, request.COOKIES.get(COOKIE))
    context = {
        "receipt": _receipt(booking), "organization": booking.organization,
        "here": reverse("booking", kwargs={"number": number}),
        "file_url": reverse("receipt-pdf", kwargs={"number": number}),
    }  # fmt: skip
    return render(request, "bookings/receipt.html", context)


@require_GET
def download_receipt(request: HttpRequest, number: str) -> HttpResponse:
    """GET /bookings/{number}/receipt.pdf"""
    return _file(require_booking(number, request.COOKIES.get(COOKIE)))


@require_GET
@embedded
def download_receipt_embedded(request: HttpRequest, number: str, token: str) -> HttpResponse:  # noqa: ARG001 a view
    """GET /embed/bookings/{number}.{token}/receipt.pdf"""
    return allow_frames(_file(require_booking(number, token)), [])


def _file(booking: Booking) -> HttpResponse:
    write = import_string(PDF_WRITER)
    response = HttpResponse(write(_receipt(booking)), content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="receipt-{booking.number}.pdf"'
    return response
