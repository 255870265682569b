"""The sandbox bank beside a site, and buyers that pay there: by hand of a program, as quick as both allow."""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from uuid import uuid4

from tests.soak.site import ROOT, Answer, Site

SUCCEEDS, DECLINED, CHALLENGE, LATE = "4242424242424242", "4000000000000002", "4000002500003155", "4000000000100018"
CARDS = (SUCCEEDS,) * 7 + (DECLINED, CHALLENGE, LATE)
KEY = "sk_test_soak"
TRIES, PAUSE_SECONDS = 40, 0.25
CREATED = 201

CONNECT = """
from uuid import uuid4
from payments.services.accounts import connect_account
from tests.factories import CUSTOMER, make_activity, make_organization, make_session, make_venue
organization = make_organization(slug=uuid4().hex)
connect_account(organization_id=organization.id, api_key="{key}", actor=CUSTOMER)
activity = make_activity(make_venue(organization), slug=uuid4().hex, pay_on_arrival=False, cancel_until_minutes=0)
from datetime import timedelta
for _ in range({sessions}):
    print(make_session(activity, capacity={capacity}, starts_in=timedelta(days=20 + _)).id)
"""
UNDONE = """
from bookings.models import Booking
from payments.models import Payment, ProviderEvent, Refund
rows = (
    Booking.objects.filter(status="pending"), Payment.objects.filter(status__in=["created", "processing"]),
    Refund.objects.filter(status__in=["requested", "submitted"]), ProviderEvent.objects.filter(applied_at=None),
)
print(*(each.count() for each in rows))
"""
HURRY = """
from datetime import timedelta
from scheduling.models import Reservation
from tests.factories import lapse
from config.kit.clock import database_now
from payments.models import Payment, ProviderEvent, Refund
now = database_now()
lapse(*Reservation.objects.held(), ago=timedelta(minutes=1))  # who walked away has had his time
Payment.objects.filter(status__in=["created", "processing"], expires_at__gt=now).update(expires_at=now)
Payment.objects.filter(status__in=["created", "processing"]).update(looked_at=None, looks=0)
Refund.objects.filter(next_try_at__gt=now).update(next_try_at=now)
ProviderEvent.objects.filter(next_try_at__gt=now).update(next_try_at=now)
"""
BOOKS = """
import json
from django.db.models import Sum
from bookings.models import Booking
from payments.models import LedgerEntry, Payment, Refund
from payments.services.balances import balances_of
ours = Payment.objects.filter(provider="stripe", status="succeeded")
bookings = {b.id: b for b in Booking.objects.all()}
net = balances_of(list(bookings))
owed = lambda b: 0 if b.status == "expired" else b.total_minor
print(json.dumps({
    "payments": {p.intent_ref: p.amount_minor for p in ours},
    "refunds": {r.provider_ref: r.amount_minor for r in Refund.objects.filter(status="succeeded")},
    "clearing": LedgerEntry.objects.filter(account="clearing").aggregate(all=Sum("amount_minor"))["all"] or 0,
    "statuses": {s: Booking.objects.filter(status=s).count() for s in Booking.Status.values},
    "neither_booked_nor_refunded": [str(b.id) for b in bookings.values() if net[b.id].net_minor != owed(b)],
}))
"""


@dataclass(frozen=True)
class Bank:
    """A running sandbox bank."""

    url: str

    def ask(self, path: str, body: Any = None, *, method: str = "") -> Any:
        """Send JSON to the bank's own calls; return its answer."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {KEY}"}
        request = urllib.request.Request(f"{self.url}{path}", content, headers, method=method or None)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 our own server
            return json.load(answer)

    def faults(self, **faults: Any) -> None:
        """Misbehave like this from now on; like nothing: behave."""
        self.ask("/sandbox/faults", faults, method="PUT")

    def pay(self, redirect_url: str, card: str) -> str:
        """Pay at a checkout as its customer; return what the bank says."""
        checkout = redirect_url.rstrip("/").rpartition("/")[2].partition("?")[0]
        body = {"card": card, "approve": True}
        return str(self.ask(f"/sandbox/checkout/{checkout}/pay", body)["status"])


@contextmanager
def running_bank() -> Iterator[Bank]:
    """Serve a bank of its own until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bank-") as folder:
        command = [sys.executable, "-m", "payments.sandbox", "--folder", folder]
        with subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"DEMO": "on"}, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout
                yield Bank(process.stdout.readline().split()[-1].rstrip("/"))
            finally:
                process.kill()


