"""The provider's HTTP: POST /emails and GET /emails/{id} as Resend has them; /sandbox/… to look, and to misbehave."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .faults import Switches
from .store import KeyReused, Store

LARGEST_BODY_BYTES = 40_000_000  # Resend's own limit
WANTED = ("from", "to", "subject")


class Provider(ThreadingHTTPServer):
    """One provider: its mails, its faults, and how often it was asked."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], folder: Path) -> None:
        """Listen at an address; port 0 takes a free one."""
        self.store, self.switches = Store(folder), Switches()
        self.connections = self.requests = 0
        self._counting = threading.Lock()
        super().__init__(address, Handler)

    def count(self, name: str) -> None:
        """Count a connection, or a request for sending."""
        with self._counting:
            setattr(self, name, getattr(self, name) + 1)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection, which stays open for many requests."""

    server: Provider
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    is_counted = False

    def do_POST(self) -> None:
        """Send a mail: POST /emails."""
        body = self._body()
        if self.path.rstrip("/") != "/emails":
            self._problem(404, "not_found")
            return
        if not self.is_counted:
            self.is_counted = True
            self.server.count("connections")
        self.server.count("requests")
        self._send(body)

    def do_GET(self) -> None:
        """Look: GET /emails/{id}; GET /sandbox/mail, all of it with what was counted."""
        if self.path.startswith("/emails/"):
            kept = self.server.store.read(self.path.removeprefix("/emails/"))
            self._answer(200, {"object": "email", "id": kept["id"], **kept["mail"]}) if kept else self._gone()
        elif self.path == "/sandbox/mail":
            counted = {"connections": self.server.connections, "requests": self.server.requests}
            self._answer(200, {"data": list(self.server.store.all()), **counted})
        else:
            self._gone()

    def do_PUT(self) -> None:
        """Misbehave: PUT /sandbox/faults; the whole of what is wrong from now on."""
        body = self._body()
        try:
            self.server.switches.set(json.loads(body))
        except (ValueError, TypeError) as error:
            self._problem(422, f"unknown fault: {error}")
            return
        self._answer(200, {"faults": vars(self.server.switches.now)})

    # Sending

    def _send(self, body: bytes) -> None:
        faults = self.server.switches.now
        time.sleep(faults.slow_seconds)
        if faults.down:
            self._problem(503, "service_unavailable")
        elif self.server.switches.use_up("rate_limited"):
            self._problem(429, "rate_limit_exceeded", {"Retry-After": str(faults.retry_after)})
        elif not self.headers.get("Authorization", "").startswith("Bearer "):
            self._problem(401, "missing_api_key")
        else:
            self._take(body)

    def _take(self, body: bytes) -> None:
        try:
            mail = json.loads(body)
            missing = [name for name in WANTED if not mail.get(name)]
        except (ValueError, AttributeError):
            self._problem(422, "validation_error")
            return
        faults = self.server.switches.now
        if missing or (faults.rejects and any(address.endswith(faults.rejects) for address in mail["to"])):
            self._problem(422, "missing_required_field" if missing else "validation_error")
            return
        self._accept(mail)

    def _accept(self, mail: dict[str, Any]) -> None:
        key = self.headers.get("Idempotency-Key", "")
        try:
            if self.server.switches.use_up("doubles"):
                self.server.store.accept(mail, key)
            mail_id = self.server.store.accept(mail, key)
        except KeyReused:
            self._problem(409, "invalid_idempotent_request")
            return
        if self.server.switches.use_up("lost_answers"):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._answer(200, {"id": mail_id})

    # Answering

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length", 0))
        return self.rfile.read(min(length, LARGEST_BODY_BYTES))

    def _gone(self) -> None:
        self._problem(404, "not_found")

    def _problem(self, status: int, name: str, headers: dict[str, str] | None = None) -> None:
        self._answer(status, {"statusCode": status, "name": name, "message": name.replace("_", " ")}, headers)

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(content)), **(headers or {})}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing: what matters is in the ledger."""
