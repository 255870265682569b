"""From facts to messages: who is told what, once; reminders follow the booking wherever it goes."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from alerts.consumers import CONSUMERS, Consumer
from alerts.messages import moment_text
from alerts.models import Alert, Handled, Notification
from alerts.sandbox.server import Provider
from alerts.services import delivery, fan_out, notifications
from alerts.services.notifications import reminder_kind
from bookings.models import Booking, Customer, ResumeLink, WaitlistChoice, WaitlistEntry
from bookings.services import cancellation, changes, checkout, lifecycle, people, recovery, transfers
from bookings.services.checkout import Contact, Wanted
from bookings.services.duplicates import DuplicateBooking
from bookings.services.waitlist_events import move_entry, record_waitlist_event
from bookings.transfer_links import offer_token
from config.kit.clock import database_now
from config.kit.facts import SYSTEM, Actor, ActorKind
from scheduling.models import Reservation, Session
from scheduling.services.assessing import Party
from tests.alerts.mail import mails, statuses, tell
from tests.concurrency.races import race
from tests.factories import ANNA, CUSTOMER, book, hold, make_activity, make_organization, make_session, make_venue
from tests.staff.conftest import make_member

pytestmark = pytest.mark.usefixtures("committed_db")

STAFF = Actor(kind=ActorKind.STAFF, channel="admin")
WEEK = timedelta(days=7)
BEA = Contact(email="bea@example.org", name="Bea Baker")


def told() -> list[tuple[str, str]]:
    """Return kind and recipient of every message that is not a reminder."""
    rows = Notification.objects.exclude(kind__startswith="reminder").order_by("id")
    return list(rows.values_list("kind", "recipient"))


def reminders(status: str = "queued") -> list[tuple[str, str]]:
    rows = Notification.objects.filter(kind__startswith="reminder", status=status).order_by("kind", "recipient")
    return list(rows.values_list("kind", "recipient"))


def reminder_of(session: Session, recipient: str = ANNA.email) -> tuple[str, str]:
    return reminder_kind(session.starts_at), recipient


def sessions(number: int = 2) -> list[Session]:
    activity = make_activity()
    return [make_session(activity, starts_in=WEEK * (1 + each)) for each in range(number)]


def test_a_confirmed_booking_is_told_once_in_the_language_of_the_booking() -> None:
    session = make_session()
    booking = book(session)
    Booking.objects.filter(id=booking.id).update(language="de")
    fan_out.fan_out_facts()
    fan_out.fan_out_facts()
    row = Notification.objects.exclude(kind__startswith="reminder").get()
    fact = booking.events.get(kind="booking_confirmed")
    assert (row.fact_id, row.kind, row.recipient, row.channel, row.language, row.subject_id, row.status) == (
        fact.id, "booking_confirmed", ANNA.email, "email", "de", booking.id, "queued",
    )  # fmt: skip
    assert Handled.objects.filter(fact_id=fact.id, consumer="messages").count() == 1


def test_a_second_message_of_one_fact_is_impossible() -> None:
    book(make_session())
    fan_out.fan_out_facts()
    row = Notification.objects.exclude(kind__startswith="reminder").get()
    with pytest.raises(IntegrityError, match="notification_once_per_fact"), transaction.atomic():
        Notification.objects.create(
            organization_id=row.organization_id, fact_id=row.fact_id, kind=row.kind, recipient=row.recipient,
            subject_id=row.subject_id,
        )  # fmt: skip


def test_eight_sweeps_at_once_tell_each_customer_once() -> None:
    session = make_session(capacity=20)
    for number in range(6):
        book(session, contact=Contact(email=f"guest{number}@example.org", name="Guest"))
    race([fan_out.fan_out_facts] * 8)
    assert told() == [("booking_confirmed", f"guest{number}@example.org") for number in range(6)]


def test_what_is_over_is_told_to_nobody() -> None:
    session = make_session()
    book(session)
    past = database_now() - timedelta(days=2)
    Session.objects.filter(id=session.id).update(
        starts_at=past, ends_at=past + timedelta(hours=1), opens_at=past, closes_at=past
    )
    fan_out.fan_out_facts()
    assert told() == []


def test_who_was_forgotten_is_told_nothing() -> None:
    book(*sessions(1))
    Customer.objects.update(erased_at=database_now())
    fan_out.fan_out_facts()
    assert (told(), reminders()) == ([], [])


# Changes ----------------------------------------------------------------------------------------------------------


def test_a_whole_cancellation_is_one_message_however_many_lines_it_has() -> None:
    booking = book(*sessions(2))
    cancellation.cancel_booking(booking_id=booking.id, actor=STAFF, reason_code="weather")
    fan_out.fan_out_facts()
    assert told() == [("booking_confirmed", ANNA.email), ("booking_cancelled", ANNA.email)]


def test_a_cancelled_line_and_a_moved_one_are_told() -> None:
    first, second, third = sessions(3)
    booking = book(first, second)
    one, other = booking.lines.order_by("session__starts_at")
    cancellation.cancel_booking(booking_id=booking.id, actor=STAFF, reason_code="weather", lines=[one.id])
    changes.move_line(line_id=other.id, session_id=third.id, actor=STAFF, reason_code="asked")
    fan_out.fan_out_facts()
    assert [kind for kind, _ in told()] == ["booking_confirmed", "line_cancelled", "line_moved"]


def test_a_transfer_is_told_to_both_people_each_in_their_words() -> None:
    (session,) = sessions(1)
    booking = book(session)
    fan_out.fan_out_facts()
    people.transfer_booking(booking_id=booking.id, contact=BEA, actor=STAFF, reason_code="asked")
    fan_out.fan_out_facts()
    assert told()[1:] == [("booking_transferred", ANNA.email), ("booking_received", BEA.email)]
    assert (reminders(), reminders("dropped")) == ([reminder_of(session, BEA.email)], [reminder_of(session)])


def test_whom_a_booking_is_offered_to_is_asked_in_their_language_and_not_once_the_offer_is_over(
    provider: Provider,
) -> None:
    (session,) = sessions(1)
    booking = book(session)
    Customer.objects.create(organization_id=booking.organization_id, email=BEA.email, name="Bea", language="de")
    fan_out.fan_out_facts()
    over = transfers.offer_transfer(booking_id=booking.id, contact=Contact("cy@example.org", "Cy"), actor=CUSTOMER)
    offer = transfers.offer_transfer(booking_id=booking.id, contact=BEA, actor=CUSTOMER)
    assert tell() == 2
    assert told()[1:] == [("transfer_offered", "cy@example.org"), ("transfer_offered", BEA.email)]
    assert Notification.objects.get(fact_id=over.id).status == "dropped"
    mail = mails(provider)[-1]
    assert mail["to"] == [BEA.email]
    assert f"/bookings/transfers/{offer.id}.{offer_token(offer)}/" in mail["text"]
    assert "Anna Archer möchte Ihnen diese Buchung übergeben" in mail["text"]
    assert booking.number not in mail["text"]


def test_waiters_are_told_that_they_wait_that_places_are_theirs_and_that_it_is_over() -> None:
    session = make_session()
    entry = WaitlistEntry.objects.create(
        organization_id=session.organization_id, activity=session.activity, email="wim@example.org", name="Wim",
        language="de", party_size=2, places=2,
    )  # fmt: skip
    WaitlistChoice.objects.create(organization_id=session.organization_id, entry=entry, session=session, rank=1)
    with transaction.atomic():
        for kind in ("waitlist_joined", "waitlist_offered", "waitlist_lapsed"):
            record_waitlist_event(entry, kind=kind, actor=SYSTEM)
    fan_out.fan_out_facts()
    rows = Notification.objects.order_by("id").values_list("kind", "recipient", "language", "subject_id")
    assert list(rows) == [
        (kind, "wim@example.org", "de", entry.id) for kind in ("waitlist_joined", "waitlist_offered", "waitlist_lapsed")
    ]


def test_an_offer_that_is_over_is_not_sent_any_more() -> None:
    session = make_session()
    entry = _lapsed_entry(session)
    with transaction.atomic():
        record_waitlist_event(entry, kind="waitlist_offered", actor=SYSTEM)
    fan_out.fan_out_facts()
    assert delivery.claim_batch() == []
    assert statuses() == [("waitlist_offered", "dropped")]


def _lapsed_entry(session: Session) -> WaitlistEntry:
    entry = WaitlistEntry.objects.create(
        organization_id=session.organization_id, activity=session.activity, email="wim@example.org", name="Wim",
        party_size=1, places=1,
    )  # fmt: skip
    WaitlistEntry.objects.filter(id=entry.id).update(status="lapsed", ended_at=database_now())
    entry.refresh_from_db()
    return entry


# Reminders --------------------------------------------------------------------------------------------------------


def test_a_reminder_is_planned_at_confirmation_for_each_start() -> None:
    organization = make_organization(reminder_hours=48)
    activity = make_activity(make_venue(organization))
    first, second = (make_session(activity, starts_in=WEEK * each) for each in (1, 2))
    book(first, second)
    fan_out.fan_out_facts()
    assert reminders() == [reminder_of(first), reminder_of(second)]
    due = Notification.objects.filter(kind__startswith="reminder").order_by("kind")
    ahead = timedelta(hours=48)
    assert [(row.due_at, row.next_try_at) for row in due] == [
        (session.starts_at - ahead, session.starts_at - ahead) for session in (first, second)
    ]


@pytest.mark.parametrize(("hours", "starts_in"), [(0, WEEK), (24, timedelta(hours=23))])
def test_no_reminder_is_planned_where_none_is_wanted_or_its_time_is_past(hours: int, starts_in: timedelta) -> None:
    activity = make_activity(make_venue(make_organization(reminder_hours=hours)))
    book(make_session(activity, starts_in=starts_in))
    fan_out.fan_out_facts()
    assert reminders() == []


def cancel(booking: Booking, sessions: list[Session]) -> None:
    cancellation.cancel_booking(booking_id=booking.id, actor=STAFF, reason_code="weather")


def cancel_the_first(booking: Booking, sessions: list[Session]) -> None:
    line = booking.lines.get(session=sessions[0])
    cancellation.cancel_booking(booking_id=booking.id, actor=STAFF, reason_code="weather", lines=[line.id])


def move_the_first(booking: Booking, sessions: list[Session]) -> None:
    line = booking.lines.get(session=sessions[0])
    changes.move_line(line_id=line.id, session_id=sessions[2].id, actor=STAFF, reason_code="asked")


@pytest.mark.parametrize(("act", "stays"), [(cancel, []), (cancel_the_first, [1]), (move_the_first, [1, 2])])
def test_a_changed_booking_plans_its_reminders_anew(
    act: Callable[[Booking, list[Session]], None], stays: list[int]
) -> None:
    chosen = sessions(3)
    booking = book(*chosen[:2])
    fan_out.fan_out_facts()
    assert reminders() == [reminder_of(chosen[0]), reminder_of(chosen[1])]
    act(booking, chosen)
    fan_out.fan_out_facts()
    assert reminders() == [reminder_of(chosen[each]) for each in stays]


def test_a_line_that_moves_there_and_back_has_one_reminder_again() -> None:
    first, second = sessions(2)
    line = book(first).lines.get()
    for target in (second, first):
        fan_out.fan_out_facts()
        changes.move_line(line_id=line.id, session_id=target.id, actor=STAFF, reason_code="asked")
    fan_out.fan_out_facts()
    assert reminders() == [reminder_of(first)]


def test_facts_that_come_late_and_in_any_order_plan_the_same() -> None:
    first, second = sessions(2)
    booking = book(first)
    changes.move_line(line_id=booking.lines.get().id, session_id=second.id, actor=STAFF, reason_code="asked")
    for kind in ("line_moved", "booking_confirmed"):
        fact = booking.events.get(kind=kind)
        fan_out.hand_over(fact.id, "messages", CONSUMERS["messages"], "booking")
    assert reminders() == [reminder_of(second)]


def test_a_reminder_is_looked_at_again_when_it_is_due() -> None:
    first, second = sessions(2)
    booking = book(first)
    fan_out.fan_out_facts()
    delivery.claim_batch()  # the confirmation
    Notification.objects.filter(kind__startswith="reminder").update(next_try_at=database_now())
    changes.move_line(line_id=booking.lines.get().id, session_id=second.id, actor=STAFF, reason_code="asked")
    assert delivery.claim_batch() == []  # before the fan-out has come
    assert reminders("dropped") == [reminder_of(first)]


# Independent consumers --------------------------------------------------------------------------------------------


def fail(fact: object) -> None:
    raise ValueError("no")


def test_a_consumer_that_fails_stops_no_other_and_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    session = make_session()
    book(session)
    book(session)
    consumers = dict(CONSUMERS)
    with monkeypatch.context() as patch:
        broken = Consumer(consumers["alerts"].kinds, fail)
        patch.setattr(fan_out, "CONSUMERS", {**consumers, "alerts": broken})
        fan_out.fan_out_facts()
        assert len(told()) == 2
        assert fan_out.count_unhandled() == 1
    assert fan_out.fan_out_facts() == 1
    assert fan_out.count_unhandled() == 0


def test_an_unknown_customer_of_a_transfer_keeps_nobody_from_being_told() -> None:
    booking = book(*sessions(1))
    with transaction.atomic():
        lifecycle.record_event(booking, kind="booking_transferred", to_status="confirmed", actor=CUSTOMER)
    fan_out.fan_out_facts()
    assert told()[1:] == [("booking_received", ANNA.email)]


def test_the_consumer_says_which_kinds_of_which_table() -> None:
    consumer = CONSUMERS["messages"]
    assert consumer.handle is notifications.notify
    assert set(consumer.kinds) == {"booking", "waitlist", "resume"}


# Links to baskets -------------------------------------------------------------------------------------------------


def test_a_link_to_a_basket_goes_to_the_address_that_asked_and_not_when_it_was_used(provider: Provider) -> None:
    reservation = hold(make_session())
    link = recovery.ask_resume_link(basket=reservation.basket, email=" Anna@example.org")
    used = recovery.ask_resume_link(basket=reservation.basket, email=ANNA.email)
    ResumeLink.objects.filter(id=used.id).update(used_at=database_now())
    assert tell() == 1
    assert statuses() == [("resume_link_asked", "sent"), ("resume_link_asked", "dropped")]
    (mail,) = mails(provider)
    assert mail["to"] == [ANNA.email]
    assert f"/resume/{link.id}.{link.token}/" in mail["text"]


def test_a_link_whose_address_is_in_no_basket_any_more_is_sent_to_nobody() -> None:
    reservation = hold(make_session())
    recovery.ask_resume_link(basket=reservation.basket, email=ANNA.email)
    Reservation.objects.update(email="somebody@example.org")
    fan_out.fan_out_facts()
    assert told() == []


def test_a_party_that_is_offered_places_is_sent_the_way_to_take_them(provider: Provider) -> None:
    session = make_session()
    entry = WaitlistEntry.objects.create(
        organization_id=session.organization_id, activity=session.activity, email="wim@example.org", name="Wim",
        party_size=2, places=2,
    )  # fmt: skip
    offer = hold(session, 2, email="wim@example.org")
    with transaction.atomic():
        move_entry(entry, to=WaitlistEntry.Status.OFFERED, actor=SYSTEM, reservation=offer)
    assert tell() == 1
    (mail,) = mails(provider)
    until = moment_text(offer.expires_at, session.activity.venue.zone, "en")
    assert mail["subject"].startswith("Free for you: ")
    assert f"until {until}" in mail["text"]
    assert f"/waitlist/{entry.id}.{entry.token}/" in mail["text"]


# Staff ------------------------------------------------------------------------------------------------------------


def test_a_duplicate_is_an_alert_and_a_message_to_who_runs_the_organization(provider: Provider) -> None:
    session = make_session()
    members = [make_member(session.organization, role) for role in ("owner", "manager", "reception")]
    make_member(make_session().organization, "owner")
    first = book(session)
    with pytest.raises(DuplicateBooking):
        checkout.book_lines(
            lines=[Wanted(Party(session.id, 1))], contact=ANNA, terms=checkout.Terms(), actor=CUSTOMER
        )  # fmt: skip
    tell()
    alert = Alert.objects.get()
    assert (alert.type, alert.metadata["booking"]) == ("duplicate_booking_attempt", str(first.id))
    found = [mail for mail in mails(provider) if mail["to"] != [ANNA.email]]
    assert {mail["to"][0] for mail in found} == {member.email for member in members[:2]}
    assert len(found) == 2
    assert {mail["subject"] for mail in found} == {f"Potential duplicate: booking {first.number}"}
    assert f"/admin/bookings/booking/{first.id}/change/" in found[0]["text"]
    assert first.token not in found[0]["text"]
