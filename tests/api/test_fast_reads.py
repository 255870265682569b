"""The server's front: what it gives again, to whom and for how long, and that it says what the application said."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory
from redis.exceptions import ConnectionError as RedisAway

from alerts import metrics
from config import fast_reads, wsgi
from config.fast_reads import FastReads
from config.kit.keepable import Keepable
from scheduling import display_cache
from scheduling.models import Session
from tests.factories import hold, make_session
from tests.scheduling.nudges import silent_nudges

pytestmark = pytest.mark.usefixtures("committed_db")


class Site:
    """The application behind its front, with a clock that a test moves."""

    def __init__(self) -> None:
        self.asked = 0  # how often the application was
        self.counted: list[int] = []
        self.now = 1000.0
        django = get_wsgi_application()

        def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            self.asked += 1
            return django(environ, start_response)

        self.front = FastReads(application, versions_of=display_cache.versions_of, count=self.count)

    def count(self, _: Keepable, status: int, __: float) -> None:
        self.counted.append(status)

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        environ = RequestFactory().get(path, headers=headers).environ
        if "Cookie" not in headers:
            environ.pop("HTTP_COOKIE", None)
        begun: list[Any] = []
        result = self.front(environ, lambda status, found, *_: begun.append((status, found)))
        body = b"".join(result)
        getattr(result, "close", lambda: None)()
        status, found = begun[0]
        return int(status[:3]), dict(found), body


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    cache.clear()
    monkeypatch.setattr(display_cache, "nudges", silent_nudges())  # a test says when a change is told
    site = Site()
    monkeypatch.setattr(fast_reads, "monotonic", lambda: site.now)
    monkeypatch.setattr(display_cache, "listeners", [site.front.forget])
    return site


@pytest.fixture
def session() -> Session:
    return make_session(starts_in=timedelta(days=1))


def month(session: Session) -> str:
    return f"/api/v1/activities/{session.activity_id}/availability?month={session.starts_at:%Y-%m}"


def test_the_second_reader_gets_the_same_bytes_and_headers_without_the_application(
    site: Site, session: Session
) -> None:
    first, second = site.get(month(session)), site.get(month(session))
    assert site.asked == 1
    assert second == (200, first[1] | {"Age": "0"}, first[2])
    assert {"ETag", "Content-Type", "Cache-Control", "X-Content-Type-Options", "Vary"} <= second[1].keys()
    assert int(second[1]["Content-Length"]) == len(second[2])


def test_a_known_tag_is_a_304_in_every_form_that_a_cache_may_send_it(site: Site, session: Session) -> None:
    etag = site.get(month(session))[1]["ETag"]
    for tags in (etag, f"W/{etag}", f'"another", {etag}'):
        status, headers, body = site.get(month(session), **{"If-None-Match": tags})
        assert (status, body, headers["ETag"]) == (304, b"", etag)
        assert headers.keys().isdisjoint({"Content-Type", "Content-Length"})
    assert site.get(month(session), **{"If-None-Match": '"another"'})[0] == 200
    assert (site.asked, site.counted) == (1, [304, 304, 304, 200])


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Bearer hf_x"}, {"Cookie": "sessionid=1"}, {"Origin": "https://a.example"}],
    ids=lambda headers: next(iter(headers)),
)
def test_whoever_brings_credentials_or_an_origin_is_answered_by_the_application(
    site: Site, session: Session, headers: dict[str, str]
) -> None:
    site.get(month(session), **headers)
    site.get(month(session))
    site.get(month(session), **headers)
    assert (site.asked, site.counted) == (3, [])


@pytest.mark.parametrize(
    "path", ["/api/v1/activities", "/livez", "/api/v1/activities/{id}/availability?month=never", "/nowhere/at-all/"]
)
def test_only_what_a_view_allows_is_given_again(site: Site, session: Session, path: str) -> None:
    path = path.replace("{id}", str(session.activity_id))
    assert site.get(path)[0] == site.get(path)[0]
    assert (site.asked, site.counted) == (2, [])


def test_the_writer_reads_what_he_wrote_and_others_soon_after(site: Site, session: Session) -> None:
    before = site.get(month(session))
    hold(session, party_size=4)
    mine = site.get(month(session), **{"Cache-Control": "no-cache"})
    assert b'"available_spots" : 6' in mine[2]
    assert b'"available_spots" : 10' in before[2]
    assert site.get(month(session))[2] == mine[2]  # what he asked for is there for the others too
    hold(session, party_size=1)
    assert b'"available_spots" : 6' in site.get(month(session))[2]  # nobody has been told yet: bounded, see below
    display_cache.nudges.tell_rest()
    assert b'"available_spots" : 5' in site.get(month(session))[2]


def test_a_version_that_another_process_moved_is_seen_within_a_quarter_of_a_second(
    site: Site, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.get(month(session))
    site.get(month(session))
    monkeypatch.setattr(display_cache, "listeners", [])  # it is not told here
    hold(session, party_size=4)
    display_cache.nudges.tell_rest()
    site.now += 0.2
    assert b'"available_spots" : 10' in site.get(month(session))[2]
    site.now += 0.06
    assert b'"available_spots" : 6' in site.get(month(session))[2]


def test_with_redis_away_an_answer_lives_for_one_second(
    site: Site, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise RedisAway

    for name in ("get", "set", "get_many", "set_many"):
        monkeypatch.setattr(cache, name, away)
    site.get(month(session))
    hold(session, party_size=4)
    site.now += 0.99
    assert b'"available_spots" : 10' in site.get(month(session))[2]
    site.now += 0.02
    assert b'"available_spots" : 6' in site.get(month(session))[2]
    assert site.asked == 2


def test_hosts_and_schemes_are_kept_apart(site: Site, session: Session) -> None:
    site.get(month(session))
    assert site.get(month(session), Host="evil.example")[0] == 400
    site.get(month(session), **{"X-Forwarded-Proto": "https"})
    assert site.asked == 3


def test_memory_is_bounded(site: Site, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    body = site.get(month(session))[2]
    monkeypatch.setattr(fast_reads, "MOST_BYTES", 3 * len(body))
    for number in range(1, 10):
        site.get(f"{month(session)[:-7]}2031-{number:02}")
        assert site.front._bytes == sum(len(answer.body) for answer in site.front._kept.values()) <= 3 * len(body)
    assert len(site.front._kept) in (2, 3)
    site.front.forget({session.activity_id})
    assert (site.front._bytes, len(site.front._kept)) == (0, 0)


def test_many_threads_at_once_leave_it_whole(site: Site, session: Session) -> None:
    def read(number: int) -> int:
        if number % 7 == 0:
            site.front.forget({session.activity_id})
        return site.get(month(session), **({"Cache-Control": "no-cache"} if number % 11 == 0 else {}))[0]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(200))) == {200}
    assert site.front._bytes == sum(len(answer.body) for answer in site.front._kept.values())


def test_what_is_answered_before_the_application_is_counted_as_its_routes(
    site: Site, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.front, "_count", metrics.count_kept_answer)
    labels = ("/api/v1/activities/{activity_id}/availability", "GET", "2xx")

    def answered() -> float:
        metrics.count_answered()
        return float(sum(bucket.get() for bucket in metrics.REQUESTS.labels(*labels)._buckets))

    before = answered()
    for _ in range(5):
        site.get(month(session))
    assert (answered() - before, site.asked) == (5, 1)


def test_the_server_serves_the_front(session: Session) -> None:
    assert isinstance(wsgi.application, FastReads)
    assert wsgi.application.forget in display_cache.listeners
