"""Where else there is room: said with a refusal, once it is decided and its own locks are gone."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar
from uuid import UUID

from config.kit.refusals import Refusal
from scheduling.display_cache import alternatives_to
from scheduling.services.assessing import Party

P = ParamSpec("P")
R = TypeVar("R")
NO_ROOM = frozenset({"not_enough_places", "not_bookable"})


def with_alternatives(refusal: Refusal, *, session_id: UUID, party_size: int) -> Refusal:
    """Add up to three sessions near in time that have room for the party; they may be 30 seconds old."""
    refusal.extra["alternatives"] = alternatives_to(session_id=session_id, party_size=party_size)
    return refusal


def naming_alternatives(parties_of: Callable[..., Iterable[Party]]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let an act say with its refusal where else the refused party could go; `parties_of` reads the act's arguments."""

    def naming(act: Callable[P, R]) -> Callable[P, R]:
        @wraps(act)
        def named(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return act(*args, **kwargs)
            except Refusal as refusal:
                session_id = refusal.extra.get("session")
                if refusal.code in NO_ROOM and session_id is not None:
                    size = _largest(parties_of(*args, **kwargs), session_id)
                    with_alternatives(refusal, session_id=session_id, party_size=size)
                raise

        return named

    return naming


def _largest(parties: Iterable[Party], session_id: UUID) -> int:
    """Return how many people the largest of these parties for a session counts."""
    return max((party.people for party in parties if party.session_id == session_id), default=1)