def open_shop(site: Site, *, sessions: int, capacity: int) -> list[str]:
    """Make an organization that takes money at the bank, with sessions that are paid for; return their ids."""
    code = CONNECT.format(key=KEY, sessions=sessions, capacity=capacity)
    return site.manage("shell", "--verbosity=0", code=code).splitlines()[-sessions:]


@dataclass
class Buyer:
    """Somebody who books and pays, whatever goes wrong on the way."""

    site: Site
    bank: Bank
    chance: random.Random

    def buy(self, session: str) -> str:
        """Book one place, pay for it at the bank, perhaps turn back; say what came of it."""
        booked = self._book(session)
        if booked.status != CREATED:
            return f"booking {booked.status} {booked.body.get('code', '')}"
        address = self._page(booked)
        if address is None:
            return "no page"
        if self.chance.random() < 0.05:
            return "left"
        said = self._pay(address, self.chance.choice(CARDS))
        if self.chance.random() < 0.15:
            self._call("POST", f"bookings/{booked.body['id']}/cancel", {}, booked)
        return said

    def _book(self, session: str) -> Answer:
        name = uuid4().hex
        body = {
            "lines": [{"session": session, "party_size": 1}], "payment_method": "online",
            "customer": {"email": f"{name}@example.org", "name": name},
        }  # fmt: skip
        return self.site.call("POST", "bookings", body, Idempotency_Key=name)

    def _page(self, booked: Answer) -> str | None:
        """Return the bank's page; ask again while it is away."""
        payment = booked.body["payment"]
        for _ in range(TRIES):
            if payment.get("redirect_url"):
                return str(payment["redirect_url"])
            time.sleep(PAUSE_SECONDS)
            payment = self._call("POST", f"bookings/{booked.body['id']}/payments", {}, booked).body
        return None

    def _pay(self, address: str, card: str) -> str:
        try:
            said = self.bank.pay(address, card)
            return self.bank.pay(address, SUCCEEDS) if card == DECLINED else said
        except (OSError, HTTPException) as error:
            return type(error).__name__

    def _call(self, method: str, path: str, body: Any, booked: Answer) -> Answer:
        return self.site.call(method, path, body, Booking_Token=str(booked.body["token"]))


def wait_until_done(site: Site, *, seconds: float) -> list[int]:
    """Wait until nothing is pending, open, on its way or unread any more; return what still is."""
    until = time.monotonic() + seconds
    while True:
        left = [int(number) for number in site.manage("shell", "--verbosity=0", code=UNDONE).split()]
        if not any(left) or time.monotonic() > until:
            return left
        site.manage("shell", "--verbosity=0", code=HURRY)
        time.sleep(5)


def books_of(site: Site) -> dict[str, Any]:
    """Return our books: payments and refunds by the bank's names, and who was left with neither."""
    found: dict[str, Any] = json.loads(site.manage("shell", "--verbosity=0", code=BOOKS).splitlines()[-1])
    return found


def theirs(ledger: dict[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the bank's succeeded payments and refunds by their names."""
    paid = {row["id"]: row["amount_received"] for row in ledger["payment_intents"] if row["status"] == "succeeded"}
    back = {row["id"]: row["amount"] for row in ledger["refunds"] if row["status"] == "succeeded"}
    return paid, back


def tally_of(said: list[str]) -> dict[str, int]:
    """Count what was said."""
    return dict(Counter(said))
