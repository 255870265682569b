"""Where else there is room: said with a refusal, once it is decided and its own locks are gone."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from config.kit.refusals import Refusal
from scheduling.display_cache import alternatives_to

P = ParamSpec("P")
R = TypeVar("R")
NO_ROOM = frozenset({"not_enough_places", "not_bookable"})


def with_alternatives(refusal: Refusal, *, session_id: UUID, party_size: int) -> Refusal:
    """Add up to three sessions near in time that have room for the party; they may be 30 seconds old."""
    refusal.extra["alternatives"] = alternatives_to(session_id=session_id, party_size=party_size)
    return refusal


def naming_alternatives(act: Callable[P, R]) -> Callable[P, R]:
    """Let an act on parties, its first argument, say with its refusal where else the refused party could go."""

    @wraps(act)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return act(*args, **kwargs)
        except Refusal as refusal:
            session_id = refusal.extra.get("session")
            if refusal.code in NO_ROOM and session_id is not None:
                parties: Any = args[0]
                with_alternatives(refusal, session_id=session_id, party_size=_people(parties, session_id))
            raise

    return wrapper


def _people(parties: Any, session_id: UUID) -> int:
    """Return how many people the largest of these parties for a session counts."""
    found = [party for party in parties if party.session_id == session_id]
    return max((party.party_size or sum(count for _, count in party.units) for party in found), default=1)
