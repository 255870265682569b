"""What everything in the bank works with: its books, its switches, where it is; and one call, with who asks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import missing
from .faults import Switches
from .store import Store

Json = dict[str, Any]


@dataclass
class Bank:
    """One bank. `wake` tells the threads in the background that something is due."""

    store: Store
    address: str = ""  # where people's browsers find it
    switches: Switches = field(default_factory=Switches)
    wake: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Call:
    """One act on one account: an API call with its parameters, or something that happens by itself."""

    bank: Bank
    account: str
    params: Json = field(default_factory=dict)
    request: Json | None = None  # {"id", "idempotency_key"}, named in the events it causes

    @property
    def store(self) -> Store:
        """Return the books."""
        return self.bank.store

    def find(self, kind: str, object_id: str, param: str = "id") -> Json:
        """Return one of the account's objects; refuses an id of nobody's, or of another account's."""
        found = self.store.get(self.account, object_id, kind)
        if not found:
            raise missing(kind, object_id, param)
        return found
