"""Who wants which facts: the registry of the fan-out. A consumer runs in the transaction of its Handled row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alerts.services.alerts import WORDINGS, raise_alert
from bookings.models import BookingEvent


@dataclass(frozen=True, slots=True)
class Consumer:
    """What is done with a fact of these kinds: rows of this database, so that it is done once or not at all."""

    kinds: frozenset[str]
    handle: Callable[[BookingEvent], object]


CONSUMERS: Mapping[str, Consumer] = {
    "alerts": Consumer(kinds=frozenset(WORDINGS), handle=raise_alert),
}
