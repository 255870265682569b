"""Who wants which facts: the registry of the fan-out. A consumer runs in the transaction of its Handled row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from alerts.services.alerts import raise_alert
from alerts.services.notifications import TOLD, notify
from alerts.wordings import RAISING


@dataclass(frozen=True, slots=True)
class Consumer:
    """What is done with a fact of these kinds, by source: rows of this database, so done once or not at all."""

    kinds: Mapping[str, frozenset[str]]
    handle: Callable[[Any], object]


CONSUMERS: Mapping[str, Consumer] = {
    "alerts": Consumer(kinds=RAISING, handle=raise_alert),
    "messages": Consumer(kinds=TOLD, handle=notify),
}
