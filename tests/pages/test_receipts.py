"""The receipt of a booking, on its page and as a file."""

import subprocess
import sys
import unicodedata
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.test import Client

from bookings.models import Booking
from bookings.receipt_files import NOTE, writable
from bookings.services import settlement
from config.kit.clock import database_now
from payments.models import Dispute
from tests.bookings.paid import paid, payment_of, sale
from tests.pages.money import DESK, come_in, with_deposit
from tests.pages.pdf import Pdf
from tests.pages.test_booking_pages import text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bank")]


def test_a_receipt_names_every_payment_and_refund_with_its_day_on_the_page_and_in_the_file(client: Client) -> None:
    booking = paid(sale(), 3)
    with transaction.atomic():
        settlement.give_back(booking_id=booking.id, amount_minor=200, actor=DESK)
    Booking.objects.filter(id=booking.id).update(contact_name="Zoë Señoría €uro")
    here = come_in(client, booking)
    file = client.get(f"{here}receipt.pdf")
    assert (file["Content-Type"], file.content[:5]) == ("application/pdf", b"%PDF-")
    day = f"{database_now().astimezone(ZoneInfo('Europe/London')):%-d %B %Y}"
    for words in (text(client.get(f"{here}receipt/")), Pdf(file.content).words):
        assert f"Receipt for booking {booking.number}" in words
        assert "Zoë Señoría €uro" in words
        assert "3 × Adult" in words
        assert f"{day}: Paid by card" in words
        assert f"{day}: Goes back to your card" in words
        assert [amount for amount in ("£30.00", "£28.00", "£2.00") if amount not in words] == []
    assert NOTE not in Pdf(file.content).words


NAMES = "Łukasz Żak, Dvořák, Ιωάννα, Иван, Şebnem Ağaoğlu, Nguyễn Thị Hiền, Zoë"


def test_every_european_name_is_written_in_the_file_letter_by_letter(client: Client) -> None:
    booking = with_deposit()
    Booking.objects.filter(id=booking.id).update(contact_name=unicodedata.normalize("NFD", NAMES))
    words = Pdf(client.get(f"{come_in(client, booking)}receipt.pdf").content).words
    assert NAMES in words
    assert NOTE not in words


def test_what_the_files_font_cannot_write_is_said_in_the_file(client: Client) -> None:
    booking = with_deposit()
    Booking.objects.filter(id=booking.id).update(contact_name="Łukasz 李")
    words = Pdf(client.get(f"{come_in(client, booking)}receipt.pdf").content).words
    assert "Łukasz ?" in words
    assert NOTE in words
    assert writable("Ünïcödé £ € – ’") == "Ünïcödé £ € – ’"


def test_a_process_that_writes_no_file_does_not_load_what_writes_them() -> None:
    look = "import django, sys; django.setup(); import config.urls; print('fpdf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout == "False\n"


def test_money_that_the_bank_took_back_is_on_the_receipt_and_its_sums_agree(client: Client) -> None:
    booking = paid(sale(), 3)
    dispute = Dispute.objects.create(
        organization_id=booking.organization_id, payment=payment_of(booking), provider_ref="dp_1", amount_minor=3000,
        currency="GBP", is_withdrawn=True,
    )  # fmt: skip
    here = come_in(client, booking)
    taken = "Taken back by your bank −£30.00 Paid in all £0.00"
    assert taken in text(client.get(f"{here}receipt/"))
    Dispute.objects.filter(id=dispute.id).update(status="won", is_withdrawn=False, closed_at=database_now())
    assert "Paid by card £30.00 Paid in all £30.00" in text(client.get(f"{here}receipt/"))
