"""Of facts and their consumers."""

from alerts.consumers import CONSUMERS
from alerts.services.invariants.base import Invariant
from alerts.sources import SOURCES


def _wanted() -> str:
    wanted = [
        (name, source, kind)
        for name, consumer in CONSUMERS.items()
        for source, kinds in consumer.kinds.items()
        for kind in sorted(kinds)
    ]
    return ", ".join(f"('{name}', '{source}', '{kind}')" for name, source, kind in wanted)


def _facts() -> str:
    parts = (f"SELECT '{name}' AS source, f.* FROM ({source.select_kinds()}) f" for name, source in SOURCES.items())
    return " UNION ALL ".join(parts)


FANNED_OUT = Invariant(
    "I17",
    "a fact that a consumer has not had after five minutes, though the fan-out runs",
    f"""SELECT e.id, w.consumer || ', ' || e.kind || ' at ' || e.at
    FROM (VALUES {_wanted()}) w (consumer, source, kind) JOIN ({_facts()}) e ON e.source = w.source AND e.kind = w.kind
    WHERE e.at < (SELECT clock_timestamp()) - interval '5 minutes' AND NOT EXISTS (
        SELECT FROM alerts_handled h WHERE h.fact_id = e.id AND h.consumer = w.consumer)""",
)
