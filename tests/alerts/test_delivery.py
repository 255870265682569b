"""Messages reach their provider once: whatever is down, slow or lost, and whoever dies. Its own ledger is counted."""

import os
import smtplib
from base64 import b64decode
from datetime import UTC, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis
from anymail.backends.resend import EmailBackend as PlainResend
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend
from django.test import Client
from icalendar import Calendar
from pytest_django import Settings

from alerts.models import Alert, Notification
from alerts.sandbox.server import Provider
from alerts.services import delivery, fan_out, letters
from alerts.services.delivery import LEASE, TRIES, pause_before
from alerts.tasks import deliver_messages, fan_out_facts
from alerts.transports import email
from alerts.transports.email import Refused, Unanswered
from bookings.models import Booking
from bookings.services import cancellation, changes, session_closure
from bookings.services.checkout import Contact
from config.kit.clock import database_now
from config.kit.facts import Actor, ActorKind
from tests.alerts.mail import hurry, mails, serving, statuses, tell, told, url_of
from tests.concurrency.races import race
from tests.conftest import RunPython
from tests.factories import ANNA, book, make_activity, make_session

pytestmark = pytest.mark.usefixtures("committed_db")

STAFF = Actor(kind=ActorKind.STAFF, channel="admin")


def guests(number: int) -> list[Booking]:
    """Book a session for so many people, each by themselves."""
    session = make_session(capacity=number)
    return [
        book(session, contact=Contact(email=f"guest{each:03}@example.org", name=f"Guest {each}"))
        for each in range(number)
    ]


def recipients(provider: Provider) -> list[str]:
    return sorted(mail["to"][0] for mail in mails(provider))


def message() -> Notification:
    return Notification.objects.exclude(kind__startswith="reminder").get()


def calendars(mail: dict[str, list[dict[str, str]]]) -> list[Calendar]:
    return [Calendar.from_ical(b64decode(part["content"])) for part in mail.get("attachments", [])]


# What is sent -----------------------------------------------------------------------------------------------------


def test_a_confirmation_arrives_with_text_html_link_key_and_an_invitation_for_each_line(provider: Provider) -> None:
    activity = make_activity()
    booking = book(*(make_session(activity, starts_in=timedelta(days=each)) for each in (3, 4)))
    assert tell() == 1
    (mail,) = mails(provider)
    row = message()
    assert (row.status, row.tries, row.last_error, row.title) == ("sent", 1, "", mail["subject"])
    assert row.provider_id == next(provider.store.all())["id"]
    assert mail["to"] == [ANNA.email]
    assert mail["from"] == f"{booking.organization.name} <bookings@localhost>"
    assert f"/bookings/{booking.number}.{booking.token}/" in mail["text"]
    assert "</html>" in mail["html"]
    assert mail["headers"]["X-Metadata"] == f'{{"notification": "{row.id}"}}'
    events = [calendar.walk("VEVENT") for calendar in calendars(mail)]
    assert [len(found) for found in events] == [1, 1]  # RFC 5546: one UID a file
    assert {str(found[0]["uid"]) for found in events} == {f"{line.id}@holdfast" for line in booking.lines.all()}
    assert {part["content_type"].partition(";")[0] for part in mail["attachments"]} == {"text/calendar"}


def test_a_calendar_follows_its_line_from_the_booking_over_a_move_to_the_cancellation(provider: Provider) -> None:
    activity = make_activity()
    first, second = (make_session(activity, starts_in=timedelta(days=each)) for each in (3, 4))
    booking = book(first)
    tell()
    changes.move_line(line_id=booking.lines.get().id, session_id=second.id, actor=STAFF, reason_code="asked")
    tell()
    cancellation.cancel_booking(booking_id=booking.id, actor=STAFF, reason_code="asked")
    tell()
    found = [calendars(mail)[0] for mail in mails(provider)]
    events = [calendar.walk("VEVENT")[0] for calendar in found]
    assert [str(calendar["method"]) for calendar in found] == ["REQUEST", "REQUEST", "CANCEL"]
    assert [str(event["status"]) for event in events] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    assert len({str(event["uid"]) for event in events}) == 1
    assert [event.decoded("dtstart") for event in events[:2]] == [
        session.starts_at.replace(microsecond=0) for session in (first, second)
    ]
    sequences = [event.decoded("sequence") for event in events]
    assert sequences == sorted(set(sequences))


