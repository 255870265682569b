"""Hold as a visitor: within the limits that keep one of them from holding what others would buy."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

from django.conf import settings

from config.kit import idempotency
from config.kit.idempotency import Claim
from config.kit.ids import uuid7
from scheduling.limits import Counted, TooManyHolds, Visitor, count_holds, let_go
from scheduling.models import Reservation
from scheduling.services.assessing import Party

Hold = Callable[[Sequence[Party]], list[Reservation]]


def hold_within_limits(
    visitor: Visitor | None, parties: Sequence[Party], hold: Hold, *, email: str = "", basket: UUID | None = None,
    claim: Claim | None = None,
) -> list[Reservation]:  # fmt: skip
    """Hold, or raise TooManyHolds before anything is locked. No visitor: somebody who is exempt.

    A request that is sent again is not counted again.
    """
    if visitor is None or not settings.LIMITS:
        return hold(parties)
    marked = [replace(party, reservation_id=uuid7()) for party in parties]
    counted = [
        Counted(party.reservation_id, party.session_id, party.people) for party in marked if party.reservation_id
    ]
    try:
        count_holds(counted, visitor, email=email, basket=basket)
    except TooManyHolds:
        if idempotency.prior_effect(claim):
            return hold(parties)
        raise
    made: list[Reservation] = []
    try:
        made = hold(marked)
    finally:  # what was counted and not held
        unused = {each.reservation_id for each in counted} - {reservation.id for reservation in made}
        let_go(sorted(unused), is_bought=True)
    return made
