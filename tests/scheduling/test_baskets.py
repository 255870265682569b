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
from scheduling.services import baskets, capacity, reservations
from scheduling.services.assessing import NotBookable
from scheduling.services.reservations import AlreadyExtended, BasketClosed, ReservationEnded, ReservationLapsed
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


# The basket as a whole --------------------------------------------------------------------------------------------


def test_a_basket_is_kept_longer_whole_once_or_not_at_all() -> None:
    first, second = make_sessions(2)
    one = hold(first)
    other = hold(second, 2, basket=one.basket)
    before = {each.id: Reservation.objects.get(id=each.id).expires_at for each in (one, other)}
    extended = baskets.extend_basket(basket=one.basket)
    assert {each.id: each.expires_at - before[each.id] for each in extended} == dict.fromkeys(
        before, timedelta(minutes=3)
    )
    with pytest.raises(AlreadyExtended):
        baskets.extend_basket(basket=one.basket)


def test_a_basket_with_one_hold_that_is_over_is_not_kept_longer() -> None:
    first, second = make_sessions(2)
    one = hold(first)
    lapse(hold(second, basket=one.basket))
    with pytest.raises(ReservationLapsed):
        baskets.extend_basket(basket=one.basket)
    assert not Reservation.objects.filter(extended=True).exists()


def test_a_basket_goes_back_whole_and_what_is_booked_stays() -> None:
    first, second = make_sessions(2)
    one = hold(first, 2)
    lapse(hold(second, 3, basket=one.basket))
    baskets.release_basket(basket=one.basket)
    assert [counters(session) for session in (first, second)] == [(0, 0), (0, 0)]
    with pytest.raises(NotFound):
        baskets.release_basket(basket=one.basket)
    booked = hold(first)
    confirm(booked)
    with pytest.raises(ReservationEnded):
        baskets.release_basket(basket=booked.basket)
    assert counters(first) == (0, 1)


def counters(session: Session) -> tuple[int, int]:
    session.refresh_from_db()
    return session.places_held, session.places_booked


# More into it, and one of it back ---------------------------------------------------------------------------------


def by_page(client: Client, session: Session, people: int = 1) -> Any:
    unit, activity = session.activity.units.get(), session.activity
    return client.post(
        f"/{activity.organization.slug}/{activity.slug}/{session.id}/", {f"unit-{unit.id}": people}, follow=True
    )


def test_another_session_goes_into_the_same_basket_and_one_of_them_back(client: Client) -> None:
    first, second = make_sessions(2)
    page = by_page(client, first, 2)
    basket = Reservation.objects.get().basket
    assert "Remove" not in page.content.decode()
    sale = client.post(f"/checkout/{basket}/add/", follow=True)
    assert "goes with the places you hold already" in sale.content.decode()
    page = by_page(client, second, 3)
    assert page.redirect_chain[-1][0].startswith(f"/checkout/{basket}/")
    assert ("£50.00" in page.content.decode(), page.content.decode().count(">Remove<")) == (True, 2)
    one = Reservation.objects.get(session=first)
    page = client.post(f"/checkout/{basket}/remove/{one.id}/", follow=True)
    assert ("£30.00" in page.content.decode(), "Remove" in page.content.decode()) == (True, False)
    assert [counters(session) for session in (first, second)] == [(0, 0), (3, 0)]
    stranger = Client().post(f"/checkout/{basket}/remove/{Reservation.objects.get(session=second).id}/")
    assert stranger.status_code == 404
    last = client.post(f"/checkout/{basket}/remove/{Reservation.objects.get(session=second).id}/")
    assert (last.status_code, counters(second)) == (302, (0, 0))


def test_what_was_put_in_since_the_page_was_shown_is_not_bought_unseen(client: Client) -> None:
    first, second = make_sessions(2)
    by_page(client, first)
    basket = Reservation.objects.get().basket
    hold(second, basket=basket)
    details = {"name": "Anna", "email": "anna@example.org", "expected_total": "1000"}
    refused = client.post(f"/checkout/{basket}/", details)
    assert (refused.status_code, "The price is not the one that you were shown" in refused.content.decode()) == (
        409, True,
    )  # fmt: skip
    assert 'name="expected_total" value="2000"' in refused.content.decode()


def test_a_basket_that_was_bought_or_has_lapsed_takes_nothing_more(client: Client) -> None:
    first, second, third = make_sessions(3)
    by_page(client, first)
    one = Reservation.objects.get()
    client.post(f"/checkout/{one.basket}/add/")
    lapse(one)
    by_page(client, second)
    other = Reservation.objects.get(session=second)
    assert other.basket != one.basket
    client.post(f"/checkout/{other.basket}/add/")
    confirm(other)
    by_page(client, third)
    assert Reservation.objects.get(session=third).basket not in {one.basket, other.basket}
