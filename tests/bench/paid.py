"""Paid checkouts over HTTP beside bookings that are paid on arrival: booked, paid at the bank, heard of, confirmed.

A checkout counts once its booking is confirmed: the bank's event was received, verified, stored and applied. Clients
are threads of one Python process, which shares the machine with everything else; so the ratio is what to look at.
"""

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections

import config.celery  # noqa: F401 nudges find the broker
from config.kit.ids import uuid7
from payments.services import provider_events
from payments.services.accounts import connect_account
from scheduling.models import Activity
from tests.bench.ground import Ground, Web
from tests.bench.hold import WRONG_SESSIONS
from tests.bench.seed import create_activities, create_sessions
from tests.bench.table import Row, Sample, WrongResult, print_table, say
from tests.factories import CUSTOMER
from tests.soak.bank import SUCCEEDS, Bank, running_bank

SESSIONS, ROOMY = 100, 1_000_000
CLIENTS = 8
CREATED = 201
SETTLE_SECONDS = 60
STATES = """SELECT count(*) FILTER (WHERE b.status = 'confirmed'), count(*) FILTER (WHERE b.status = 'pending'),
    count(*) FILTER (WHERE b.status NOT IN ('confirmed', 'pending')) FROM bookings_booking b
    WHERE b.payment_method = 'online'"""
BOOKS = """SELECT (SELECT coalesce(sum(amount_minor), 0) FROM payments_payment WHERE status = 'succeeded'),
    (SELECT coalesce(sum(amount_minor), 0) FROM payments_ledgerentry WHERE account = 'clearing')"""


def run(ground: Ground, *, rounds: int) -> None:
    """Measure in rounds; afterwards every paid checkout is a booking, and the bank's books are ours."""
    rows = {"arrival": Row("paid on arrival", str(CLIENTS)), "paid": Row("paid at the bank", str(CLIENTS))}
    with running_bank() as bank:
        settings.STRIPE_API_BASE = bank.url
        with ground.web(STRIPE_API_BASE=bank.url, PAYMENT_PAGES=bank.url) as web, Inbox():
            shops = _shops(web)
            for number in range(1, rounds + 1):
                say(f"paid: round {number} of {rounds}")
                _round(ground, web, bank, rows, shops)
        _check(ground, bank)
    print_table("Paid checkouts beside bookings that are paid on arrival", list(rows.values()))


def _shops(web: Web) -> tuple[Sequence[UUID], Sequence[UUID]]:
    """Create what is paid for on arrival, and what is paid for online."""
    settings.SITE_URL = web.url("")
    arrival, online = (create_activities(10, name=name) for name in ("arrival", "online"))
    Activity.objects.filter(id__in=[activity.id for activity in arrival]).update(pay_on_arrival=True)
    Activity.objects.filter(id__in=[activity.id for activity in online]).update(pay_on_arrival=False)
    for organization_id in {activity.organization_id for activity in online}:
        connect_account(organization_id=organization_id, api_key="sk_test_soak", actor=CUSTOMER)
    first, second = (create_sessions(each, each=SESSIONS // 10, capacity=ROOMY) for each in (arrival, online))
    return first, second


class Inbox:
    """Apply what the bank tells, as the worker does."""

    def __enter__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while not self._over.wait(0.02):
            provider_events.apply_due_events()
        connections.close_all()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def _round(
    ground: Ground, web: Web, bank: Bank, rows: dict[str, Row], shops: tuple[Sequence[UUID], Sequence[UUID]]
) -> None:
    on_arrival, online = shops
    base = _measure(ground, web, lambda client, n: _book(client, on_arrival[n % SESSIONS], "pay_on_arrival")["id"])
    rows["arrival"].samples.append(base)

    def pay(client: "Client", number: int) -> None:
        booked = _book(client, online[number % SESSIONS], "online")
        payment, token = booked["payment"], {"Booking-Token": booked["token"]}
        while not payment["redirect_url"]:  # the bank's seats were taken: ask again, as a page would
            time.sleep(0.01)
            payment = client.post(f"/api/v1/bookings/{booked['id']}/payments", {}, token)
        bank.pay(payment["redirect_url"], SUCCEEDS)

    paid = _measure(ground, web, pay, done=lambda: _all_confirmed(ground))
    rows["paid"].samples.append(paid)
    rows["paid"].ratios.append(paid.per_second / base.per_second)
    say(f"  on arrival {base.per_second:,.0f} a second, paid at the bank {paid.per_second:,.0f}")


def _book(client: "Client", session: UUID, method: str) -> Any:
    name = uuid7().hex
    body = {
        "lines": [{"session": str(session), "party_size": 1}], "payment_method": method,
        "customer": {"email": f"{name}@example.com", "name": "Somebody"},
    }  # fmt: skip
    return client.post("/api/v1/bookings", body, {"Idempotency-Key": name})


def _measure(
    ground: Ground, web: Web, act: Callable[["Client", int], object], done: Callable[[], bool] = lambda: True
) -> Sample:
    """Act with all clients for the time of a run; the clock stops when what was begun is done."""
    cpu, db, started = web.cpu_ms(), ground.db_cpu_ms(), time.monotonic()
    until = started + ground.seconds

    def work(number: int) -> list[float]:
        client = Client(web.port)
        took: list[float] = []
        while time.monotonic() < until:
            before = time.monotonic()
            act(client, number * 7919 + len(took))
            took.append((time.monotonic() - before) * 1000)
        return took

    with ThreadPoolExecutor(CLIENTS) as pool:
        took = sorted(ms for each in pool.map(work, range(CLIENTS)) for ms in each)
    give_up_at = time.monotonic() + SETTLE_SECONDS
    while not done():
        if time.monotonic() > give_up_at:
            raise WrongResult("what was paid is not confirmed")
        time.sleep(0.02)
    seconds, count = time.monotonic() - started, len(took)
    return Sample(
        per_second=count / seconds, p50=took[count // 2], p95=took[count * 95 // 100], p99=took[count * 99 // 100],
        app_cpu=(web.cpu_ms() - cpu) / count, db_cpu=(ground.db_cpu_ms() - db) / count,
    )  # fmt: skip


def _all_confirmed(ground: Ground) -> bool:
    confirmed, pending, others = ground.sql(STATES)[0]
    if others:
        raise WrongResult(f"{others} paid bookings are neither confirmed nor pending")
    return bool(confirmed) and not pending


def _check(ground: Ground, bank: Bank) -> None:
    """Prove the outcome: the bank's books, our payments and our ledger are the same sum, and nothing is oversold."""
    charged = sum(totals["charged"] for totals in bank.ask("/sandbox/ledger")["totals"].values())
    paid, clearing = ground.sql(BOOKS)[0]
    if not charged == paid == clearing:
        raise WrongResult(f"the bank has {charged}, payments are {paid}, the ledger has {clearing}")
    if ground.sql(WRONG_SESSIONS) != [(0,)]:
        raise WrongResult("counters are not the sums of their reservations, or a session is oversold")


class Client:
    """One client with a connection that stays."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, path: str, body: Any, headers: dict[str, str]) -> Any:
        """Send JSON; return what was created."""
        self._connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **headers})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != CREATED:
            raise WrongResult(f"{path}: {answer.status} {text[:300]!r}")
        return json.loads(text)
