"""The payment page, /pay/{session}: what is paid, a card, one button; the bank's question; and where it ends."""

import re
from datetime import UTC, datetime

from . import background, forms, paying, sessions
from .bank import Bank, Call, Json
from .cards import CARDS
from .currencies import written
from .errors import Problem
from .render import Html, joined, part, whole
from .web import Answer, Request, page_answer, see_other

EXPIRY = re.compile(r"(0[1-9]|1[0-2])\s*/?\s*(?:20)?(\d\d)")
CVC = re.compile(r"\d{3,4}")
ADDRESS = re.compile(r"/pay/(cs_test_[0-9a-f]+)(/challenge)?")


class Hosted:
    """Answers at /pay/…, without a script and without knowing who comes: the address is the secret."""

    def __init__(self, bank: Bank) -> None:
        """Work on a bank."""
        self.bank = bank

    def answer(self, request: Request) -> Answer:
        """Show a session's page, or take what was sent from it."""
        background.run_due(self.bank)
        try:
            return self._answer(request)
        except Problem as problem:
            return page_answer(problem.status, _notice("That did not work", str(problem), ""))

    def _answer(self, request: Request) -> Answer:
        match = ADDRESS.fullmatch(request.path)
        owner = self.bank.store.rows("SELECT account FROM objects WHERE id = ?", (match[1],)) if match else []
        if not match or not owner or request.method not in ("GET", "POST"):
            return page_answer(404, _notice("There is no such payment", "Go back to the shop and begin again.", ""))
        call = Call(self.bank, owner[0][0])
        session = call.find("checkout.session", match[1])
        if session["status"] != "open":
            return _over(session)
        given = forms.decode(request.body) if request.method == "POST" else {}
        asks = self._is_asked(call, session) and not given.get("card")
        return self._challenge(call, session, given) if asks else self._form(call, session, given)

    def _is_asked(self, call: Call, session: Json) -> bool:
        intent = call.store.get(call.account, session["payment_intent"] or "")
        return bool(intent) and (intent or {})["status"] == "requires_action"

    def _form(self, call: Call, session: Json, given: Json) -> Answer:
        if not given:
            return page_answer(200, _pay_page(call, session, {}, ""))
        try:
            number = _card_of(given)
            outcome = paying.pay(call, session["id"], number, str(given.get("email", "")).strip())
        except Problem as problem:
            return page_answer(problem.status, _pay_page(call, session, given, str(problem)))
        return self._after(call, session, given, outcome)

    def _challenge(self, call: Call, session: Json, given: Json) -> Answer:
        if given.get("answer") not in ("approve", "refuse"):
            return page_answer(200, _challenge_page(session))
        try:
            outcome = paying.answer_challenge(call, session["id"], approved=given["answer"] == "approve")
        except Problem:  # answered twice: the second finds it done
            return see_other(f"{call.bank.address}/pay/{session['id']}")
        return self._after(call, session, {}, outcome)

    def _after(self, call: Call, session: Json, given: Json, outcome: paying.Outcome) -> Answer:
        if outcome.status == "declined":
            return page_answer(402, _pay_page(call, session, given, outcome.problem))
        return see_other(outcome.redirect)


def _card_of(given: Json) -> str:
    """Return the number of a test card's button, or the one typed; refuses a date or a code that cannot be."""
    if given.get("card"):
        return str(given["card"])
    now = datetime.now(UTC)
    expiry = EXPIRY.fullmatch(str(given.get("expiry", "")).strip())
    if not str(given.get("number", "")).strip():
        raise _wrong("Write your card number, or choose a test card below.", "incomplete_number")
    if not expiry or (2000 + int(expiry[2]), int(expiry[1])) < (now.year, now.month):
        raise _wrong("Write the month and year until which the card is valid, like 12 / 30.", "invalid_expiry_year")
    if not CVC.fullmatch(str(given.get("cvc", "")).strip()):
        raise _wrong("Write the three or four digits of the security code.", "incomplete_cvc")
    return str(given["number"])


def _wrong(words: str, code: str) -> Problem:
    return Problem(words, status=402, kind="card_error", code=code)


def _pay_page(call: Call, session: Json, given: Json, problem: str) -> Html:
    currency = session["currency"]
    lines = [
        part("_line", what=_counted(line), amount=written(line["amount_total"], currency))
        for line in sessions.lines_of(call, session["id"])
    ]
    main = part(
        "pay",
        merchant=_merchant(session),
        lines=joined(lines),
        total=written(session["amount_total"], currency),
        problem=part("_problem", words=problem) if problem else Html(),
        message=part("_message", words=_message(session)) if _message(session) else Html(),
        email=given.get("email") or session["customer_email"] or "",
        cancel_url=session["cancel_url"],
        cards=joined(
            [part("_card", number=number, says=card.says, shown=_spaced(number)) for number, card in CARDS.items()]
        ),
    )
    return whole(f"Pay {_merchant(session)}", main)


def _counted(line: Json) -> str:
    return f"{line['description']} × {line['quantity']}" if line["quantity"] > 1 else str(line["description"])


def _merchant(session: Json) -> str:
    return str((session["branding_settings"] or {}).get("display_name") or "the shop")


def _message(session: Json) -> str:
    submit = (session["custom_text"] or {}).get("submit") or {}
    return str(submit.get("message", "")) if isinstance(submit, dict) else ""


def _spaced(number: str) -> str:
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def _challenge_page(session: Json) -> Html:
    amount = written(session["amount_total"], session["currency"])
    return whole("Your bank asks", part("challenge", amount=amount, merchant=_merchant(session)))


def _over(session: Json) -> Answer:
    if session["status"] == "complete":
        words = "Nothing more is taken. You can close this page, or go back to the shop."
        return page_answer(200, _notice("This is paid", words, paying.success_url(session)))
    words = "Nothing was taken. Go back to the shop to begin again."
    return page_answer(410, _notice("This payment page has expired", words, session["cancel_url"]))


def _notice(title: str, words: str, back: str) -> Html:
    return whole(title, part("notice", title=title, words=words, back=part("_back", url=back) if back else Html()))