def test_a_message_says_what_its_fact_says_though_more_has_happened_since(provider: Provider) -> None:
    activity = make_activity()
    days = [make_session(activity, starts_in=timedelta(days=each)) for each in (3, 4, 5)]
    booking = book(days[0])
    for target in days[1:]:
        changes.move_line(line_id=booking.lines.get().id, session_id=target.id, actor=STAFF, reason_code="asked")
    assert tell() == 3
    there = [day.starts_at.astimezone(day.activity.venue.zone) for day in days]
    named = [f"{starts.day} {starts:%B %Y}" for starts in there]
    moved = [mail["subject"] for mail in mails(provider) if mail["subject"].startswith("Moved")]
    assert [any(name in title for title in moved) for name in named] == [False, True, True]


# What goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults",
    [{"lost_answers": 1}, {"doubles": 1}, {"rate_limited": 1}, {"lost_answers": 3}, {"doubles": 1, "lost_answers": 1}],
)
def test_whatever_the_provider_does_everybody_is_told_once(provider: Provider, faults: dict[str, object]) -> None:
    guests(3)
    provider.switches.set(faults)
    for _ in range(5):
        tell()
        hurry()
    assert recipients(provider) == ["guest000@example.org", "guest001@example.org", "guest002@example.org"]
    assert statuses() == [("booking_confirmed", "sent")] * 3


