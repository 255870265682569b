"""A way back to a basket: another device, another tab, a lost connection."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import Client

from alerts.models import Notification
from alerts.services import fan_out
from alerts.services.letters import draft
from bookings.models import Booking, ResumeLink
from bookings.services import recovery
from bookings.services.recovery import ResumeLinkOver, TooManyLinks
from config.kit.clock import database_now
from config.kit.refusals import InvalidRequest, NotFound
from scheduling.models import Reservation, Session
from tests.factories import ANNA, confirm, hold, lapse, make_session, make_unit
from tests.pages.test_booking_pages import address, contact, text

pytestmark = pytest.mark.django_db

ELSEWHERE = "zoe@example.org"


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def held_on_page(client: Client, session: Session, size: int = 1) -> Reservation:
    """Hold a party as a browser does."""
    unit = session.activity.units.get()
    client.post(address(session), {f"unit-{unit.id}": size})
    return Reservation.objects.latest("held_at")


def path_of(link: ResumeLink) -> str:
    return f"/resume/{link.id}.{link.token}/"


def let_end(link: ResumeLink) -> None:
    """Let a link's half hour be over."""
    now = database_now()
    ResumeLink.objects.filter(id=link.id).update(
        created_at=now - timedelta(hours=1), expires_at=now - timedelta(seconds=1)
    )


# Another device ---------------------------------------------------------------------------------------------------


def test_a_link_by_mail_opens_the_same_hold_on_another_device_with_the_time_that_is_left(client: Client) -> None:
    reservation = held_on_page(client, make_session(), size=2)
    checkout = f"/checkout/{reservation.basket}/"
    assert f"{checkout}elsewhere/" in client.get(checkout).content.decode()
    sent = client.post(f"{checkout}elsewhere/", {"email": ELSEWHERE.upper()}, follow=True)
    assert "A link is on its way" in text(sent)
    fan_out.fan_out_facts()
    message = Notification.objects.get(kind="resume_link_asked")
    link = ResumeLink.objects.get()
    assert message.recipient == ELSEWHERE
    found = re.search(r"http://[^/]+(/resume/\S+/)", draft(message).written.text)
    assert found
    assert found[1] == path_of(link)
    phone = Client()
    assert "Continue your booking here" in text(phone.get(path_of(link)))
    opened = phone.post(path_of(link), follow=True)
    assert opened.redirect_chain[-1][0] == checkout
    assert text(opened).count("2 × Adult") == 1
    shown = re.search(r"data-seconds=\"(\d+)\"", opened.content.decode())
    left = (reservation.expires_at - database_now()).total_seconds()
    assert shown
    assert abs(int(shown[1]) - left) <= 2
    assert Reservation.objects.count() == 1
    assert phone.post(checkout, contact(), follow=True).status_code == 200
    assert Booking.objects.get().status == Booking.Status.CONFIRMED


def test_a_mail_program_that_looks_at_the_link_does_not_use_it() -> None:
    link = recovery.ask_resume_link(basket=hold(make_session()).basket, email=ELSEWHERE)
    for _ in range(3):
        assert Client().get(path_of(link)).status_code == 200
    assert Client().post(path_of(link)).status_code == 302


def test_a_link_works_once_and_a_used_one_offers_another(client: Client) -> None:
    link = recovery.ask_resume_link(basket=hold(make_session()).basket, email=ELSEWHERE)
    assert client.post(path_of(link)).status_code == 302
    stranger = Client()
    for answer in (stranger.get(path_of(link)), stranger.post(path_of(link))):
        assert (answer.status_code, "basket" in answer.cookies) == (409, False)
        assert "This link is over" in text(answer)
        assert "Send me a new link" in text(answer)
    again = stranger.post(f"{path_of(link)}again/")
    assert "A new link is on its way" in text(again)
    assert ResumeLink.objects.count() == 2
    fan_out.fan_out_facts()
    assert set(Notification.objects.values_list("recipient", flat=True)) == {ELSEWHERE}


def test_a_link_is_over_after_half_an_hour(client: Client) -> None:
    link = recovery.ask_resume_link(basket=hold(make_session()).basket, email=ELSEWHERE)
    assert link.expires_at - link.created_at >= timedelta(minutes=29, seconds=59)
    let_end(link)
    answer = client.post(path_of(link))
    assert (answer.status_code, "basket" in answer.cookies) == (409, False)
    with pytest.raises(ResumeLinkOver):
        recovery.open_resume_link(link_id=link.id, token=link.token)


def test_what_has_lapsed_meanwhile_can_be_held_again_on_the_other_device() -> None:
    reservation = hold(make_session())
    link = recovery.ask_resume_link(basket=reservation.basket, email=ELSEWHERE)
    lapse(reservation)
    phone = Client()
    opened = phone.post(path_of(link), follow=True)
    assert "These places went back" in text(opened)
    phone.post(f"/checkout/{reservation.basket}/again/")
    assert Reservation.objects.exclude(id=reservation.id).get().party_size == 1


