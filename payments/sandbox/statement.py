"""The bank's statement: every unit that came or went, one line each; the balance is their sum."""

from collections import Counter

from . import lists, objects
from .bank import Call, Json


def book(call: Call, kind: str, amount: int, source: Json, description: str) -> str:
    """Write a line for money that came (above nought) or went (below); return its id."""
    line = objects.balance_transaction(kind, amount, source, description)
    call.store.add(call.account, line)
    return str(line["id"])


def list_lines(call: Call) -> Json:
    """Return a page of the statement."""
    return lists.page(call, "balance_transaction", "/v1/balance_transactions", ("type", "source", "currency"))


def read_line(call: Call, line_id: str) -> Json:
    """Return one line."""
    return call.find("balance_transaction", line_id)


def balances(call: Call) -> dict[str, int]:
    """Return the sum of all lines by currency."""
    sums: Counter[str] = Counter()
    for line in call.store.select(call.account, "balance_transaction"):
        sums[line["currency"]] += line["net"]
    return dict(sorted(sums.items()))


def read_balance(call: Call) -> Json:
    """Return the balance as the API shows it."""
    available = [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in balances(call).items()
    ]
    return {"object": "balance", "livemode": False, "available": available, "pending": []}


def ledger(call: Call) -> Json:
    """Return everything of one account, for an audit: each object in full, and the totals by currency."""
    kinds = {"payment_intents": "payment_intent", "charges": "charge", "refunds": "refund", "disputes": "dispute"}
    found = {name: call.store.select(call.account, kind, "ORDER BY seq") for name, kind in kinds.items()}
    lines = call.store.select(call.account, "balance_transaction", "ORDER BY seq")
    sessions = call.store.select(call.account, "checkout.session", "ORDER BY seq")
    return {
        "account": call.account,
        "checkout_sessions": sessions,
        **found,
        "balance_transactions": lines,
        "totals": _totals(lines),
    }


def _totals(lines: list[Json]) -> Json:
    """Add up by currency: charged, refunded and disputed count upwards, what came of them is the balance."""
    names = {"charge": ("charged", 1), "refund": ("refunded", -1), "refund_failure": ("refunded", -1)}
    totals: dict[str, Counter[str]] = {}
    for line in lines:
        name, sign = names.get(line["type"], ("disputed", -1))
        sums = totals.setdefault(line["currency"], Counter(charged=0, refunded=0, disputed=0, balance=0))
        sums[name] += sign * line["amount"]
        sums["balance"] += line["net"]
    return {currency: dict(sums) for currency, sums in sorted(totals.items())}
