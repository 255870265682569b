"""Behind the counter, at /sandbox: switches, acts of the world outside, paying from a program, and the whole ledger."""

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from . import background, board, disputes, endpoints, events, forms, paying, refunds, sessions, statement
from .bank import Bank, Call, Json
from .errors import Problem, missing
from .faults import Faults
from .keys import account_of
from .web import Answer, Request, json_answer, page_answer, see_other

SUCCEEDS = "4242424242424242"
ONE_INSIDE = 3  # steps of a path like endpoints/{id}/roll
CROSS_SITE = ("cross-site", "same-site")


def _dispute_payment(call: Call, session_id: str) -> Any:
    intent = call.find("payment_intent", call.find("checkout.session", session_id)["payment_intent"] or "none")
    return disputes.open_dispute(call, intent["latest_charge"] or "none")


ACTS: dict[str, Callable[[Call, str], Any]] = {
    "pay": lambda call, found: paying.pay(call, found, SUCCEEDS),
    "expire": sessions.expire_session,
    "settle_late": paying.settle_late,
    "fail_late": paying.fail_late,
    "open_dispute": _dispute_payment,
    "win_dispute": disputes.win_dispute,
    "lose_dispute": disputes.lose_dispute,
    "settle_refund": refunds.settle_refund,
    "fail_refund": refunds.fail_refund,
    "replay": events.replay,
}


class Desk:
    """Answers at /sandbox; it sees all accounts, and nothing here exists at a real bank."""

    def __init__(self, bank: Bank) -> None:
        """Work on a bank."""
        self.bank = bank

    def answer(self, request: Request) -> Answer:
        """Answer a person's page or a program's JSON; refuses what comes from another site's page."""
        background.run_due(self.bank)
        try:
            _refuse_other_sites(request)
            return self._page(request) if request.path == "/sandbox" else self._program(request)
        except Problem as problem:
            if request.path == "/sandbox":
                return page_answer(problem.status, board.show(self.bank, str(problem)))
            return json_answer(problem.status, problem.body())

    def _page(self, request: Request) -> Answer:
        if request.method != "POST":
            return page_answer(200, board.show(self.bank))
        given = forms.decode(request.body)
        if "act" in given:
            self._act(str(given["act"]), str(given.get("id", "")))
        else:
            self._switch(_from_form(given))
        return see_other("/sandbox")

    def _program(self, request: Request) -> Answer:
        steps = request.path.split("/")[2:]
        name = f"{request.method} {steps[0]}" + (f" {steps[2]}" if len(steps) == ONE_INSIDE else "")
        act = self._programs().get(name)
        if not act:
            raise Problem(f"There is no {request.method} {request.path} here.", status=404)
        return act(request)

    def _programs(self) -> dict[str, Callable[[Request], Answer]]:
        return {
            "GET faults": lambda _: self._faults(),
            "PUT faults": self._set_faults,
            "GET ledger": self._ledger,
            "POST acts": self._do_act,
            "POST checkout pay": self._pay,
            "PUT endpoints": self._ensure_endpoint,
            "POST endpoints roll": self._roll,
        }

    # Switches

    def _switch(self, changes: Json) -> None:
        try:
            self.bank.switches.set(changes)
        except (TypeError, ValueError, OverflowError) as error:
            raise Problem(f"unknown fault: {error}", status=422) from error

    def _set_faults(self, request: Request) -> Answer:
        self._switch(_json(request))
        return self._faults()

    def _faults(self) -> Answer:
        return json_answer(200, {"faults": asdict(self.bank.switches.now)})

    # Acts

    def _do_act(self, request: Request) -> Answer:
        """Do one of the acts above: {"act", "id"}."""
        asked = _json(request)
        self._act(str(asked.get("act", "")), str(asked.get("id", "")))
        return json_answer(200, {"done": True})

    def _act(self, name: str, object_id: str) -> None:
        if name not in ACTS:
            raise Problem(f"There is no act named {name[:40]}; there are: {', '.join(ACTS)}.", status=422)
        call = self._owner(object_id)
        with self.bank.store.transaction():
            ACTS[name](call, object_id)

    def _owner(self, object_id: str) -> Call:
        found = self.bank.store.rows("SELECT account FROM objects WHERE id = ?", (object_id,))
        if not found:
            raise missing("object", object_id)
        return Call(self.bank, found[0][0])

    def _pay(self, request: Request) -> Answer:
        """Pay as a person would: {"card", "email"?, "approve"?}, the last for a card that asks."""
        session_id, asked = request.path.split("/")[3], _json(request)
        call = self._owner(session_id)
        outcome = paying.pay(call, session_id, str(asked.get("card", "")), str(asked.get("email", "")))
        if outcome.status == "requires_action" and "approve" in asked:
            outcome = paying.answer_challenge(call, session_id, approved=bool(asked["approve"]))
        return json_answer(200, asdict(outcome))

    def _ensure_endpoint(self, request: Request) -> Answer:
        """Have an endpoint with a known secret: {"url", "secret", "enabled_events"?}."""
        asked = {"enabled_events": ["*"], **_json(request)}
        secret = str(asked.pop("secret", ""))
        if not secret.startswith("whsec_"):
            raise Problem("A secret begins with whsec_.", param="secret")
        with self.bank.store.transaction():
            return json_answer(200, endpoints.ensure_endpoint(self._keyed(request, asked), secret))

    def _roll(self, request: Request) -> Answer:
        """Make a second secret valid beside the first, for `seconds`."""
        call = self._keyed(request, forms.decode(request.body))
        with self.bank.store.transaction():
            return json_answer(200, endpoints.roll_secret(call, request.path.split("/")[3]))

    def _keyed(self, request: Request, given: Json) -> Call:
        return Call(self.bank, account_of(request.headers.get("Authorization", "")), given)

    # The ledger

    def _ledger(self, request: Request) -> Answer:
        """Return one account's ledger, by `account=` or by its key; of all accounts where neither is given."""
        account = str(forms.decode(request.query).get("account", ""))
        if not account and request.headers.get("Authorization"):
            account = account_of(request.headers["Authorization"])
        with self.bank.store.transaction():
            if account:
                return json_answer(200, statement.ledger(Call(self.bank, account)))
            everybody = self.bank.store.rows("SELECT DISTINCT account FROM objects ORDER BY account")
            found = [statement.ledger(Call(self.bank, each)) for (each,) in everybody]
            return json_answer(200, {"data": found})


def _refuse_other_sites(request: Request) -> None:
    if request.method != "GET" and request.headers.get("Sec-Fetch-Site") in CROSS_SITE:
        raise Problem("Ask from the sandbox's own page.", status=403)


def _json(request: Request) -> Json:
    try:
        found = json.loads(request.body or "{}")
    except ValueError as error:
        raise Problem("The body is no JSON.", status=422) from error
    if not isinstance(found, dict):
        raise Problem("The body is no JSON object.", status=422)
    return found


def _from_form(given: Json) -> Json:
    """Read the form of switches: numbers come as texts, and a box that is not ticked does not come."""
    if given.get("preset"):
        return {"all": True} if given["preset"] == "all" else {}
    return {each.name: given[each.name] for each in fields(Faults) if each.name in given}