def test_a_lost_answer_makes_two_mails_when_the_key_is_left_out(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the count notices."""
    guests(1)
    monkeypatch.setattr(email, "KeyedResend", PlainResend)
    provider.switches.set({"lost_answers": 1})
    tell()
    hurry()
    tell()
    assert recipients(provider) == ["guest000@example.org"] * 2


def test_a_provider_that_is_down_for_an_hour_has_everything_once_afterwards(provider: Provider) -> None:
    guests(5)
    provider.switches.set({"down": True})
    for _ in range(6):  # an hour of tries: 30 s, 1, 2, 4, 8, 16 minutes and more
        assert tell() == 0
        hurry()
    assert mails(provider) == []
    assert {status for _, status in statuses()} == {"queued"}
    provider.switches.set({})
    assert delivery.deliver_due() == 5
    assert delivery.deliver_due() == 0
    assert recipients(provider) == [f"guest{each:03}@example.org" for each in range(5)]


def test_a_provider_that_is_gone_keeps_messages_in_the_queue_with_the_reason(
    settings: Settings, tmp_path: Path
) -> None:
    with serving(tmp_path) as provider:
        settings.MAIL_URL, settings.MAIL_FALLBACK_URL = url_of(provider), ""
    guests(1)
    assert tell() == 0
    row = message()
    assert (row.status, row.tries) == ("queued", 1)
    assert row.last_error.startswith("no connection")


def test_pauses_double_up_to_two_hours_are_drawn_and_end_before_the_provider_forgets_its_keys() -> None:
    longest = [pause_before(tries, chance=1).total_seconds() for tries in range(1, TRIES)]
    assert longest[:9] == [30, 60, 120, 240, 480, 960, 1920, 3840, 7200]
    assert set(longest[8:]) == {7200}
    assert [pause_before(tries, chance=0).total_seconds() for tries in range(1, TRIES)] == [
        seconds / 2 for seconds in longest
    ]
    assert sum(longest) + LEASE.total_seconds() * TRIES < 24 * 60 * 60


def test_the_next_try_is_planned_between_half_of_the_pause_and_all_of_it(provider: Provider) -> None:
    guests(1)
    provider.switches.set({"down": True})
    tell()
    row = message()
    before = row.next_try_at - database_now()
    assert timedelta(seconds=10) < before <= timedelta(seconds=30)
    Notification.objects.filter(id=row.id).update(tries=8)
    hurry()
    delivery.deliver_due()
    assert timedelta(seconds=3590) < message().next_try_at - database_now() <= timedelta(hours=2)


def test_after_the_last_try_a_message_is_given_up_and_staff_are_told(provider: Provider) -> None:
    (booking,) = guests(1)
    provider.switches.set({"down": True})
    fan_out.fan_out_facts()
    for _ in range(TRIES + 2):
        delivery.deliver_due()
        hurry()
    row = message()
    assert (row.status, row.tries, row.last_error) == ("failed", TRIES, "503: the provider is away")
    fan_out.fan_out_facts()
    alert = Alert.objects.get()
    assert (alert.type, alert.severity, alert.metadata["booking"]) == ("message_failed", "high", str(booking.id))
    assert alert.metadata["notification"] == str(row.id)


def test_an_address_that_the_provider_rejects_is_given_up_at_once_and_keeps_nobody_waiting(provider: Provider) -> None:
    guests(3)
    provider.switches.set({"rejects": "guest001@example.org"})
    assert tell() == 2
    assert [status for _, status in statuses()] == ["sent", "failed", "sent"]
    assert Notification.objects.get(status="failed").last_error == "422: validation_error"


def test_too_many_requests_make_everything_wait_as_long_as_asked(provider: Provider) -> None:
    guests(4)
    provider.switches.set({"rate_limited": 1, "retry_after": 600})
    assert tell() == 0
    assert provider.requests == 1
    rows = Notification.objects.all()
    assert {(row.status, row.tries) for row in rows} == {("queued", 0)}
    assert all(timedelta(seconds=590) < row.next_try_at - database_now() for row in rows)
    assert delivery.deliver_due() == 0
    hurry()
    assert delivery.deliver_due() == 4


def test_a_template_that_cannot_be_rendered_fails_visibly_and_blocks_no_booking_and_no_other_message(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = make_activity()
    booking, other = book(make_session(activity)), book(make_session(activity, starts_in=timedelta(days=2)))
    draft = letters.draft

    def broken(row: Notification) -> letters.Draft:
        if row.subject_id == booking.id:
            raise ValueError("a template of no use")
        return draft(row)

    monkeypatch.setattr(letters, "draft", broken)
    assert tell() == 1
    assert Booking.objects.get(id=booking.id).status == "confirmed"
    assert Notification.objects.get(subject_id=booking.id).status == "failed"
    assert Notification.objects.get(subject_id=booking.id).last_error == "not written: ValueError"
    assert Notification.objects.get(subject_id=other.id, kind="booking_confirmed").status == "sent"
    fan_out.fan_out_facts()
    assert Alert.objects.get().metadata["booking"] == str(booking.id)


def test_without_a_provider_messages_wait(settings: Settings) -> None:
    settings.MAIL_URL = settings.MAIL_FALLBACK_URL = ""
    guests(1)
    assert tell() == 0
    assert (message().status, message().tries) == ("queued", 0)


# The fallback -----------------------------------------------------------------------------------------------------


def test_while_the_first_provider_is_down_the_second_is_used_once(
    provider: Provider, settings: Settings, tmp_path: Path
) -> None:
    guests(3)
    with serving(tmp_path / "second") as second:
        settings.MAIL_FALLBACK_URL = url_of(second)
        provider.switches.set({"down": True})
        assert tell() == 3
        provider.switches.set({})
        hurry()
        assert delivery.deliver_due() == 0
        assert (recipients(provider), len(recipients(second))) == ([], 3)
        assert provider.requests == 1  # asked by the first message alone
    assert all(row.provider_id.startswith("secondary ") for row in Notification.objects.all())


def test_what_the_first_provider_may_have_goes_to_no_other(
    provider: Provider, settings: Settings, tmp_path: Path
) -> None:
    guests(1)
    with serving(tmp_path / "second") as second:
        settings.MAIL_FALLBACK_URL = url_of(second)
        provider.switches.set({"lost_answers": 1})
        tell()
        assert message().last_error.startswith("unanswered by primary")
        provider.switches.set({"down": True})
        hurry()
        delivery.deliver_due()
        assert message().last_error.startswith("unanswered by primary")
        assert (message().status, mails(second)) == ("queued", [])
        provider.switches.set({})
        hurry()
        assert delivery.deliver_due() == 1
        assert (len(mails(provider)), mails(second)) == (1, [])


def test_a_fallback_may_be_smtp() -> None:
    backend = email.connect("smtp+tls://user:secret@mail.example.org:587")
    assert isinstance(backend, SmtpBackend)
    assert (backend.host, backend.port, backend.username, backend.password, backend.use_tls, backend.timeout) == (
        "mail.example.org", 587, "user", "secret", True, 5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "outcome", "is_final", "is_down"),
    [
        (smtplib.SMTPRecipientsRefused({"a@example.org": (550, b"nobody")}), Refused, True, False),
        (smtplib.SMTPRecipientsRefused({"a@example.org": (450, b"later")}), Refused, False, False),
        (smtplib.SMTPConnectError(421, b"full"), Refused, False, True),
        (smtplib.SMTPDataError(554, b"spam"), Refused, False, False),
        (ConnectionRefusedError(), Refused, False, True),
        (smtplib.SMTPServerDisconnected("gone"), Unanswered, False, False),
        (TimeoutError(), Unanswered, False, False),
    ],
)
def test_what_a_mail_server_says_is_told_apart_by_whether_it_may_have_the_message(
    error: Exception, outcome: type[Exception], is_final: bool, is_down: bool
) -> None:
    found = email._classified(error)
    assert type(found) is outcome
    assert (getattr(found, "is_final", False), getattr(found, "is_down", False)) == (is_final, is_down)


@pytest.mark.parametrize(("asked", "seconds"), [("7", (7, 7)), ("", (30, 30)), ("soon", (30, 30)), (None, (110, 120))])
def test_how_long_to_wait_is_read_as_seconds_or_as_a_date(asked: str | None, seconds: tuple[int, int]) -> None:
    date = format_datetime(database_now().astimezone(UTC) + timedelta(minutes=2), usegmt=True)
    error = Exception()
    error.response = SimpleNamespace(headers={"Retry-After": date if asked is None else asked})  # type: ignore[attr-defined]
    assert seconds[0] <= email._wait_seconds(error) <= seconds[1]


# Who dies ---------------------------------------------------------------------------------------------------------

DIE_BEFORE_SENDING = """
import os
from alerts.services import delivery
from alerts.transports.email import Mailer
Mailer.send = lambda *_: os._exit(137)
delivery.deliver_due()
"""
DIE_AFTER_THE_FIRST_WAS_TAKEN = """
import os
from alerts.services import delivery
delivery._mark_sent = lambda *_: os._exit(137)
delivery.deliver_due()
"""
DIE_IN_THE_CLAIM = """
import os
from alerts.services import delivery, letters
letters.draft = lambda _: os._exit(137)
delivery.deliver_due()
"""


@pytest.mark.parametrize(
    ("death", "taken"), [(DIE_IN_THE_CLAIM, 0), (DIE_BEFORE_SENDING, 0), (DIE_AFTER_THE_FIRST_WAS_TAKEN, 1)]
)
def test_a_worker_that_is_killed_redis_that_is_wiped_and_doubled_tasks_leave_one_mail_each(
    provider: Provider, run_python: RunPython, death: str, taken: int
) -> None:
    guests(4)
    fan_out.fan_out_facts()
    environment = {"MAIL_URL": url_of(provider), "MAIL_FALLBACK_URL": ""}
    assert run_python(death, env=environment).returncode == 137
    assert len(mails(provider)) == taken
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushdb()
    hurry()  # the lease is over
    race([fan_out_facts, fan_out_facts, deliver_messages, deliver_messages, deliver_messages])
    assert recipients(provider) == [f"guest{each:03}@example.org" for each in range(4)]
    assert statuses() == [("booking_confirmed", "sent")] * 4


def test_eight_workers_at_once_send_each_message_once_without_help_from_the_key(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    guests(30)
    fan_out.fan_out_facts()
    monkeypatch.setattr(email, "KeyedResend", PlainResend)
    race([delivery.deliver_due] * 8)
    assert recipients(provider) == [f"guest{each:03}@example.org" for each in range(30)]


def test_workers_send_twice_when_they_do_not_claim(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without lock and lease, and without the key, the count notices."""
    guests(5)
    fan_out.fan_out_facts()
    monkeypatch.setattr(email, "KeyedResend", PlainResend)
    monkeypatch.setattr(delivery, "LEASE", timedelta(0))
    delivery.claim_batch()  # by a worker that has not sent yet
    delivery.deliver_due()
    assert len(recipients(provider)) == 5
    claimed = [delivery.Claimed(row, "") for row in Notification.objects.select_related("organization").all()]
    delivery._send_batch(claimed, email.mailers())
    assert len(recipients(provider)) == 10


# Queued, and in batches -------------------------------------------------------------------------------------------


def test_a_booking_asks_nothing_of_the_provider_however_slow_it_is(provider: Provider, client: Client) -> None:
    provider.switches.set({"slow_seconds": 3600})
    session = make_session()
    body = {
        "lines": [{"session": str(session.id), "party_size": 1}],
        "customer": {"email": "anna@example.org", "name": "Anna"},
    }
    assert client.post("/api/v1/bookings", body, content_type="application/json").status_code == 201
    assert (provider.requests, provider.connections) == (0, 0)
    fan_out.fan_out_facts()
    assert statuses() == [("booking_confirmed", "queued")]
    assert provider.requests == 0


def test_two_hundred_people_of_a_closed_session_are_told_in_batches_over_one_connection(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    bookings = guests(200)
    fan_out.fan_out_facts()
    Notification.objects.update(status="dropped")
    session_closure.close_with_offers(session_id=bookings[0].lines.get().session_id, reason="storm", actor=STAFF)
    fan_out.fan_out_facts()
    batches: list[int] = []
    claim = delivery.claim_batch

    def counted() -> list[delivery.Claimed]:
        batch = claim()
        batches.append(len(batch))
        return batch

    monkeypatch.setattr(delivery, "claim_batch", counted)
    assert delivery.deliver_due() == 200
    assert batches == [delivery.BATCH] * 10 + [0]
    assert (provider.connections, provider.requests) == (1, 200)
    assert recipients(provider) == [f"guest{each:03}@example.org" for each in range(200)]
    assert {title.partition(":")[0] for _, title in told(provider)} == {"Not taking place"}
