"""The whole site while the bank hangs: who pays waits, everybody else is served, and nothing is held meanwhile."""

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.run.commands import THREADS_PER_WORKER
from payments.models import Payment
from payments.providers import gateway
from scheduling.models import Session
from tests.concurrency.races import Background
from tests.conftest import RunSql
from tests.factories import make_activity, make_organization, make_session, make_venue
from tests.journeys.conftest import serving, static_files  # noqa: F401 a fixture
from tests.journeys.test_booking import address
from tests.payments.bank.shop import Shop, until
from tests.payments.scenes import make_account, sessions_at

HANGS_SECONDS = 120
HELD = """SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'
    AND (state LIKE 'idle in transaction%%' OR (xact_start IS NOT NULL AND state <> 'active'))"""
LOCKS = """SELECT relation::regclass::text, mode FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND relation IS NOT NULL
    AND backend_type = 'client backend'
    AND mode <> 'AccessShareLock'"""


@pytest.fixture
def site(
    shop: Shop, committed_db: None, static_files: None, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> Iterator[str]:  # fmt: skip
    """Serve the site with the threads of one of production's processes; it waits for the bank as long as it likes."""
    monkeypatch.setenv("PAYMENT_TIMEOUT_SECONDS", str(HANGS_SECONDS))
    with serving(threads=THREADS_PER_WORKER) as address:
        yield address


@pytest.fixture
def session(shop: Shop, committed_db: None) -> Session:
    organization = make_organization()
    make_account(organization, shop)
    return make_session(
        make_activity(make_venue(organization), pay_on_arrival=False), capacity=9, starts_in=timedelta(days=3)
    )


def book(site: str, session: Session) -> tuple[int, Any]:
    """Book a place online; return the status, and the address of the bank's page."""
    body = {
        "lines": [{"session": str(session.id), "party_size": 1}], "payment_method": "online",
        "customer": {"email": f"{uuid4().hex}@example.org", "name": "Anna Archer"},
    }  # fmt: skip
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
    request = urllib.request.Request(f"{site}/api/v1/bookings", json.dumps(body).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 our own server
        return answer.status, json.load(answer)["payment"]["redirect_url"]


def status_of_page(url: str) -> int:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 our own server
        return int(answer.status)


def test_while_the_bank_hangs_others_are_served_and_nothing_is_held(
    site: str, session: Session, shop: Shop, admin_sql: RunSql
) -> None:
    page = f"{site}{address(session)}"
    shop.faults(slow_seconds=HANGS_SECONDS)
    payers = [Background(lambda: book(site, session)) for _ in range(gateway.SEATS)]
    try:
        until(lambda: Payment.objects.exclude(looked_at=None).count() == gateway.SEATS)
        looks = [Background(lambda: status_of_page(page)) for _ in range(3 * THREADS_PER_WORKER)]
        assert Counter(look.outcome() for look in looks) == {200: len(looks)}, "other customers' pages"
        assert book(site, session) == (201, None), "and one more who pays is told at once to ask again"
        until(lambda: admin_sql(HELD) == admin_sql(LOCKS) == [])
        assert [payer.is_alive() for payer in payers] == [True] * len(payers), "all this while the bank hangs"
    finally:
        shop.faults()
    answers: list[Any] = [payer.outcome() for payer in payers]
    assert [status for status, _ in answers] == [201] * len(payers)
    assert len({url for _, url in answers} - {None}) == len(sessions_at(shop)) == len(payers)
