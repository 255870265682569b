"""A shop that uses the sandbox bank as it would use Stripe: through the official client; and an ear for its events."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import stripe

from payments.sandbox.server import BankServer

T = TypeVar("T")
WAIT_SECONDS = 20.0
SUCCEEDS, DECLINED, NO_FUNDS, CHALLENGE = "4242424242424242", "4000000000000002", "4000000000009995", "4000002500003155"
LATE, LATE_FAILS, DISPUTED = "4000000000100018", "4000000000100026", "4000000000000259"
REFUNDS_FAIL, REFUNDS_WAIT = "4000000000005126", "4000000000007726"


@contextmanager
def open_bank(folder: Path) -> Iterator[BankServer]:
    """Serve a bank on a free port until the end of the block."""
    with BankServer(("127.0.0.1", 0), folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(url: str, body: Any = None, *, method: str = "", key: str = "") -> Any:
    """Send JSON to the bank's own calls, and return its answer."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, headers, method=method or None)  # noqa: S310 our own server
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)


def until(look: Callable[[], T]) -> T:
    """Look until there is something to see, and return it."""
    give_up_at = time.monotonic() + WAIT_SECONDS
    while not (seen := look()):
        assert time.monotonic() < give_up_at, "it never came"
        time.sleep(0.02)
    return seen


@dataclass
class Shop:
    """One account at a bank."""

    url: str
    key: str = "sk_test_shop"
    client: stripe.StripeClient = field(init=False)

    def __post_init__(self) -> None:
        """Make the official client, unchanged, but for where the bank is."""
        self.client = stripe.StripeClient(self.key, base_addresses={"api": self.url}, max_network_retries=0)

    def checkout(self, amount: int = 4500, currency: str = "gbp", **more: Any) -> stripe.checkout.Session:
        """Open a session for one line of two."""
        price = {"currency": currency, "unit_amount": amount // 2, "product_data": {"name": "Harbour tour"}}
        asked: Any = {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 2}],
            "success_url": "http://shop.test/paid?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://shop.test/basket",
            "client_reference_id": "HF-1001",
            "payment_intent_data": {"metadata": {"payment": "p-1"}},
        }
        options: Any = {"idempotency_key": more.pop("key")} if "key" in more else {}
        return self.client.v1.checkout.sessions.create(asked | more, options)

    def look(self, session_id: str) -> stripe.checkout.Session:
        """Return a session with its payment and charge."""
        return self.client.v1.checkout.sessions.retrieve(session_id, {"expand": ["payment_intent.latest_charge"]})

    def pay(self, session_id: str, card: str = SUCCEEDS, **more: Any) -> Any:
        """Pay without a browser."""
        return ask(f"{self.url}/sandbox/checkout/{session_id}/pay", {"card": card, **more})

    def paid(self, amount: int = 4500, card: str = SUCCEEDS) -> str:
        """Pay a new session; return its payment's id."""
        session = self.checkout(amount)
        self.pay(session.id, card)
        return intent_of(self.look(session.id)).id

    def act(self, name: str, object_id: str) -> None:
        """Have something of the world outside happen."""
        ask(f"{self.url}/sandbox/acts", {"act": name, "id": object_id})

    def faults(self, **faults: Any) -> None:
        """Misbehave."""
        ask(f"{self.url}/sandbox/faults", faults, method="PUT")

    def told(self) -> list[str]:
        """Return the kinds of all events, the oldest first."""
        return [event.type for event in reversed(self.client.v1.events.list({"limit": 100}).data)]

    def ledger(self) -> Any:
        """Return the bank's books on this account."""
        return ask(f"{self.url}/sandbox/ledger", key=self.key)


def intent_of(session: stripe.checkout.Session) -> stripe.PaymentIntent:
    """Return the payment of a session that was looked at."""
    assert isinstance(session.payment_intent, stripe.PaymentIntent)
    return session.payment_intent


def charge_of(session: stripe.checkout.Session) -> stripe.Charge:
    """Return the last charge of a session that was looked at."""
    charge = intent_of(session).latest_charge
    assert isinstance(charge, stripe.Charge)
    return charge


@dataclass
class Heard:
    """One delivery: its body and its signature."""

    body: str
    signature: str

    @property
    def event(self) -> Any:
        """Return what it says."""
        return json.loads(self.body)


class Ear(ThreadingHTTPServer):
    """Listens for events, and answers as it is told: each status of `answers` once, then 200."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port."""
        self.heard: list[Heard] = []
        self.answers: list[int] = []
        super().__init__(("127.0.0.1", 0), EarHandler)

    @property
    def url(self) -> str:
        """Return where to deliver."""
        return f"http://127.0.0.1:{self.server_port}/hook?from=bank"

    def kinds(self) -> list[str]:
        """Return the kinds of what was heard, sorted, since their order is not promised."""
        return sorted(each.event["type"] for each in list(self.heard))


class EarHandler(BaseHTTPRequestHandler):
    """Keeps what is delivered."""

    server: Ear
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Keep one delivery."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.heard.append(Heard(body, self.headers["Stripe-Signature"]))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[Ear]:
    """Listen until the end of the block."""
    with Ear() as ear:
        thread = threading.Thread(target=ear.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield ear
        ear.shutdown()
        thread.join()
