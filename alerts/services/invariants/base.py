"""What an invariant is, and those that hold for every chain of facts."""

from dataclasses import dataclass

from config.kit.facts import hash_expression


@dataclass(frozen=True, slots=True)
class Invariant:
    """A statement and what its rows break."""

    code: str
    broken: str
    sql: str


def unbroken(facts: str, *, head: str, subject: str) -> Invariant:
    """Return the statement that follows the chain of hashes in one table of facts."""
    return Invariant(
        "I12",
        "the chain of hashes is broken",
        f"""SELECT {subject}_id, 'fact ' || seq FROM (
            SELECT e.{subject}_id, e.seq, e.hash, e.previous_hash, h.event_hash, h.event_seq,
                {hash_expression("e", subject)} AS computed,
                lag(e.hash, 1, '') OVER (PARTITION BY e.{subject}_id ORDER BY e.seq) AS linked
            FROM {facts} e JOIN {head} h ON h.id = e.{subject}_id WHERE h.id = ANY(%(ids)s)) f
        WHERE hash <> computed OR previous_hash <> linked OR (seq = event_seq AND hash <> event_hash)""",
    )


def whole(facts: str, *, head: str, subject: str, ends: str = "''") -> Invariant:
    """Return the statement that counts the facts of one table; `ends` is the state that the last one led to."""
    last = "coalesce((array_agg(e.to_status ORDER BY e.seq DESC))[1], '')"
    return Invariant(
        "I10",
        "the facts have a gap, or end in another state than the row's",
        f"""SELECT h.id, 'head ' || h.event_seq || ', ' || count(e.id) || ' facts to ' || coalesce(max(e.seq), 0)
            || ', last "' || {last} || '" is "' || {ends} || '"'
        FROM {head} h LEFT JOIN {facts} e ON e.{subject}_id = h.id
        WHERE h.id = ANY(%(ids)s) GROUP BY h.id
        HAVING count(e.id) <> h.event_seq OR coalesce(max(e.seq), 0) <> h.event_seq
            OR {last} <> {ends}""",
    )
