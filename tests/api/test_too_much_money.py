"""More than a column holds is refused in words: in currencies of large numbers a coach party comes to it."""

import json
from typing import Any

import pytest
from django.test import Client

from bookings.models import Booking
from bookings.orders import Contact
from bookings.services.party_changes import change_party
from config.kit.money import MOST_MINOR
from config.kit.refusals import InvalidRequest
from scheduling.models import Reservation, Session
from scheduling.services.price_rules import add_price_rule
from tests.concurrency.races import Places, places_of
from tests.factories import CUSTOMER, book, make_activity, make_organization, make_session, make_venue

pytestmark = pytest.mark.django_db
HALF = 2**30  # minor units: two of them are one too many
WRAPS = 2**32 + 100  # as integers wrap, this would be 100
GUEST = {"email": "a@example.org", "name": "Anna Archer"}


def sale(price_minor: int) -> Session:
    organization = make_organization(currency="IDR")
    activity = make_activity(make_venue(organization), price_minor=price_minor, currency="IDR", pay_on_arrival=True)
    return make_session(activity, capacity=100)


def post(client: Client, path: str, body: dict[str, Any]) -> Any:
    return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")


def errors_of(answer: Any) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


@pytest.mark.parametrize("dated", [False, True])
@pytest.mark.parametrize(("price", "people"), [(HALF, 2), (WRAPS // 4, 4)])
def test_a_party_that_costs_too_much_is_refused_at_its_size_and_takes_nothing(
    client: Client, price: int, people: int, dated: bool
) -> None:
    session = sale(price)
    if dated:  # the slow path, which a dated price needs
        add_price_rule(activity_id=session.activity_id, name="Weekend", weekdays=[5, 6], percent=0, author=None)
    held = post(client, "reservations", {"session": str(session.id), "party_size": people, "email": "a@example.org"})
    assert (held.status_code, errors_of(held)) == (422, [("party_size", "too_much_money")])
    assert "IDR" in held.json()["detail"]
    line = {"session": str(session.id), "party_size": people}
    booked = post(client, "bookings", {"lines": [line], "customer": GUEST})
    assert (booked.status_code, errors_of(booked)) == (422, [("lines.0.party_size", "too_much_money")])
    assert (Reservation.objects.count(), places_of(session)) == (0, Places(0, 0, 100))
    assert (
        post(
            client, "reservations", {"session": str(session.id), "party_size": 1, "email": "a@example.org"}
        ).status_code
        == 201
    )


def test_lines_that_cost_too_much_together_are_refused_as_a_whole(client: Client) -> None:
    session = sale(HALF)
    lines = [{"session": str(each.id), "party_size": 1} for each in (session, make_session(session.activity))]
    dry = post(client, "bookings/validate", {"lines": lines, "customer": GUEST})
    assert (dry.status_code, errors_of(dry)) == (200, [("lines", "too_much_money")])
    assert errors_of(post(client, "bookings", {"lines": lines, "customer": GUEST})) == [("lines", "too_much_money")]
    assert Booking.objects.count() == 0


def test_the_most_that_can_be_written_can_be_booked_and_nobody_joins_it() -> None:
    session = sale(MOST_MINOR)
    booking = book(session, contact=Contact(email="a@example.org", name="A"))
    assert booking.total_minor == MOST_MINOR
    with pytest.raises(InvalidRequest) as refused:
        change_party(line_id=booking.lines.get().id, party_size=2, actor=CUSTOMER)
    assert [error.code for error in refused.value.errors] == ["too_much_money"]
    assert places_of(session) == Places(0, 1, 99)
