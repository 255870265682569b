"""A price that changes is told to every page that shows it."""

from collections.abc import Callable

import pytest

from scheduling.models import Session
from scheduling.services import price_rules
from tests import factories
from tests.realtime.conftest import Realtime


def begin_a_rule(session: Session) -> None:
    price_rules.add_price_rule(activity_id=session.activity_id, name="Weekend", amount_minor=200)


def change_a_unit(session: Session) -> None:
    price_rules.set_unit_price(unit_id=session.activity.units.get().id, price_minor=1200)


def change_a_session(session: Session) -> None:
    price_rules.set_session_prices(activity_id=session.activity_id, session_ids=[session.id], price_minor=1200)


@pytest.mark.parametrize("change", [begin_a_rule, change_a_unit, change_a_session])
def test_a_changed_price_reaches_open_pages_and_widgets(realtime: Realtime, change: Callable[[Session], None]) -> None:
    session = factories.make_session()
    news = {"activity": str(session.activity_id)}
    with (
        realtime.socket(f"activity={session.activity_id}") as page,
        realtime.socket(f"venue={session.activity.venue.embed_key}") as widget,
    ):
        page.next()
        widget.next()
        change(session)
        assert (page.next(), widget.next()) == (news, news)
