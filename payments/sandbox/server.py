"""The bank's HTTP: /v1/… as Stripe has it, /pay/… for people who pay, /sandbox… to look, and to misbehave."""

import socket
import sys
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from .api import Api
from .bank import Bank
from .delivery import Postman
from .desk import Desk
from .hosted import Hosted
from .store import Store
from .web import Answer, Request, json_answer

LARGEST_BODY_BYTES = 1_000_000
STYLE = Path(__file__).with_name("pages") / "style.css"


class BankServer(ThreadingHTTPServer):
    """One bank: its books, its switches, its threads; port 0 takes a free one."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], folder: Path, public_address: str = "") -> None:
        """Listen at an address; people find the payment page at the public one, the same unless it is given."""
        super().__init__(address, Handler)
        self.bank = Bank(Store(folder), public_address or f"http://{address[0]}:{self.server_port}")
        self.postman = Postman(self.bank)
        self.api, self.hosted, self.desk = Api(self.bank), Hosted(self.bank), Desk(self.bank)
        self.postman.start()

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://{self.server_address[0]!s}:{self.server_port}"

    def server_close(self) -> None:
        """Stop listening, stop the threads, and let the books go."""
        super().server_close()
        self.postman.stop()
        self.bank.store.close()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 the library's signature
        """Say nothing of a client that hung up, or of the end."""
        if not isinstance(sys.exception(), (ConnectionError, Store.Closed)):
            traceback.print_exc()

    def route(self, request: Request) -> Answer:
        """Answer a request."""
        if request.path.startswith("/v1/"):
            return self.api.answer(request)
        if request.path.startswith("/pay/"):
            return self.hosted.answer(request)
        if request.path == "/sandbox" or request.path.startswith("/sandbox/"):
            return self.desk.answer(request)
        if request.path == "/style.css" and request.method == "GET":
            return Answer(200, STYLE.read_bytes(), {"Content-Type": "text/css; charset=utf-8"})
        return json_answer(404, {"error": {"type": "invalid_request_error", "message": "There is nothing here."}})


class Handler(BaseHTTPRequestHandler):
    """Answers one connection, which stays open for many requests."""

    server: BankServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet an answer

    def do_GET(self) -> None:
        """Answer any method alike."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY_BYTES:
            self.close_connection = True
            self._send(json_answer(413, {"error": {"type": "invalid_request_error", "message": "That is too much."}}))
            return
        body = self.rfile.read(int(length)).decode(errors="replace")
        parts = urlsplit(self.path)
        path = parts.path.rstrip("/") or "/"
        headers = {name.title(): value for name, value in self.headers.items()}
        answer = self.server.route(Request(self.command, path, parts.query, headers, body))
        if answer.cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(answer)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 the library's names

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing: what matters is in the books, and a card's number belongs nowhere."""
