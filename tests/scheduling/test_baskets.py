"""What may go into a basket, and what may leave it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from bookings.services.checkout import Contact
from config.kit.clock import database_now
from config.kit.ids import uuid7
from config.kit.refusals import InvalidRequest, NotFound
from scheduling.models import Reservation, Session
from scheduling.services import capacity, reservations
from scheduling.services.reservations import BasketClosed, NotBookable
from tests.factories import confirm, hold, lapse, make_activity, make_session, make_sessions

pytestmark = pytest.mark.django_db


def test_a_basket_is_one_organizations(client: Client) -> None:
    ours, theirs = make_session(), make_session()
    first = hold(ours)
    body = {
        "session": str(theirs.id), "party_size": 1, "email": "a@example.org", "basket": str(first.basket),
        "basket_token": first.basket_token,
    }  # fmt: skip
    response = client.post("/api/v1/reservations", body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (409, "basket_closed")
    theirs.refresh_from_db()
    assert theirs.places_held == 0


def test_a_mixed_basket_that_came_about_all_the_same_is_refused_whole() -> None:
    first, second = hold(make_session()), hold(make_session())
    Reservation.objects.filter(id=second.id).update(basket=first.basket)
    with pytest.raises(InvalidRequest, match="one organization"):
        confirm(first)


def test_nothing_goes_into_a_basket_that_is_bought() -> None:
    first, second = make_sessions(2)
    reservation = hold(first)
    confirm(reservation)
    with pytest.raises(BasketClosed):
        hold(second, basket=reservation.basket)


def test_what_has_expired_can_be_taken_out_of_its_basket() -> None:
    first, second = make_sessions(2)
    kept = hold(first)
    gone = hold(second, basket=kept.basket)
    lapse(gone)
    reservations.release_expired_reservations()
    reservations.release_reservation(reservation_id=gone.id)
    confirm(kept, contact=Contact(email="b@example.org", name="Bo"))
    assert Reservation.objects.get(id=kept.id).status == "confirmed"


@pytest.mark.parametrize(("status", "is_booked"), [("closed", True), ("cancelled", False)])
def test_a_hold_of_a_session_that_was_closed_is_kept_and_of_one_that_was_cancelled_is_not(
    status: str, is_booked: bool
) -> None:
    session = make_session()
    reservation = hold(session)
    Session.objects.filter(id=session.id).update(status=status)
    if is_booked:
        assert confirm(reservation).status == "confirmed"
    else:
        with pytest.raises(NotBookable):
            confirm(reservation)


def test_a_session_that_opens_while_it_is_looked_at_is_sold(monkeypatch: pytest.MonkeyPatch) -> None:
    activity = make_activity()
    session = make_session(activity, opens_at=database_now() + timedelta(hours=1))
    really_take = capacity.take_places

    def take_then_open(**asked: Any) -> bool:
        taken = really_take(**asked)
        Session.objects.filter(id=session.id).update(opens_at=database_now())
        return taken

    monkeypatch.setattr(capacity, "take_places", take_then_open)
    assert hold(session).places == 1


def test_a_capacity_that_makes_no_sense_and_an_unknown_session_are_refused() -> None:
    session = make_session(capacity=5)
    for wrong in (-1, capacity.MOST_PLACES + 1):
        with pytest.raises(InvalidRequest, match="A capacity is"):
            capacity.set_capacity(session_id=session.id, capacity=wrong)
    with pytest.raises(NotFound):
        capacity.set_capacity(session_id=uuid7(), capacity=5)
    with pytest.raises(NotFound):
        capacity.recount(session_id=uuid7())
