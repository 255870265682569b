"""Delivering events: signed, by a few threads, again and again until somebody says yes."""

import hashlib
import hmac
import queue
import secrets
import threading
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from . import clock, endpoints
from .background import run_due
from .bank import Bank, Call

THREADS = 8
TIMEOUT_SECONDS = 10
STOPPED_WITHIN_SECONDS = 1  # a delivery may hang longer; it finds the books closed
MOST_TRIES = 20
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 60.0
AT_ONCE = 200
LOOK_AGAIN_SECONDS = 0.1
SUCCESSES = range(200, 300)

DUE = """SELECT d.id, d.tries, d.forged, e.body, w.account, w.id, json_extract(w.body, '$.url')
FROM deliveries d JOIN objects e ON e.id = d.event JOIN objects w ON w.id = d.endpoint
WHERE d.state = 'waiting' AND d.due_at <= ? ORDER BY d.due_at, d.id LIMIT ?"""


@dataclass(frozen=True)
class Delivery:
    """One delivery that is due."""

    id: int
    tries: int
    forged: bool
    body: str
    account: str
    endpoint: str
    url: str


def sign(body: str, valid_secrets: list[str]) -> str:
    """Return the Stripe-Signature header of a body: the instant, and one v1 for each secret that is valid."""
    stamp = clock.stamp()
    signed = f"{stamp}.{body}".encode()
    proofs = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in valid_secrets)
    return ",".join((f"t={stamp}", *(f"v1={proof}" for proof in proofs)))


class Connections:
    """The connections of one thread, kept open between deliveries."""

    def __init__(self) -> None:
        """Begin with none."""
        self._open: dict[tuple[str, str], HTTPConnection] = {}

    def post(self, url: str, body: str, headers: dict[str, str]) -> int:
        """Post a body and return the status; a kept connection that was closed meanwhile is opened anew, once."""
        parts = urlsplit(url)
        where = (parts.scheme, parts.netloc)
        for kept in (where in self._open, False):
            made = HTTPSConnection if parts.scheme == "https" else HTTPConnection
            connection = self._open.setdefault(where, made(parts.netloc, timeout=TIMEOUT_SECONDS))
            try:
                connection.request("POST", (parts.path or "/") + f"?{parts.query}".rstrip("?"), body.encode(), headers)
                answer = connection.getresponse()
                answer.read()
            except TimeoutError:
                self._forget(where)
                raise
            except (OSError, HTTPException):
                self._forget(where)
                if not kept:
                    raise
            else:
                return answer.status
        raise AssertionError  # the second time round returns or raises

    def _forget(self, where: tuple[str, str]) -> None:
        self._open.pop(where).close()


class Postman:
    """The threads in the background: one looks what is due, the others deliver it."""

    def __init__(self, bank: Bank) -> None:
        """Work for a bank, whose `wake` is answered from now on."""
        self._bank = bank
        self._waiting: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._taken: set[int] = set()
        self._awake, self._stopped = threading.Event(), threading.Event()
        bank.wake = self._awake.set
        self._threads = [threading.Thread(target=self._look, daemon=True)]
        self._threads += [threading.Thread(target=self._work, daemon=True) for _ in range(THREADS)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; what is waiting waits for the next start."""
        self._stopped.set()
        self._awake.set()
        for _ in range(THREADS):
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(STOPPED_WITHIN_SECONDS)

    def _look(self) -> None:
        while not self._stopped.is_set():
            self._awake.clear()
            run_due(self._bank)
            taken = frozenset(self._taken)  # before looking: what is finished meanwhile must not be taken twice
            for found in self._bank.store.rows(DUE, (clock.now(), AT_ONCE + len(taken))):
                if found[0] not in taken:
                    self._taken.add(found[0])
                    self._waiting.put(Delivery(*found))
            self._awake.wait(LOOK_AGAIN_SECONDS)

    def _work(self) -> None:
        connections = Connections()
        while delivery := self._waiting.get():
            if self._stopped.is_set():
                return
            try:
                self._deliver(delivery, connections)
            except self._bank.store.Closed:
                return
            finally:
                self._taken.discard(delivery.id)

    def _deliver(self, delivery: Delivery, connections: Connections) -> None:
        call = Call(self._bank, delivery.account)
        forged = [f"whsec_{secrets.token_hex(24)}"]
        signature = sign(delivery.body, forged if delivery.forged else endpoints.secrets_of(call, delivery.endpoint))
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature}
        status, answer = 0, ""
        try:
            status = connections.post(
                delivery.url, delivery.body, {**headers, "User-Agent": "Stripe/1.0 (sandbox bank)"}
            )
        except (OSError, HTTPException, ValueError) as error:
            answer = type(error).__name__
        self._note(delivery, answer or str(status), done=status in SUCCESSES)

    def _note(self, delivery: Delivery, answer: str, *, done: bool) -> None:
        """Write what became of it, and when it is tried again."""
        tries = delivery.tries + 1
        given_up = tries >= MOST_TRIES or delivery.forged
        wait = min(FIRST_WAIT_SECONDS * 2**delivery.tries, LONGEST_WAIT_SECONDS)
        state = "delivered" if done else "given up" if given_up else "waiting"
        self._bank.store.execute(
            "UPDATE deliveries SET state = ?, tries = ?, due_at = ?, answer = ? WHERE id = ? AND state = 'waiting'",
            (state, tries, clock.now() + wait, answer, delivery.id),
        )
