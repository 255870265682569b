"""Whoever is refused where others wait sees to it that those others are asked, once the refusal is decided."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar
from uuid import UUID

from django.db import connection

from config.kit.refusals import Refusal
from scheduling.models import Session
from scheduling.services import capacity

P = ParamSpec("P")
R = TypeVar("R")


def handing_on(act: Callable[P, R]) -> Callable[P, R]:
    """Give what has lapsed to those who wait, after the act was refused and its transaction rolled back.

    The act has offered it to them before it was refused: that went, too. So a waiter is asked even while no sweep runs.
    Inside a caller's transaction it is left to the sweep.
    """

    @wraps(act)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return act(*args, **kwargs)
        except Refusal as refusal:
            session_id = refusal.extra.get("session")
            if session_id is not None and not connection.in_atomic_block and _somebody_waits(session_id):
                capacity.hand_on([session_id])
            raise

    return wrapper


def _somebody_waits(session_id: UUID) -> bool:
    return Session.objects.filter(id=session_id, waiting__gt=0).exists()
