"""The two walks: what is asked of the real WSGI application, after one of the same to warm it up."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from unittest.mock import patch
from uuid import uuid4
from wsgiref.util import setup_testing_defaults

from alerts import nudges
from alerts.transports import push
from config.kit import gathering
from config.run.processes import ServerError
from config.wsgi import application
from scheduling import display_cache
from scheduling.models import Session
from tests import factories
from tests.tracing.recorder import Recorder
from tests.tracing.steps import Walk

GATHERINGS: Mapping[str, gathering.Gathering[Any]] = {
    "push": push.changes, "display-nudges": display_cache.nudges, "fact-nudges": nudges.kinds
}  # fmt: skip
GATHER_SECONDS = 0.25  # longer than a watched request takes: its news is told in one go, as without a watch
REST_AFTER_SECONDS = 0.05  # then its thread ends, which is how we know that all is told
LONGEST_SECONDS = 10.0
CREATED, OK = 201, 200


class WrongAnswer(ServerError):
    """The request was refused: there is no walk to show."""


@dataclass(frozen=True, slots=True)
class Act:
    """A request, as it is titled and as it is sent; `status` is what it must be answered."""

    title: str
    path: str
    body: Mapping[str, object]
    status: int
    headers: Mapping[str, str]


def hold(session: Session) -> Act:
    """Hold two places."""
    return Act(
        "POST /api/v1/reservations: two places of one session, in its default unit",
        "/api/v1/reservations",
        {"session": str(session.id), "party_size": 2, "email": factories.stranger().email},
        CREATED,
        {"Idempotency-Key": str(uuid4())},
    )


def book(session: Session) -> Act:
    """Turn a basket of one reservation into a booking, for a customer who is new here."""
    customer = factories.stranger()
    reservation = factories.hold(session, party_size=2, email=customer.email)
    return Act(
        "POST /api/v1/reservations/{id}/confirm: the basket becomes a booking, paid on arrival",
        f"/api/v1/reservations/{reservation.id}/confirm",
        {"customer": {"email": customer.email, "name": customer.name}},
        OK,
        {"Idempotency-Key": str(uuid4()), "Reservation-Token": reservation.token},
    )


ACTS: Mapping[str, Callable[[Session], Act]] = {"hold": hold, "book": book}


def walk(name: str) -> Walk:
    """Run the act twice, watched the second time, and wait until what it set off beside itself is told."""
    activity = factories.make_activity(factories.make_venue(factories.make_organization(slug=f"walk-{uuid4().hex}")))
    recorder = Recorder()
    with ExitStack() as stack:
        for gathered in GATHERINGS.values():
            stack.enter_context(patch.object(gathered, "_gather_seconds", GATHER_SECONDS))
        stack.enter_context(patch.object(gathering, "REST_AFTER_SECONDS", REST_AFTER_SECONDS))
        stack.enter_context(recorder.watching())
        ask(ACTS[name](factories.make_session(activity)))
        act = ACTS[name](factories.make_session(activity))
        wait_for_threads()
        with recorder.recording():
            began = time.perf_counter()
            answer = ask(act)
            milliseconds = (time.perf_counter() - began) * 1000
        wait_for_threads()
        recorder.is_recording = False
    beside = {thread: life for thread, life in recorder.lives.items() if thread in GATHERINGS}
    request = recorder.lives[threading.current_thread().name]
    return Walk(act.title, f"→ {answer}", milliseconds, request, beside)


def wait_for_threads() -> None:
    """Wait until every thread beside the requests has told its news and ended."""
    for thread in threading.enumerate():
        if thread.name in GATHERINGS:
            thread.join(LONGEST_SECONDS)
            if thread.is_alive():
                raise WrongAnswer(f"the thread {thread.name} does not come to its end")


def ask(act: Act) -> int:
    """Send it through the WSGI application as the server does; return the status."""
    payload = json.dumps(act.body).encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST", "PATH_INFO": act.path, "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(payload)), "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1",
        "wsgi.input": BytesIO(payload),
    }  # fmt: skip
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in act.headers.items()}
    setup_testing_defaults(environ)
    statuses: list[str] = []

    def start_response(status: str, _headers: object, _error: object = None) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda _: None

    response: Any = application(environ, start_response)
    body = b"".join(response)
    getattr(response, "close", lambda: None)()  # a kept answer is a plain list
    status = int(statuses[0].split()[0])
    if status != act.status:
        raise WrongAnswer(f"{act.path} was answered {statuses[0]}: {body.decode(errors='replace')}")
    return status
