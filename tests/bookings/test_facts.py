"""No change of a booking without the fact that says so."""

import pytest
from django.db import IntegrityError, connection, transaction

from bookings.models import Booking
from bookings.services import lifecycle
from tests.factories import CUSTOMER, book, make_session

pytestmark = pytest.mark.usefixtures("committed_db")


def test_the_database_refuses_another_status_without_its_fact_whoever_writes_it() -> None:
    booking = book(make_session())
    with pytest.raises(IntegrityError, match="without a fact"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE bookings_booking SET status = 'cancelled' WHERE id = %s", [booking.id])
    booking.refresh_from_db()
    assert booking.status == "confirmed"


def test_a_fact_of_an_earlier_transaction_does_not_serve_again() -> None:
    first, second = book(make_session()), book(make_session())
    with transaction.atomic():
        lifecycle.record_event(
            second, kind="booking_cancelled", from_status="confirmed", to_status="cancelled", actor=CUSTOMER
        )
    with pytest.raises(IntegrityError, match="without a fact"), transaction.atomic():
        Booking.objects.filter(id__in=[first.id, second.id]).update(status="cancelled")
    assert set(Booking.objects.values_list("status", flat=True)) == {"confirmed"}


def test_a_transition_brings_its_fact_along() -> None:
    booking = book(make_session())
    with transaction.atomic():
        lifecycle.transition(booking, to=Booking.Status.CANCELLED, kind="booking_cancelled", actor=CUSTOMER)
    assert booking.events.latest("seq").to_status == "cancelled"
