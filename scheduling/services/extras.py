"""What a party has beside its places: written with its reservation, under its session's lock, never beyond the stock.

The trigger `extra_within_stock` adds up again, for every writer.
"""

from uuid import UUID

from config.kit.refusals import Refusal
from scheduling.models import Extra, Reservation, ReservationExtra
from scheduling.offers import extras_left
from scheduling.parties import stock_errors
from scheduling.services.capacity import require_transaction


class NotEnoughExtras(Refusal):
    """An extra is short in this session: says how many are left of each that is."""

    code, title = "not_enough_extras", "There are not enough of these extras left"


def take_extras(reservation: Reservation, *, path: str = "") -> None:
    """Write the extras of a new reservation's quote, or raise NotEnoughExtras; its session is locked."""
    require_transaction()
    lines = [line for line in reservation.quote if "extra" in line]
    if not lines:
        return
    check_stock(reservation.session_id, {UUID(line["extra"]): line["count"] for line in lines}, path=path)
    ReservationExtra.objects.bulk_create(
        ReservationExtra(
            organization_id=reservation.organization_id, reservation=reservation, extra_id=line["extra"],
            count=line["count"], amount_minor=line["amount_minor"],
        )
        for line in lines
    )  # fmt: skip


def check_stock(session_id: UUID, wanted: dict[UUID, int], *, path: str = "", after_lapse: bool = False) -> None:
    """Refuse what the live reservations of a session have left too little of.

    A decision is made under its lock, with lapsed holds reclaimed; a preview leaves them out (`after_lapse`).
    """
    extras = Extra.objects.in_bulk(list(wanted))
    left = extras_left(session_id, extras.values(), after_lapse=after_lapse)
    errors = stock_errors({extra.id: extra.name for extra in extras.values()}, list(wanted.items()), left, path=path)
    if errors:
        short = [extra_id for extra_id, number in left.items() if number < wanted[extra_id]]
        raise NotEnoughExtras(
            " ".join(error.detail for error in errors),
            errors=errors,
            extra={"session": session_id, "extras": [{"extra": each, "left": left[each]} for each in short]},
        )
