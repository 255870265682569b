"""Units with limits, extras and prices by rule over REST."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from bookings.models import Booking
from scheduling.models import Activity, Reservation, Session
from scheduling.services import price_rules
from scheduling.services.catalogue import refresh_plain_hold
from tests.factories import ANNA, make_activity, make_extra, make_session, make_unit

pytestmark = pytest.mark.django_db

CUSTOMER = {"email": ANNA.email, "name": ANNA.name}


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json")


def wanted(session: Session, **changes: Any) -> dict[str, Any]:
    return {"session": str(session.id), "party_size": 2, "email": "anna@example.org", **changes}


def errors_of(answer: Any) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


def test_an_activity_says_what_it_asks_of_a_party_and_what_may_be_had_beside(client: Client) -> None:
    activity = make_activity(smallest_party=2, largest_party=8)
    make_unit(activity, name="Child", needs_accompaniment=True, maximum_count=4, minimum_age=5, position=1)
    locker = make_extra(activity, name="Locker", stock_per_session=6, maximum_per_party=2)
    make_extra(activity, is_offered=False)
    body = client.get(f"/api/v1/activities/{activity.id}").json()
    assert (body["smallest_party"], body["largest_party"]) == (2, 8)
    limits = ("name", "minimum_count", "maximum_count", "needs_accompaniment", "can_accompany")
    assert [tuple(unit[name] for name in limits) for unit in body["units"]] == [
        ("Adult", 0, None, False, False), ("Child", 0, 4, True, False)
    ]  # fmt: skip
    assert body["extras"] == [
        {"id": str(locker.id), "name": "Locker", "summary": "", "price": {"amount_minor": 300, "currency": "GBP"},
         "stock_per_session": 6, "maximum_per_party": 2}
    ]  # fmt: skip


def test_extras_are_held_and_booked_with_the_places_and_are_in_the_price(client: Client) -> None:
    activity = make_activity(price_minor=1000)
    locker = make_extra(activity, name="Locker")
    session = make_session(activity)
    extras = [{"extra": str(locker.id), "count": 2}]
    held = post(client, "reservations", wanted(session, extras=extras))
    price = held.json()["price"]
    assert (held.status_code, price["amount_minor"]) == (201, 2600)
    assert price["lines"][1] == {
        "extra": str(locker.id), "name": "Locker", "count": 2, "amount_minor": 600, "why": "2 x Locker at 300"
    }  # fmt: skip
    line = {"session": str(session.id), "party_size": 1, "extras": extras}
    booked = post(client, "bookings", {"lines": [line], "customer": CUSTOMER, "expected_total": 1600})
    assert (booked.status_code, booked.json()["total"]["amount_minor"]) == (201, 1600)
    assert booked.json()["lines"][0]["price"]["lines"][1]["name"] == "Locker"


def test_a_stock_that_is_short_is_a_conflict_that_says_what_is_left(client: Client) -> None:
    activity = make_activity()
    locker = make_extra(activity, name="Locker", stock_per_session=1)
    session = make_session(activity)
    line = {"session": str(session.id), "party_size": 1, "extras": [{"extra": str(locker.id), "count": 2}]}
    answer = post(client, "bookings", {"lines": [line], "customer": CUSTOMER})
    body = answer.json()
    assert (answer.status_code, body["code"]) == (409, "not_enough_extras")
    assert body["extras"] == [{"extra": str(locker.id), "left": 1}]
    assert errors_of(answer) == [("lines.0.extras.0.count", "not_enough_extras")]
    assert (Booking.objects.count(), Reservation.objects.count()) == (0, 0)


def test_everything_wrong_with_every_line_is_answered_at_once(client: Client) -> None:
    activity = make_activity(largest_party=3)
    child = make_unit(activity, name="Child", needs_accompaniment=True, maximum_age=15)
    session = make_session(activity)
    alone = {"session": str(session.id), "units": [{"unit": str(child.id), "count": 1}], "ages": [16]}
    many = {"session": str(session.id), "party_size": 4, "extras": [{"extra": str(uuid4()), "count": 1}]}
    answer = post(client, "bookings", {"lines": [alone, many], "customer": CUSTOMER})
    assert answer.status_code == 422
    assert errors_of(answer) == [
        ("lines.0.units.0.count", "needs_accompaniment"), ("lines.0.ages.0", "age_fits_nobody"),
        ("lines.1.party_size", "party_too_large"), ("lines.1.extras.0.extra", "unknown_extra"),
    ]  # fmt: skip
    assert not Booking.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"extras": [{"extra": "x", "count": 1}]}, "extras.0.extra"),
        ({"extras": [{"extra": str(uuid4()), "count": 0}]}, "extras.0.count"),
        ({"extras": [{"extra": str(uuid4())}]}, "extras.0.count"),
        ({"extras": "all"}, "extras"),
        ({"ages": [-1]}, "ages.0"),
        ({"ages": ["ten"]}, "ages.0"),
    ],
)
def test_extras_and_ages_that_cannot_be_read_are_refused_by_field(
    client: Client, changes: dict[str, Any], field: str
) -> None:
    answer = post(client, "reservations", wanted(make_session(), **changes))
    assert (answer.status_code, [name for name, _ in errors_of(answer)]) == (422, [field])


def test_a_bare_party_meets_limits_and_rules_although_its_form_is_the_plain_one(client: Client) -> None:
    activity = make_activity(price_minor=1000)
    Activity.objects.filter(id=activity.id).update(largest_party=3)
    refresh_plain_hold(activity_id=activity.id)
    price_rules.add_price_rule(activity_id=activity.id, name="Always", amount_minor=200)
    session = make_session(activity)
    refused, held = (post(client, "reservations", wanted(session, party_size=size)) for size in (4, 3))
    assert (refused.status_code, errors_of(refused)) == (422, [("party_size", "party_too_large")])
    assert held.json()["price"]["amount_minor"] == 3600
    assert held.json()["price"]["lines"][0]["rules"] == [{"name": "Always", "change_minor": 200}]
