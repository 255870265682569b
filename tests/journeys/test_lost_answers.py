"""The line goes dead after each request of a booking: the same again, with the same key, ends in one booking."""

import json
import re
import socket
import time
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest

from alerts.services.auditor import check_invariants
from bookings.models import Booking, BookingEvent
from config.kit.models import IdempotencyKey
from scheduling.models import Reservation, Session
from tests.factories import make_session

CUSTOMER = {"email": "anna@example.org", "name": "Anna"}


class Line:
    """A client whose connection ends before the answer comes, and who then sends the same again."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.host = urlsplit(site).netloc

    def lose(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Send a request and hang up when its answer has begun."""
        lines = [f"POST {path} HTTP/1.1", f"Host: {self.host}", f"Content-Length: {len(body)}", "Connection: close"]
        head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""])
        name, _, port = self.host.partition(":")
        with socket.create_connection((name, int(port)), timeout=10) as connection:
            connection.sendall(head.encode() + body)
            connection.recv(1)  # the answer is on its way, and that is all that arrives of it

    def post(self, path: str, body: dict[str, Any], *, key: str, token: str = "") -> Any:
        """Send it, lose the answer, and ask again with the same key until there is one."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, "Reservation-Token": token}
        data = json.dumps(body).encode()
        self.lose(path, data, headers)
        wait_for(lambda: IdempotencyKey.objects.count() >= int(key.rpartition("-")[2]))
        with urlopen(Request(self.site + path, data, headers, method="POST"), timeout=10) as answer:  # noqa: S310 ours
            return json.load(answer)


def wait_for(is_so: Any) -> None:
    """Wait until the server has done what nobody heard of."""
    for _ in range(500):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("the server has not done it")


def one_booking(*, facts: int) -> None:
    booking = Booking.objects.get()
    assert (booking.status, booking.events.count()) == ("confirmed", facts)
    assert BookingEvent.objects.filter(kind="booking_confirmed").count() == 1
    assert list(Reservation.objects.values_list("status", flat=True)) == ["confirmed"]
    assert list(Session.objects.values_list("places_held", "places_booked")) == [(0, 2)]
    assert check_invariants() == []


def test_each_step_of_a_booking_survives_a_lost_answer(live_site: str) -> None:
    session, line = make_session(), Line(live_site)
    held = line.post(
        "/api/v1/reservations", {"session": str(session.id), "party_size": 2, "email": "anna@example.org"}, key="step-1"
    )
    assert Reservation.objects.count() == 1
    path = f"/api/v1/reservations/{held['id']}"
    longer = line.post(f"{path}/extend", {}, key="step-2", token=held["token"])
    assert longer["expires_at"] > held["expires_at"]
    booked = line.post(f"{path}/confirm", {"customer": CUSTOMER}, key="step-3", token=held["token"])
    assert booked["number"] == Booking.objects.get().number
    one_booking(facts=2)


def test_a_booking_in_one_call_survives_a_lost_answer(live_site: str) -> None:
    session = make_session()
    body = {"lines": [{"session": str(session.id), "party_size": 2}], "customer": CUSTOMER}
    booked = Line(live_site).post("/api/v1/bookings", body, key="step-1")
    assert booked["number"] == Booking.objects.get().number
    one_booking(facts=2)


@pytest.mark.parametrize("lost", ["once", "twice"])
def test_the_checkouts_form_survives_a_lost_answer(live_site: str, lost: str) -> None:
    session, line = make_session(), Line(live_site)
    held = line.post(
        "/api/v1/reservations", {"session": str(session.id), "party_size": 2, "email": "anna@example.org"}, key="step-1"
    )
    page = f"/checkout/{held['basket']}/"
    cookie = f"basket={held['basket_token']}"
    with urlopen(Request(live_site + page, headers={"Cookie": cookie}), timeout=10) as shown:  # noqa: S310 ours
        proof = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', shown.read().decode())
        secret = shown.headers["Set-Cookie"].partition(";")[0]
    assert proof
    form = urlencode({**CUSTOMER, "csrfmiddlewaretoken": proof[1]}).encode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded", "Cookie": f"{cookie}; {secret}", "Origin": live_site,
    }  # fmt: skip
    for _ in range(1 if lost == "once" else 2):
        line.lose(page, form, headers)
    wait_for(Booking.objects.exists)
    again = HTTPConnection(line.host, timeout=10)
    again.request("POST", page, form, headers)
    answer = again.getresponse()
    assert (answer.status, Booking.objects.get().number in str(answer.headers["Location"])) == (302, True)
    again.close()
    one_booking(facts=2)
