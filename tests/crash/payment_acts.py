"""Acts with money that comes in, which a process may die in; each can be sent again."""

import os
from collections.abc import Callable, Mapping
from uuid import UUID

from django.conf import settings

from payments.services import charges, closing, provider_events
from tests.crash.acts import Scene
from tests.crash.failpoints import EXIT_CODE

PAGES = {"return_url": "http://shop.test/paid", "back_url": "http://shop.test/basket"}


def begin_a_payment(scene: Scene) -> None:
    settings.STRIPE_API_BASE = scene["bank"]
    charges.begin_payment(UUID(scene["payment"]), **PAGES)


def hear_that_it_was_paid(scene: Scene) -> None:
    provider_events.apply_event(UUID(scene["event"]))


def look_for_what_was_paid(scene: Scene) -> None:
    settings.STRIPE_API_BASE = scene["bank"]
    closing.reconcile_open_payments()


def close_what_is_over(scene: Scene) -> None:
    settings.STRIPE_API_BASE = scene["bank"]
    closing.close_lapsed_payments()


def begin_and_die_with_the_answer(scene: Scene) -> None:
    """Have the bank open its page, and die before anybody can write down where."""
    charges.apply_outcome = lambda *_, **__: os._exit(EXIT_CODE)
    begin_a_payment(scene)


def close_and_die_with_the_answer(scene: Scene) -> None:
    """Have the bank close its page, and die before anybody can write it down."""
    charges.apply_outcome = lambda *_, **__: os._exit(EXIT_CODE)
    close_what_is_over(scene)


PAYMENT_ACTS: Mapping[str, Callable[[Scene], None]] = {
    act.__name__: act for act in (begin_a_payment, hear_that_it_was_paid, look_for_what_was_paid, close_what_is_over)
}
ANSWERS: Mapping[str, Callable[[Scene], None]] = {
    act.__name__: act for act in (begin_and_die_with_the_answer, close_and_die_with_the_answer)
}