def test_links_are_few_and_name_nobody() -> None:
    basket = hold(make_session()).basket
    links = [recovery.ask_resume_link(basket=basket, email=ELSEWHERE) for _ in range(recovery.MOST_LINKS)]
    with pytest.raises(TooManyLinks):
        recovery.ask_resume_link(basket=basket, email=ELSEWHERE)
    with pytest.raises(TooManyLinks):
        recovery.ask_again(link_id=links[0].id, token=links[0].token)
    assert all(ELSEWHERE not in str(row) for row in ResumeLink.objects.values())


@pytest.mark.parametrize("email", ["", "  ", "nobody"])
def test_a_link_needs_an_address(email: str) -> None:
    with pytest.raises(InvalidRequest):
        recovery.ask_resume_link(basket=hold(make_session()).basket, email=email)
    assert not ResumeLink.objects.exists()


def test_there_is_no_link_to_what_is_not_held() -> None:
    booked = hold(make_session())
    confirm(booked)
    for basket in (booked.basket, uuid4()):
        with pytest.raises(NotFound):
            recovery.ask_resume_link(basket=basket, email=ELSEWHERE)


# Owners alone -----------------------------------------------------------------------------------------------------


def test_what_was_in_a_basket_is_shown_to_its_owner_alone(client: Client) -> None:
    mine, others = held_on_page(client, make_session(), size=2), hold(make_session())
    lapse(mine)  # its content is kept, to be found again
    assert "2 × Adult" in text(client.get(f"/checkout/{mine.basket}/"))
    link = recovery.ask_resume_link(basket=others.basket, email=ELSEWHERE)
    strange = Client()
    strange.cookies["basket"] = client.cookies["basket"].value  # of another basket
    for visitor, page in (
        (Client(), f"/checkout/{mine.basket}/"),
        (strange, f"/checkout/{others.basket}/"),
        (client, f"/checkout/{others.basket}/elsewhere/"),
        (Client(), f"/resume/{link.id}.{link.token[:-1]}x/"),
        (Client(), f"/resume/{uuid4()}.{link.token}/"),
    ):
        answer = visitor.get(page)
        assert answer.status_code == 404
        assert "Adult" not in text(answer)


# Another tab ------------------------------------------------------------------------------------------------------


def test_a_second_tab_meets_the_hold_of_the_first_instead_of_a_rival(client: Client) -> None:
    session = make_session(capacity=2)
    first = held_on_page(client, session, size=2)
    seen = text(client.get(address(session)))
    assert "You hold 2 of these places already" in seen
    unit = session.activity.units.get()
    answer = client.post(address(session), {f"unit-{unit.id}": 2}, follow=True)
    assert answer.redirect_chain[-1][0] == f"/checkout/{first.basket}/?held=already"
    assert "You were holding these places already" in text(answer)
    assert list(Reservation.objects.values_list("id", "status")) == [(first.id, "held")]
    booked = [client.post(f"/checkout/{first.basket}/", contact(), follow=True) for _ in range(2)]  # from both tabs
    assert {page.redirect_chain[-1][0] for page in booked} == {f"/bookings/{Booking.objects.get().number}/"}


def test_a_hold_that_is_over_is_no_hold_to_be_met(client: Client) -> None:
    session = make_session(capacity=2)
    lapse(held_on_page(client, session))
    assert "You hold" not in text(client.get(address(session)))
    held_on_page(client, session)
    assert Reservation.objects.filter(status="held", expires_at__gt=database_now()).count() == 1


def test_somebody_elses_hold_is_never_met(client: Client) -> None:
    session = make_session()
    held_on_page(client, session)
    other = Client()
    forged = client.cookies["newest_basket"].value
    other.cookies["newest_basket"] = forged[:-1] + ("a" if forged[-1] != "a" else "b")
    assert "You hold" not in text(other.get(address(session)))


def test_asking_the_price_is_no_second_hold_and_shows_the_price(client: Client) -> None:
    session = make_session()
    make_unit(session.activity, name="Kid")
    unit = session.activity.units.get(is_default=True)
    client.post(address(session), {f"unit-{unit.id}": 1})
    priced: Any = client.post(address(session), {f"unit-{unit.id}": 2, "show_price": "yes"})
    assert "Together £20.00" in text(priced)


def test_a_basket_belongs_to_whoever_asks_for_the_link_last() -> None:
    reservation = hold(make_session(), email=ANNA.email)
    recovery.ask_resume_link(basket=reservation.basket, email=ELSEWHERE)
    reservation.refresh_from_db()
    assert reservation.email == ELSEWHERE
