"""The API's calls: which path does what, and everything that happens around one."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from . import (
    account,
    background,
    disputes,
    endpoints,
    events,
    forms,
    intents,
    lists,
    params,
    refunds,
    sessions,
    statement,
)
from .bank import Bank, Call, Json
from .errors import Problem
from .keys import IdempotencyKeys, account_of, fingerprint_of
from .objects import API_VERSION, new_id
from .web import Answer, Request, json_answer

Act = Callable[..., Json]

ROUTES: list[tuple[str, str, Act]] = [
    ("POST", "/v1/checkout/sessions", sessions.create_session),
    ("GET", "/v1/checkout/sessions", sessions.list_sessions),
    ("GET", "/v1/checkout/sessions/*", sessions.read_session),
    ("GET", "/v1/checkout/sessions/*/line_items", sessions.read_lines),
    ("POST", "/v1/checkout/sessions/*/expire", sessions.expire_session),
    ("GET", "/v1/payment_intents", intents.list_intents),
    ("GET", "/v1/payment_intents/*", intents.read_intent),
    ("GET", "/v1/charges", intents.list_charges),
    ("GET", "/v1/charges/*", intents.read_charge),
    ("POST", "/v1/refunds", refunds.create_refund),
    ("GET", "/v1/refunds", refunds.list_refunds),
    ("GET", "/v1/refunds/*", refunds.read_refund),
    ("GET", "/v1/disputes", disputes.list_disputes),
    ("GET", "/v1/disputes/*", disputes.read_dispute),
    ("POST", "/v1/disputes/*", disputes.update_dispute),
    ("POST", "/v1/disputes/*/close", disputes.lose_dispute),
    ("GET", "/v1/balance", statement.read_balance),
    ("GET", "/v1/balance_transactions", statement.list_lines),
    ("GET", "/v1/balance_transactions/*", statement.read_line),
    ("GET", "/v1/events", events.list_events),
    ("GET", "/v1/events/*", events.read_event),
    ("POST", "/v1/webhook_endpoints", endpoints.create_endpoint),
    ("GET", "/v1/webhook_endpoints", endpoints.list_endpoints),
    ("GET", "/v1/webhook_endpoints/*", endpoints.read_endpoint),
    ("POST", "/v1/webhook_endpoints/*", endpoints.update_endpoint),
    ("DELETE", "/v1/webhook_endpoints/*", endpoints.remove_endpoint),
    ("GET", "/v1/account", account.read_account),
]
PATTERNS = [(method, re.compile(path.replace("*", "([^/]+)")), act) for method, path, act in ROUTES]


class Api:
    """Answers calls of the API on one bank."""

    def __init__(self, bank: Bank) -> None:
        """Work on a bank."""
        self.bank, self.keys = bank, IdempotencyKeys(bank.store)

    def answer(self, request: Request) -> Answer:
        """Answer one call, or refuse it in Stripe's words; what misbehaves is in faults.py."""
        request_id = new_id("req")
        try:
            self._stumble()
            status, body, replayed = self._work(request, request_id)
        except Problem as problem:
            status, body, replayed = problem.status, problem.body(), False
        headers = {"Request-Id": request_id, "Stripe-Version": request.headers.get("Stripe-Version") or API_VERSION}
        key = request.headers.get("Idempotency-Key")
        headers |= {"Idempotency-Key": _printable(key)} if key else {}
        headers |= {"Idempotent-Replayed": "true"} if replayed else {}
        answer = json_answer(status, body, headers)
        return Answer(answer.status, cut=True) if self._is_lost(request) else answer

    def _stumble(self) -> None:
        """Refuse before anything is done, as the switches say."""
        switches = self.bank.switches
        if switches.now.down:
            raise Problem("The bank is closed at the moment.", status=503, kind="api_error")
        if switches.use_up("rate_limited"):
            raise Problem("Request rate limit exceeded.", status=429, code="rate_limit")
        if switches.happens("errors_probability"):
            raise Problem("An unknown error occurred.", status=500, kind="api_error")

    def _is_lost(self, request: Request) -> bool:
        switches = self.bank.switches
        return request.method == "POST" and (switches.use_up("lost_answers") or switches.happens("lost_probability"))

    def _work(self, request: Request, request_id: str) -> tuple[int, Json, bool]:
        who = account_of(request.headers.get("Authorization", ""))
        given = forms.decode(request.query if request.method in ("GET", "DELETE") else request.body)
        act, found = _route(request)
        key = request.headers.get("Idempotency-Key", "") if request.method == "POST" else ""
        call = Call(self.bank, who, given, {"id": request_id, "idempotency_key": key or None})
        with self.keys.alone(who, key) if key else nullcontext():
            self.bank.switches.dawdle()
            background.run_due(self.bank)
            if not key:
                return 200, self._run(call, act, found), False
            return self._once(call, act, found, key, fingerprint_of(request.path, given))

    def _once(self, call: Call, act: Act, found: tuple[Any, ...], key: str, fingerprint: str) -> tuple[int, Json, bool]:
        if known := self.keys.recall(call.account, key, fingerprint):
            return (*known, True)
        try:
            with call.store.transaction():
                body = self._run(call, act, found)
                self.keys.remember(call.account, key, fingerprint, 200, body)
        except Problem as problem:
            if problem.executed:
                self.keys.remember(call.account, key, fingerprint, problem.status, problem.body())
            raise
        return 200, body, False

    def _run(self, call: Call, act: Act, found: tuple[Any, ...]) -> Json:
        with call.store.transaction():
            return lists.expand(call, act(call, *found), params.many(call.params, "expand"))


def _route(request: Request) -> tuple[Act, tuple[str, ...]]:
    for method, pattern, act in PATTERNS:
        if method == request.method and (match := pattern.fullmatch(request.path)):
            return act, match.groups()
    raise Problem(f"Unrecognized request URL ({request.method}: {request.path}).", status=404)


def _printable(key: str) -> str:
    return "".join(each for each in key if each.isascii() and each.isprintable())
