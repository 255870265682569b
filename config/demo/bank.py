"""The sandbox bank as the world outside sees it: people pay there, and their banks ask for the money back."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from django.conf import settings

SECONDS = 10


@dataclass(frozen=True, slots=True)
class Bank:
    """A sandbox bank that answers; whatever it refuses raises OSError."""

    address: str

    def pay(self, checkout_ref: str, card: str) -> None:
        """Pay a checkout (cs_…) as a person would at its page."""
        self._ask(f"checkout/{checkout_ref}/pay", {"card": card})

    def act(self, name: str, object_id: str) -> None:
        """Have something happen that nobody here decides."""
        self._ask("acts", {"act": name, "id": object_id})

    def disputes_of(self, account_ref: str, intent_ref: str) -> list[str]:
        """Return the names (dp_…) of the disputes about some money (pi_…) of an account (acct_…)."""
        ledger = self._ask(f"ledger?account={account_ref}")
        return [dispute["id"] for dispute in ledger["disputes"] if dispute["payment_intent"] == intent_ref]

    def is_there(self) -> bool:
        """Does it answer as the sandbox bank does?"""
        try:
            return "faults" in self._ask("faults")
        except (OSError, ValueError):
            return False

    def _ask(self, path: str, body: dict[str, str] | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/sandbox/{path}", content)  # noqa: S310 see find_bank
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            return json.load(answer)


def find_bank() -> Bank | None:
    """Return the sandbox bank of STRIPE_API_BASE. A real provider (https) is not asked whether it is one."""
    if not settings.STRIPE_API_BASE.startswith("http://"):
        return None
    bank = Bank(settings.STRIPE_API_BASE)
    return bank if bank.is_there() else None
