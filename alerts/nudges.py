"""Asks the worker to hand facts over at once: a nudge, which may be lost; the sweep finds every fact without it.

Sent from a thread beside the request, so that a booking never waits for the broker.
"""

from alerts.services.fan_out import is_wanted
from alerts.tasks import fan_out_facts
from config.kit.gathering import Gathering

GATHER_SECONDS = 0.05
EVERY_SECONDS = 1.0
EXPIRES_SECONDS = 25  # the sweep has come by then


def nudge(kind: str) -> None:
    """Remember that somebody wants facts of this kind, in microseconds."""
    if is_wanted([kind]):
        kinds.add([kind])


def ask_the_worker(_: set[str]) -> None:
    """Queue one task for all facts since the last. With the broker away this fails and is logged; the sweep comes."""
    fan_out_facts.apply_async(expires=EXPIRES_SECONDS, retry=False)


kinds: Gathering[str] = Gathering(
    ask_the_worker, name="fact-nudges", gather_seconds=GATHER_SECONDS, every_seconds=EVERY_SECONDS
)
