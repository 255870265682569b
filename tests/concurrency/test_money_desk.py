"""At the desk: many guesses at once are no more than a few, and what is due is taken once."""

import threading
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest
from django.test import RequestFactory

from bookings.models import Booking
from bookings.services import desk_money, lifecycle
from config.tenants import reauthentication
from config.tenants.models import User
from payments.models import Payment
from tests.concurrency.races import race, tally
from tests.factories import book, make_activity, make_session
from tests.payments.money import STAFF

pytestmark = pytest.mark.usefixtures("committed_db")

GUESSES = 8


def request_of(user: User) -> HttpRequest:
    """Return a request of a session of its own."""
    request: Any = RequestFactory().post("/admin/")
    request.user, request.session = user, {}
    return request  # type: ignore[no-any-return]


def guess_at_once() -> dict[str, int]:
    user = User.objects.create_user("priya@example.org", "the right one", is_staff=True)
    guesses: list[Callable[[], None]] = [
        partial(reauthentication.require_password, request_of(user), f"guess {number}") for number in range(GUESSES)
    ]
    return tally(race(guesses))


def test_of_many_guesses_at_once_no_more_are_tried_than_one_after_another() -> None:
    most = reauthentication.MOST_WRONG
    assert guess_at_once() == {"PasswordWrong": most, "TooManyPasswords": GUESSES - most}
    assert LogEntry.objects.filter(change_message=reauthentication.WRONG).count() == most


def test_without_the_persons_lock_all_of_them_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: nobody waits for anybody, and all have counted before one has written."""
    together = threading.Barrier(GUESSES, timeout=20)

    def look(user_id: UUID) -> User:
        user: Any = User.objects.get(pk=user_id)
        check = user.check_password

        def check_together(password: str) -> bool:
            together.wait()
            return bool(check(password))

        user.check_password = check_together
        return user  # type: ignore[no-any-return]

    monkeypatch.setattr(reauthentication, "_lock", look)
    assert guess_at_once() == {"PasswordWrong": GUESSES}


def take_twice() -> tuple[dict[str, int], int]:
    booking = book(make_session(make_activity(price_minor=1000)))
    take = partial(desk_money.take_money, booking_id=booking.id, amount_minor=1000, actor=STAFF)
    return tally(race([take, take])), Payment.objects.filter(reference=booking.id, status="succeeded").count()


def test_what_is_due_is_taken_once_when_two_take_it() -> None:
    assert take_twice() == ({"Payment": 1, "NothingDue": 1}, 1)


def test_without_the_bookings_lock_it_is_taken_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: both see what is due, and both take it."""
    together = threading.Barrier(2, timeout=20)
    seen = desk_money.due_now

    def look(booking_id: UUID) -> Booking:
        return Booking.objects.get(id=booking_id)

    def due_together(booking: Booking) -> int:
        due = seen(booking)
        together.wait()
        return due

    unlocked = SimpleNamespace(lock_booking=look, check_version=lifecycle.check_version)
    monkeypatch.setattr(desk_money, "lifecycle", unlocked)
    monkeypatch.setattr(desk_money, "due_now", due_together)
    assert take_twice()[1] == 2
