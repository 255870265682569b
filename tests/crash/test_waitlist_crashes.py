"""A process dies with -9 around each act of a waiting list: nobody is offered half a place, or the same place twice."""

import pytest

from alerts.services.auditor import check_invariants
from bookings.models import WaitlistEntry, WaitlistEvent
from scheduling.models import Reservation, Session
from scheduling.services import capacity, reservations
from tests.conftest import RunSql
from tests.crash.acts import Scene
from tests.crash.failpoints import EXIT_CODE, FAILPOINTS
from tests.crash.test_crashes import Die, die, everything, wait_for_the_dead
from tests.crash.waitlist_acts import WAITLIST_ACTS
from tests.factories import hold, join, lapse, make_session

__all__ = ["die"]

pytestmark = pytest.mark.usefixtures("committed_db")


def make_scene(act: str) -> dict[str, str]:
    """One place held and one offered, and lapsed where that is the act; two more who wait."""
    session = make_session(capacity=2)
    held, given_back = hold(session), hold(session)
    entries = [join(session) for _ in range(3)]
    reservations.release_reservation(reservation_id=given_back.id)
    if act == "lapse_an_offer":
        lapse(Reservation.objects.held().get(waitlist_entry=entries[0]))
    return {"full": str(session.id), "held": str(held.id), "offered": str(entries[0].id)}


def summary(scene: Scene) -> tuple[list[str], list[str], int, int]:
    """Return the state of everybody who waits in their order, of every reservation, the count, and the facts."""
    return (
        list(WaitlistEntry.objects.order_by("joined_at").values_list("status", flat=True)),
        sorted(Reservation.objects.values_list("status", flat=True)),
        Session.objects.get(id=scene["full"]).waiting,
        WaitlistEvent.objects.count(),
    )


BEGINNING = (["offered", "waiting", "waiting"], ["held", "held", "released"], 2, 4)
DONE = {
    "join_the_waitlist": (["offered", "waiting", "waiting", "waiting"], ["held", "held", "released"], 3, 5),
    "free_what_is_waited_for": (["offered", "offered", "waiting"], ["held", "held", "released", "released"], 1, 5),
    "lapse_an_offer": (["lapsed", "offered", "waiting"], ["expired", "held", "held", "released"], 1, 6),
    "accept_an_offer": (["converted", "waiting", "waiting"], ["confirmed", "held", "released"], 2, 5),
    "leave_an_offer": (["left", "offered", "waiting"], ["held", "held", "released", "released"], 1, 6),
}


@pytest.mark.parametrize("failpoint", FAILPOINTS)
@pytest.mark.parametrize("act", WAITLIST_ACTS)
def test_a_crash_leaves_an_act_of_a_waiting_list_done_or_not_begun(
    die: Die, act: str, failpoint: str, admin_sql: RunSql
) -> None:
    scene = make_scene(act)
    assert summary(scene) == BEGINNING
    before = everything()

    assert die(act, failpoint, scene) == EXIT_CODE

    wait_for_the_dead(admin_sql)
    if failpoint == "after_the_commit":
        assert summary(scene) == DONE[act]
    else:
        assert everything() == before
    assert check_invariants() == []

    WAITLIST_ACTS[act](scene)  # the client, or the next worker, comes again
    assert summary(scene) == DONE[act]
    assert check_invariants() == []


def test_what_is_freed_outside_the_transaction_of_its_offer_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: whoever dies between the freeing and the offer leaves a place that nobody is asked about."""
    scene = make_scene("free_what_is_waited_for")
    monkeypatch.setattr(capacity, "tell_freed", lambda _: None)

    WAITLIST_ACTS["free_what_is_waited_for"](scene)

    assert summary(scene) != DONE["free_what_is_waited_for"]
