"""The checkout where an organization asks for consent: who comes, born when, and who agrees."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from bookings.models import Booking, Participant
from bookings.orders import Person
from bookings.services.checkout import Terms, Wanted, book_basket, book_lines
from bookings.services.people import change_participants
from config.kit.clock import database_now
from config.kit.refusals import InvalidRequest
from scheduling.models import Reservation
from scheduling.services.assessing import Party
from tests.factories import ANNA, CUSTOMER, make_activity, make_organization, make_session, make_venue
from tests.pages.test_booking_pages import address, contact, text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def years_ago(years: int) -> str:
    """Return the birth date of somebody who is that old on the day of the session."""
    return (database_now() - timedelta(days=round(years * 365.25) + 30)).date().isoformat()


def held_by(client: Client, size: int, **organization: Any) -> Reservation:
    session = make_session(make_activity(make_venue(make_organization(**organization))))
    client.post(address(session), {f"unit-{session.activity.units.get().id}": size})
    return Reservation.objects.get()


def who(reservation: Reservation, *people: tuple[str, str, str]) -> dict[str, str]:
    """Return the fields as the page names them: name, birth date, who consents."""
    return {
        f"who-{reservation.id}-{place}-{name}": value
        for place, person in enumerate(people)
        for name, value in zip(("name", "birth_date", "consent_by"), person, strict=True)
    }


def test_a_minor_comes_with_the_name_of_whoever_consents_and_not_without(client: Client) -> None:
    reservation = held_by(client, 2, consent_under_age=16)
    page = f"/checkout/{reservation.basket}/"
    assert "Those under 16 come only with somebody's consent." in text(client.get(page))
    family = [("Anna", years_ago(40), ""), ("Ben", years_ago(9), "")]
    refused = client.post(page, contact() | who(reservation, *family))
    assert "Those under 16 come only with consent" in text(refused)
    assert not Booking.objects.exists()
    family[1] = ("Ben", years_ago(9), "Anna Archer")
    client.post(page, contact() | who(reservation, *family))
    rows = [(row.name, row.consent_by, row.consent_at is None) for row in Participant.objects.order_by("name")]
    assert rows == [("Anna", "", True), ("Ben", "Anna Archer", False)]
    assert [person.name for person in Booking.objects.get().lines.get().participants.order_by("name")] == [
        "Anna",
        "Ben",
    ]


def test_what_is_missing_is_said_at_its_field(client: Client) -> None:
    reservation = held_by(client, 2, consent_under_age=16)
    page = f"/checkout/{reservation.basket}/"
    answer = client.post(page, contact() | who(reservation, ("Anna", "", ""), ("", years_ago(30), "")))
    body = answer.content.decode()
    wrong = re.findall(r'<p class="wrong" id="id_who-[\w-]+-(\d-\w+)_error"', body)
    assert wrong == ["0-birth_date", "1-name"]
    assert not Booking.objects.exists()


def test_nobody_is_asked_where_there_is_no_rule(client: Client) -> None:
    reservation = held_by(client, 2)
    page = f"/checkout/{reservation.basket}/"
    assert "Birth date" not in text(client.get(page))
    client.post(page, contact())
    assert Booking.objects.get().status == Booking.Status.CONFIRMED


def test_the_rule_holds_whoever_asks_and_by_whichever_way(client: Client) -> None:
    reservation = held_by(client, 1, consent_under_age=16)
    with pytest.raises(InvalidRequest) as refused:
        book_basket(basket=reservation.basket, contact=ANNA, terms=Terms(), actor=CUSTOMER)
    assert [error.code for error in refused.value.errors] == ["name_everybody"]
    body = {
        "customer": {"email": "a@example.org", "name": "Anna"},
        "people": [
            {"reservation": str(reservation.id), "participants": [{"name": "Ben", "birth_date": years_ago(9)}]}
        ],
    }  # fmt: skip
    token = {"Reservation-Token": reservation.token}
    path = f"/api/v1/reservations/{reservation.id}/confirm"
    answer = client.post(path, body, content_type="application/json", headers=token)
    assert [error["code"] for error in answer.json()["errors"]] == ["consent_required"]
    body["people"][0]["participants"][0]["consent_by"] = "Anna"  # type: ignore[index]
    booked = client.post(path, body, content_type="application/json", headers=token)
    assert booked.status_code == 200
    assert [person["name"] for person in booked.json()["lines"][0]["participants"]] == ["Ben"]


def test_addresses_are_one_however_they_are_written(client: Client) -> None:
    first = make_session()
    second = make_session(first.activity, starts_in=timedelta(days=3))
    for session, email in ((first, " Anna@Example.org "), (second, "anna@example.ORG")):
        client.post(address(session), {f"unit-{session.activity.units.get().id}": 1})
        client.post(f"/checkout/{Reservation.objects.latest('held_at').basket}/", contact(email=email))
    assert [booking.customer.email for booking in Booking.objects.all()] == ["anna@example.org"] * 2
    assert len({booking.customer_id for booking in Booking.objects.all()}) == 1


def test_whoever_is_named_later_needs_consent_too(client: Client) -> None:
    reservation = held_by(client, 1, consent_under_age=16)
    client.post(f"/checkout/{reservation.basket}/", contact() | who(reservation, ("Ben", years_ago(9), "Anna Archer")))
    line = Booking.objects.get().lines.get()
    for person, codes in (
        (Person(name="Cleo"), ["birth_date_required"]),
        (Person(name="Cleo", birth_date=date.fromisoformat(years_ago(9))), ["consent_required"]),
    ):
        with pytest.raises(InvalidRequest) as refused:
            change_participants(line_id=line.id, participants=[person], actor=CUSTOMER)
        assert [error.code for error in refused.value.errors] == codes
    cleo = Person(name="Cleo", birth_date=date.fromisoformat(years_ago(9)), consent_by="Anna Archer")
    change_participants(line_id=line.id, participants=[cleo], actor=CUSTOMER)
    assert [person.name for person in line.people] == ["Cleo"]


def test_who_comes_is_named_anew_with_consent_and_whoever_is_told_of_as_before_is_the_same(client: Client) -> None:
    session = make_session(make_activity(make_venue(make_organization(consent_under_age=16))))
    anna, ben = Person(name="Anna", birth_date=date(1980, 1, 1)), Person(name="Ben", birth_date=date(2019, 1, 1))
    booking = book_lines(
        lines=[Wanted(Party(session.id, 2), (anna, replace(ben, consent_by="Anna")))], contact=ANNA, terms=Terms(),
        actor=CUSTOMER,
    )  # fmt: skip
    client.get(f"/bookings/{booking.number}.{booking.token}/")
    page = f"/bookings/{booking.number}/people/?line={booking.lines.get().id}"
    shown = client.get(page).content.decode()
    assert [f'value="{value}"' in shown for value in ("Anna", "1980-01-01", "Ben", "2019-01-01")] == [True] * 4
    named = {"line": str(booking.lines.get().id), "name-0": "Anna", "birth_date-0": "1980-01-01", "name-1": "Cleo"}
    for missing, words in (
        ({}, "Give the birth date"),
        ({"birth_date-1": "2019-05-05"}, "Those under 16 come only with consent"),
        ({"name-1": "", "birth_date-1": "2019-05-05"}, "Give the name of everybody who comes."),
    ):
        assert words in text(client.post(page, named | missing))
    client.post(page, named | {"birth_date-1": "2019-05-05", "consent_by-1": "Anna Archer"})
    people = [(row.name, row.consent_by) for row in booking.lines.get().people]
    assert people == [("Anna", ""), ("Cleo", "Anna Archer")]
    assert Participant.objects.filter(name="Anna").count() == 1
