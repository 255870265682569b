"""How much one visitor may hold: caps, growing waits, an hour in all; nothing against honest ones."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from bookings.orders import Contact
from config.kit import counting
from config.kit.visitors import client_address, prefix_of
from config.tenants.models import ApiKey
from scheduling import limits
from scheduling.models import Reservation, Session
from scheduling.services import baskets, reservations
from tests.concurrency.races import race
from tests.factories import confirm, lapse, make_session, make_sessions

pytestmark = pytest.mark.usefixtures("committed_db")
MINUTE = 60_000


class Clock:
    """The time by which visitors are judged."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def passes(self, minutes: float) -> None:
        self.now += int(minutes * MINUTE)


@pytest.fixture
def clock(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Switch the limits on, and hold their clock."""
    settings.LIMITS = True
    clock = Clock()
    monkeypatch.setattr(limits, "now_ms", lambda: clock.now)
    monkeypatch.setattr(counting.Away, "until", 0.0)
    return clock


def ask(session: Session, people: int = 1, *, email: str = "anna@example.org", **others: Any) -> Any:
    """Hold by the API, from an address and a browser."""
    headers = {"User-Agent": others.pop("agent", "Browser/1"), **others.pop("headers", {})}
    return Client(REMOTE_ADDR=others.pop("address", "203.0.113.7")).post(
        "/api/v1/reservations", {"session": str(session.id), "party_size": people, "email": email, **others},
        content_type="application/json", headers=headers,
    )  # fmt: skip


def statuses(*answers: Any) -> list[int]:
    return [answer.status_code for answer in answers]


def lapse_all(clock: Clock, *, minutes: float = 14) -> None:
    """Let every hold run out, here and in the database."""
    lapse(*Reservation.objects.filter(status="held"))
    reservations.release_expired_reservations()
    clock.passes(minutes)


# Caps -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_one_address_holds_only_so_much_of_a_session_at_once_and_is_told_when_to_come_again() -> None:
    session = make_session(capacity=500)
    first, second, third = ask(session, 20), ask(session, 10), ask(session, 1)
    assert statuses(first, second, third) == [201, 201, 429]
    assert (third.json()["code"], third["Retry-After"]) == ("too_many_holds", "780")
    assert third.json()["retry_after_seconds"] == 780
    session.refresh_from_db()
    assert session.places_held == 30


@pytest.mark.usefixtures("clock")
def test_without_the_count_one_address_would_take_the_whole_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "COUNT", "return false")  # what Redis answers when nothing stands against a hold
    session = make_session(capacity=100)
    assert statuses(*(ask(session, 20) for _ in range(5))) == [201] * 5
    session.refresh_from_db()
    assert session.places_held == 100


@pytest.mark.usefixtures("clock")
def test_the_first_hold_of_anybody_is_never_too_large() -> None:
    session = make_session(capacity=500)
    assert statuses(ask(session, 90), ask(session, 1)) == [201, 429]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("vary", "held"),
    [
        (lambda n: {"email": f"anna+{n}@example.org"}, 30),  # one mailbox
        (lambda n: {"email": f"a{n}@example.org"}, 40),  # one browser in one network
        (lambda n: {"email": f"a{n}@example.org", "address": f"203.0.113.{n}"}, 40),
        (lambda n: {"email": f"a{n}@example.org", "agent": f"Browser/{n}"}, 200),  # one network
        (lambda n: {"email": f"a{n}@example.org", "agent": f"B/{n}", "address": f"2001:db8:7::{n:x}"}, 200),
        (lambda n: {"email": f"a{n}@example.org", "agent": f"B/{n}", "address": f"198.51.{n}.1"}, 230),
    ],
)
def test_whatever_is_varied_something_is_counted(vary: Callable[[int], dict[str, Any]], held: int) -> None:
    session = make_session(capacity=500)
    answers = [ask(session, 10, **vary(number)) for number in range(23)]
    session.refresh_from_db()
    assert (session.places_held, set(statuses(*answers)) <= {201, 429}) == (held, True)


@pytest.mark.usefixtures("clock")
def test_a_basket_has_a_cap_over_all_its_sessions() -> None:
    sessions = make_sessions(5, capacity=100)
    first = ask(sessions[0], 20, email="a0@example.org", agent="B/0").json()
    basket = {"basket": first["basket"], "basket_token": first["basket_token"]}
    answers = [
        ask(session, 20, email=f"a{n}@example.org", agent=f"B/{n}", **basket) for n, session in enumerate(sessions, 1)
    ]
    assert statuses(*answers) == [201, 201, 201, 429, 429]


@pytest.mark.usefixtures("clock")
def test_what_is_booked_or_given_back_is_not_counted_any_more() -> None:
    session = make_session(capacity=500)
    held = Reservation.objects.get(id=ask(session, 30).json()["id"])
    assert statuses(ask(session)) == [429]
    confirm(held)
    assert statuses(ask(session, 30), ask(session)) == [201, 429]
    baskets.release_basket(basket=Reservation.objects.get(status="held").basket)
    again = ask(session, 30)
    assert statuses(again, ask(session)) == [201, 429]
    reservations.release_reservation(reservation_id=again.json()["id"])
    assert statuses(ask(session)) == [201]


@pytest.mark.usefixtures("clock")
def test_a_hold_that_was_refused_or_sent_again_is_counted_once_or_not_at_all() -> None:
    session = make_session(capacity=35)
    key = {"Idempotency-Key": "k"}
    assert statuses(ask(session, 40), *(ask(session, 30, headers=key) for _ in range(3))) == [409, 201, 201, 201]
    session.refresh_from_db()
    assert session.places_held == 30


# Lapses -----------------------------------------------------------------------------------------------------------


def test_whoever_lets_holds_lapse_waits_longer_each_time(clock: Clock) -> None:
    session, other = make_sessions(2, capacity=100)
    waits = []
    for _ in range(4):
        answer = ask(session)
        waits.append(int(answer.headers.get("Retry-After", 0)))
        clock.passes(waits[-1] / 60)
        assert statuses(ask(session) if waits[-1] else answer) == [201]
        lapse_all(clock, minutes=13)
    assert waits == [0, 0, 60, 120]
    assert statuses(ask(session), ask(other), ask(session, email="eve@example.org", agent="B/2")) == [429, 201, 201]


def test_places_of_one_session_are_held_for_an_hour_in_all_without_buying(clock: Clock) -> None:
    session = make_session(capacity=100)
    for _ in range(7):
        answer = ask(session)
        assert answer.status_code == 201
        clock.passes(9)
        reservations.release_reservation(reservation_id=answer.json()["id"])
    assert statuses(ask(session), ask(make_session())) == [429, 201]
    clock.passes(25 * 60)


def test_buying_is_not_held_against_anybody(clock: Clock) -> None:
    session = make_session(capacity=100)
    for _ in range(9):
        held = ask(session)
        clock.passes(9)
        confirm(Reservation.objects.get(id=held.json()["id"]))
    assert statuses(ask(session)) == [201]


# Who is exempt, and what when Redis is away -----------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_programs_with_a_key_are_exempt() -> None:
    session = make_session(capacity=500)
    _, key = ApiKey.issue(organization_id=session.organization_id, name="ours", scopes=[])
    assert statuses(*(ask(session, 40, headers={"Authorization": f"Bearer {key}"}) for _ in range(4))) == [201] * 4


def test_off_means_off(settings: Settings) -> None:
    settings.LIMITS = False
    session = make_session(capacity=500)
    assert statuses(*(ask(session, 40) for _ in range(4))) == [201] * 4


@pytest.mark.usefixtures("clock")
def test_with_redis_away_everybody_is_let_in(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    session = make_session(capacity=500)
    assert statuses(*(ask(session, 40) for _ in range(4))) == [201] * 4


@pytest.mark.usefixtures("clock")
def test_many_at_once_are_counted_one_after_another() -> None:
    session = make_session(capacity=500)
    outcomes = race([lambda: ask(session, 3).status_code] * 24, at_once=8)
    assert Counter(outcomes) == {201: 10, 429: 14}


@pytest.mark.usefixtures("clock")
def test_the_page_says_it_in_words() -> None:
    first, second = make_sessions(2, capacity=500)
    unit, slug = first.activity.units.get(), f"/{first.organization.slug}/{first.activity.slug}"
    client = Client(REMOTE_ADDR="203.0.113.7", headers={"User-Agent": "Browser/1"})
    assert client.post(f"{slug}/{first.id}/", {f"unit-{unit.id}": 40}).status_code == 302
    refused = client.post(f"{slug}/{second.id}/", {f"unit-{unit.id}": 30})
    assert (refused.status_code, refused["Retry-After"]) == (429, "780")
    assert "Book them or give them back, or try again in 13 minutes." in refused.content.decode()


# Where a request comes from ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remote", "forwarded", "proxies", "address"),
    [
        ("203.0.113.7", "", [], "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", [], "203.0.113.7"),  # anybody may write it
        ("10.0.0.1", "198.51.100.1", ["10.0.0.0/8"], "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", ["10.0.0.0/8"], "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", ["10.0.0.0/8"], "198.51.100.1"),
        ("10.0.0.1", "nonsense", ["10.0.0.0/8"], "10.0.0.1"),
        ("203.0.113.7", "198.51.100.1", ["10.0.0.0/8"], "203.0.113.7"),
        ("::ffff:203.0.113.7", "", [], "203.0.113.7"),
        ("", "", [], None),
    ],
)
def test_only_our_own_proxies_say_who_somebody_is(
    settings: Settings, remote: str, forwarded: str, proxies: list[str], address: str | None
) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=remote, headers=headers)) == address


def test_a_household_is_one_network() -> None:
    assert [prefix_of(address) for address in ("203.0.113.7", "2001:db8:7:1::2")] == [
        "203.0.113.0/24",
        "2001:db8:7::/48",
    ]


@pytest.mark.usefixtures("clock")
def test_honest_customers_behind_an_attackers_address_are_booked() -> None:
    session = make_session(capacity=200)

    def attack(number: int) -> bool:
        return bool(ask(session, 4, email=f"nobody-{number}@example.org", agent="attacker").status_code == 201)

    def buy(number: int) -> bool:
        email = f"guest-{number}@example.org"
        held = ask(session, 2, email=email, agent=f"Browser/{number % 5}")
        if held.status_code != 201:
            return False
        confirm(Reservation.objects.get(id=held.json()["id"]), contact=Contact(email, "Guest"))
        return True

    acts = [partial(buy if number % 4 == 0 else attack, number) for number in range(80)]
    outcomes = race(acts, at_once=8)
    honest, attacks = [outcomes[number] for number in range(0, 80, 4)], outcomes.count(True)
    assert (len(honest), honest.count(True) >= 0.95 * len(honest)) == (20, True)
    assert attacks - honest.count(True) == 10  # forty places for one browser, of the 240 asked for
