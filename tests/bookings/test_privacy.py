"""What is personal: handed out whole, overwritten everywhere, and not kept for longer than said."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from alerts.models import Notification
from alerts.services import fan_out
from alerts.services.auditor import check_invariants
from bookings.consent import age_on, consent_errors
from bookings.data_links import LASTS_DAYS, customer_of_link, data_token
from bookings.models import (
    Attempt,
    Booking,
    BookingEvent,
    BookingEventDetail,
    Customer,
    Line,
    Participant,
    ResumeLink,
    WaitlistEntry,
)
from bookings.orders import Person
from bookings.services import cancellation, checkout, people, recovery, retention, transfers, waitlist
from bookings.services.checkout import Contact, Terms, Wanted
from bookings.services.personal_data import export_customer
from bookings.services.privacy import StillToCome, erase_customer
from bookings.services.time_machine import find_differences
from bookings.services.waitlist import Wish
from config.kit.clock import database_now
from config.kit.erasing import erase_rows
from config.kit.facts import Actor, ActorKind
from config.kit.refusals import NotFound, Refusal
from config.tenants.models import Organization
from scheduling.models import Reservation, Session
from scheduling.services.assessing import Party
from tests.factories import (
    ANNA,
    book,
    hold,
    lapse,
    make_activity,
    make_organization,
    make_session,
    make_venue,
    stranger,
)

pytestmark = pytest.mark.django_db

PERSON = Contact(email="zelda.quimby@example.org", name="Zelda Quimby", phone="+44 7700 900777")
CHILD, GUARDIAN, NOTE = "Xanthe Quimby", "Ottoline Quimby", "allergic to wasps"
ADDRESS, BROWSER, REASON = "203.0.113.77", "Zeldascape/7.7", "Zelda rang to say so"
SECRETS = (
    "Zelda", "Quimby", "zelda.quimby", "7700 900777", "7700900777", CHILD, GUARDIAN, NOTE, ADDRESS, BROWSER,
    "2017-05-04", "wasps",
)  # fmt: skip
STAFF = Actor(kind=ActorKind.STAFF, channel="admin", detail={"note": REASON})
VISITOR = Actor(kind=ActorKind.CUSTOMER, channel="web", detail={"ip_address": ADDRESS, "user_agent": BROWSER})
OLD = timedelta(days=400)


def everything_written() -> str:
    """Dump every column of every table as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [name for (name,) in cursor.fetchall()]
        dumped = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            dumped += [f"{table}: {row}" for (row,) in cursor.fetchall()]
    return "\n".join(dumped)


def left_of(*secrets: str) -> list[str]:
    """Return the rows in which one of these stands, in any letters."""
    wanted = [secret.casefold() for secret in secrets]
    return [row for row in everything_written().splitlines() if any(secret in row.casefold() for secret in wanted)]


def wanted(session: Session, *participants: Person, size: int = 2) -> Wanted:
    return Wanted(Party(session_id=session.id, party_size=size), participants)


def a_whole_life(organization: Organization | None = None) -> Customer:
    """Let somebody leave a trace in every table that can have one; nothing of it is still to come."""
    venue = make_venue(organization or make_organization())
    sessions = [make_session(make_activity(venue), capacity=2) for _ in range(3)]
    child = Person(name=CHILD, birth_date=date(2017, 5, 4), level=2, languages=("en",), notes=NOTE, consent_by=GUARDIAN)
    kept = checkout.book_lines(
        lines=[wanted(sessions[0], Person(name=PERSON.name), child)], contact=PERSON, terms=Terms(), actor=VISITOR
    )
    gone = checkout.book_lines(lines=[wanted(sessions[1])], contact=PERSON, terms=Terms(), actor=VISITOR)
    cancellation.cancel_booking(booking_id=gone.id, actor=STAFF)
    book(sessions[2], party_size=2, contact=stranger())
    wish = Wish((sessions[2].id,), party_size=2)
    entry = waitlist.join_waitlist(wish=wish, contact=PERSON, actor=VISITOR)
    waitlist.leave_waitlist(entry_id=entry.id, actor=STAFF)
    held = hold(make_session(make_activity(venue)), email=PERSON.email)
    recovery.ask_resume_link(basket=held.basket, email=PERSON.email)
    lapse(held)
    Reservation.objects.filter(id=held.id).update(status="expired", ended_at=database_now())
    Session.objects.filter(id=held.session_id).update(places_held=0)
    given = book(sessions[1], contact=PERSON)
    people.transfer_booking(booking_id=given.id, contact=stranger(), actor=STAFF, reason_code="ill")
    fan_out.fan_out_facts()
    customer = kept.customer
    Notification.objects.filter(recipient=PERSON.email).update(
        title=f"For {PERSON.name}", text=f"Dear {PERSON.name}", html=f"<p>{CHILD}</p>", calendar="mailto:zelda.quimby",
        last_error=f"550 {PERSON.email}",
    )  # fmt: skip
    log_entry(customer)
    let_pass(timedelta(days=2))
    return customer


def log_entry(customer: Customer) -> None:
    user = make_user()
    LogEntry.objects.create(
        user=user, content_type=ContentType.objects.get_for_model(Customer), object_id=str(customer.id),
        object_repr=str(customer), action_flag=CHANGE,
    )  # fmt: skip


def make_user() -> Any:
    from django.contrib.auth import get_user_model  # noqa: PLC0415 the project's own user

    return get_user_model().objects.create_user(f"clerk-{database_now().timestamp()}@example.net", is_staff=True)


def let_pass(time: timedelta) -> None:
    """Move every session into the past, as if so much time had gone by since tomorrow."""
    for session in Session.objects.all():
        Session.objects.filter(id=session.id).update(
            starts_at=session.starts_at - time, ends_at=session.ends_at - time, closes_at=session.closes_at - time,
            opens_at=session.opens_at - time,
        )  # fmt: skip


# Export -----------------------------------------------------------------------------------------------------------


def test_the_export_has_everything_that_is_kept_of_a_person(settings: Any) -> None:
    customer = a_whole_life()
    data = export_customer(customer_id=customer.id)
    text = json.dumps(data, cls=DjangoJSONEncoder)
    assert [secret for secret in SECRETS if secret not in text and secret != "7700900777"] == []
    assert sorted(data) == [
        "attempts", "bookings", "customer", "messages", "organization", "participants", "waitlist",
    ]  # fmt: skip
    assert {row["number"] for row in data["bookings"]} == set(customer.bookings.values_list("number", flat=True))
    for row in data["bookings"]:
        booking = Booking.objects.get(id=row["id"])
        assert len(row["lines"]) == booking.lines.count()
        assert [fact["kind"] for fact in row["facts"]] == list(
            booking.events.order_by("seq").values_list("kind", flat=True)
        )
    assert len(data["messages"]) == Notification.objects.filter(recipient=PERSON.email).count() > 0
    assert len(data["attempts"]) == Attempt.objects.count() - 1 > 0  # all but the stranger's
    assert [entry["status"] for entry in data["waitlist"]] == ["left"]


def test_the_export_has_nothing_of_anybody_else() -> None:
    customer = a_whole_life()
    other = book(make_session(make_activity(make_venue(customer.organization))), contact=stranger())
    text = json.dumps(export_customer(customer_id=customer.id), cls=DjangoJSONEncoder)
    assert other.number not in text
    assert other.customer.email not in text


def test_the_export_of_a_booking_that_was_handed_over_has_nothing_of_who_had_it_before() -> None:
    giver, taker = stranger(), stranger()
    at_home = Actor(ActorKind.CUSTOMER, "web", detail={"ip_address": "203.0.113.77", "note": "ring twice"})
    booking = book(make_session(), contact=giver, actor=at_home)
    desk = Actor(ActorKind.STAFF, "admin", detail={"note": "she asked us"})
    people.transfer_booking(booking_id=booking.id, contact=taker, actor=desk)
    booking.refresh_from_db()
    text = json.dumps(export_customer(customer_id=booking.customer_id), cls=DjangoJSONEncoder)
    assert booking.number in text
    assert [word for word in (giver.email, giver.name, "203.0.113.77", "ring twice") if word in text] == []


# Erasure ----------------------------------------------------------------------------------------------------------


def test_after_an_erasure_no_column_of_any_table_names_the_person() -> None:
    customer = a_whole_life()
    assert len(left_of(*SECRETS)) > 10, "the person left no trace to erase"
    erase_customer(customer_id=customer.id, actor=Actor(ActorKind.CUSTOMER, "web", detail={"ip_address": ADDRESS}))
    assert left_of(*SECRETS) == []


def test_an_erasure_keeps_numbers_money_facts_and_an_unbroken_chain() -> None:
    customer = a_whole_life()
    kept = ("number", "status", "total_minor", "fee_minor", "currency", "payment_method")
    before = list(Booking.objects.order_by("id").values(*kept))
    facts = list(BookingEvent.objects.order_by("id").values("id", "hash", "kind", "before", "after", "detail_digest"))
    lines = list(Line.objects.order_by("id").values("amount_minor", "quote", "party_size", "attendance", "status"))
    places = list(Session.objects.order_by("id").values("places_held", "places_booked"))
    erase_customer(customer_id=customer.id, actor=STAFF)
    assert list(Booking.objects.order_by("id").values(*kept)) == before
    assert (
        list(Line.objects.order_by("id").values("amount_minor", "quote", "party_size", "attendance", "status")) == lines
    )
    assert list(Session.objects.order_by("id").values("places_held", "places_booked")) == places
    new = BookingEvent.objects.exclude(id__in=[fact["id"] for fact in facts])
    assert list(
        BookingEvent.objects.exclude(id__in=new).order_by("id").values(
            "id", "hash", "kind", "before", "after", "detail_digest"
        )
    ) == facts  # fmt: skip
    assert {(event.kind, json.dumps(event.after), event.actor_kind) for event in new} == {
        ("customer_erased", json.dumps({"customer": str(customer.id)}), "staff")
    }
    assert new.count() == customer.bookings.count()
    assert find_differences(Booking.objects.all()) == []
    assert check_invariants() == []


def test_the_links_and_codes_of_an_erased_person_are_dead() -> None:
    customer = a_whole_life()
    tokens = {booking.number: booking.token for booking in customer.bookings.all()}
    erase_customer(customer_id=customer.id, actor=STAFF)
    assert {b.number for b in customer.bookings.all() if b.token == tokens[b.number]} == set()


def test_erasing_again_changes_nothing() -> None:
    customer = a_whole_life()
    erase_customer(customer_id=customer.id, actor=STAFF)
    before = everything_written()
    erase_customer(customer_id=customer.id, actor=STAFF)
    assert everything_written() == before


def test_nobody_is_erased_who_is_still_to_come_unless_it_is_cancelled() -> None:
    booking = book(make_session())
    before = everything_written()
    with pytest.raises(StillToCome) as refused:
        erase_customer(customer_id=booking.customer_id, actor=STAFF)
    assert refused.value.extra == {"reasons": ["session_to_come"]}
    assert everything_written() == before
    cancellation.cancel_booking(booking_id=booking.id, actor=STAFF)
    assert erase_customer(customer_id=booking.customer_id, actor=STAFF).erased_at


def test_nobody_is_erased_who_waits_for_a_session() -> None:
    session = make_session(capacity=1)
    past = book(make_session(make_activity(session.activity.venue)))
    cancellation.cancel_booking(booking_id=past.id, actor=STAFF)
    book(session, contact=stranger())
    anna = Contact(email=past.customer.email, name="Anna")
    entry = waitlist.join_waitlist(wish=Wish((session.id,), party_size=1), contact=anna, actor=VISITOR)
    with pytest.raises(StillToCome) as refused:
        erase_customer(customer_id=past.customer_id, actor=STAFF)
    assert refused.value.extra == {"reasons": ["waiting"]}
    waitlist.leave_waitlist(entry_id=entry.id, actor=STAFF)
    assert erase_customer(customer_id=past.customer_id, actor=STAFF).erased_at


def test_whoever_books_again_after_an_erasure_is_somebody_new() -> None:
    customer = a_whole_life()
    erase_customer(customer_id=customer.id, actor=STAFF)
    again = book(make_session(make_activity(make_venue(customer.organization))), contact=PERSON)
    assert again.customer_id != customer.id
    assert again.customer.participants.count() == 0
    assert Customer.objects.get(id=customer.id).name == "Erased"


def test_an_erased_persons_neighbours_are_left_alone() -> None:
    neighbour = book(make_session(), contact=stranger())
    fan_out.fan_out_facts()
    before = [row for row in everything_written().splitlines() if neighbour.customer.email in row]
    elsewhere = a_whole_life()  # the same person with another organization stays
    here = a_whole_life()
    erase_customer(customer_id=here.id, actor=STAFF)
    assert [row for row in everything_written().splitlines() if neighbour.customer.email in row] == before
    assert Customer.objects.get(id=elsewhere.id).email == PERSON.email
    assert Notification.objects.filter(organization=elsewhere.organization, recipient=PERSON.email).exists()


def test_only_what_is_erasable_can_be_deleted() -> None:
    booking = book(make_session())
    with pytest.raises(TypeError):
        erase_rows(Booking.objects.filter(id=booking.id))
    assert Booking.objects.filter(id=booking.id).exists()


# Retention --------------------------------------------------------------------------------------------------------


def organization_of_a_year() -> Organization:
    return make_organization(retention_days=365)


def age_everything(time: timedelta) -> None:
    """Let so much time go by: every row that retention looks at is older by it."""
    with connection.cursor() as cursor:
        for table, columns in (
            ("scheduling_session", ("starts_at", "ends_at", "opens_at", "closes_at")),
            ("bookings_booking", ("created_at",)),
            ("bookings_customer", ("created_at",)),
            ("bookings_waitlistentry", ("joined_at", "ended_at")),
            ("bookings_attempt", ("at",)),
            ("scheduling_reservation", ("held_at", "expires_at", "ended_at", "confirmed_at")),
        ):
            moved = ", ".join(f"{column} = {column} - %s::interval" for column in columns)
            cursor.execute(f"UPDATE {table} SET {moved}", [f"{time.days} days"] * len(columns))


CLASSES: dict[str, Callable[[], bool]] = {
    "bookings archived": lambda: Booking.objects.filter(archived_at=None).exists(),
    "customers erased": lambda: Customer.objects.filter(email=PERSON.email).exists(),
    "waiting parties erased": lambda: WaitlistEntry.objects.filter(email=PERSON.email).exists(),
    "holders forgotten": lambda: Reservation.objects.filter(email=PERSON.email).exists(),
    "attempts deleted": Attempt.objects.exists,
}


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_of_data_goes_once_its_time_is_over_and_not_a_day_before(name: str) -> None:
    a_whole_life(organization_of_a_year())
    age_everything(timedelta(days=363))
    assert set(retention.retain_personal_data().values()) == {0}
    assert CLASSES[name]()
    age_everything(timedelta(days=3))
    assert sum(retention.retain_personal_data().values()) > 0
    assert not CLASSES[name]()


def test_retention_leaves_no_name_and_breaks_no_chain_and_is_done_once() -> None:
    a_whole_life(organization_of_a_year())
    age_everything(OLD)
    retention.retain_personal_data()
    assert left_of(*SECRETS) == []
    assert check_invariants() == []
    before = everything_written()
    assert set(retention.retain_personal_data().values()) == {0}
    assert everything_written() == before
    assert {event.actor_kind for event in BookingEvent.objects.filter(kind="customer_erased")} == {ActorKind.POLICY}


def test_whoever_comes_again_keeps_what_is_known_of_them_while_old_bookings_are_archived() -> None:
    organization = organization_of_a_year()
    customer = a_whole_life(organization)
    age_everything(OLD)
    book(make_session(make_activity(make_venue(organization))), contact=PERSON)
    done = retention.retain_personal_data()
    assert (done["customers erased"], Customer.objects.get(id=customer.id).name) == (2, PERSON.name)  # the strangers
    assert customer.bookings.filter(archived_at=None).count() == 1
    assert customer.bookings.exclude(archived_at=None).count() == 2


def test_whoever_never_booked_is_forgotten_too() -> None:
    organization = organization_of_a_year()
    session = make_session(make_activity(make_venue(organization)), capacity=1)
    book(session, contact=stranger())
    entry = waitlist.join_waitlist(wish=Wish((session.id,), party_size=1), contact=PERSON, actor=VISITOR)
    waitlist.leave_waitlist(entry_id=entry.id, actor=STAFF)
    with pytest.raises(Refusal):
        checkout.book_lines(lines=[wanted(session)], contact=PERSON, terms=Terms(), actor=VISITOR)
    assert Attempt.objects.filter(outcome="refused").count() == 1
    fan_out.fan_out_facts()
    age_everything(OLD)
    done = retention.retain_personal_data()
    assert (done["waiting parties erased"], done["attempts deleted"]) == (1, 1)
    assert left_of(*SECRETS) == []


def test_each_organization_has_its_own_time() -> None:
    short, long = make_organization(retention_days=30), make_organization(retention_days=365)
    first, second = a_whole_life(short), a_whole_life(long)
    age_everything(timedelta(days=40))
    retention.retain_personal_data()
    assert Customer.objects.get(id=first.id).erased_at
    assert Customer.objects.get(id=second.id).erased_at is None


def test_retention_goes_on_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    organization = organization_of_a_year()
    for _ in range(5):
        book(make_session(make_activity(make_venue(organization))), contact=stranger())
    age_everything(OLD)
    done = retention.retain_personal_data()
    assert (done["bookings archived"], done["customers erased"]) == (5, 5)


# Links to one's own data ------------------------------------------------------------------------------------------


def test_a_link_to_ones_data_lasts_a_week_and_opens_nobody_elses() -> None:
    customer, other = book(make_session()).customer, book(make_session(), contact=stranger()).customer
    now = database_now()
    token = data_token(customer, at=now)
    assert customer_of_link(customer.id, token, at=now + timedelta(days=LASTS_DAYS)) == customer
    for wrong_id, text, at in (
        (other.id, token, now),
        (customer.id, token[:-1] + "x", now),
        (customer.id, token, now + timedelta(days=LASTS_DAYS + 1)),
        (customer.id, token, now - timedelta(days=1)),
    ):
        with pytest.raises(NotFound):
            customer_of_link(wrong_id, text, at=at)


# Consent ----------------------------------------------------------------------------------------------------------

DAY = date(2030, 6, 15)


@pytest.mark.parametrize(
    ("person", "codes"),
    [
        (Person(name="A", birth_date=date(2014, 6, 15)), []),  # sixteen on the day itself
        (Person(name="A", birth_date=date(2014, 6, 16)), ["consent_required"]),
        (Person(name="A", birth_date=date(2014, 6, 16), consent_by="  "), ["consent_required"]),
        (Person(name="A", birth_date=date(2014, 6, 16), consent_by="Mum"), []),
        (Person(name="A"), ["birth_date_required"]),
        (Person(name="A", birth_date=date(2031, 1, 1), consent_by="Mum"), ["not_born_yet"]),
    ],
)
def test_whoever_is_younger_than_the_rule_on_the_day_needs_consent(person: Person, codes: list[str]) -> None:
    assert [error.code for error in consent_errors([person], DAY, 16)] == codes
    assert consent_errors([person], DAY, None) == []


def test_with_the_rule_everybody_of_the_party_is_named() -> None:
    adult = Person(name="A", birth_date=date(1990, 1, 1))
    assert [error.code for error in consent_errors([adult], DAY, 16, party_size=2)] == ["name_everybody"]
    assert consent_errors([adult, adult], DAY, 16, party_size=2) == []
    assert consent_errors([], DAY, None, party_size=2) == []


@pytest.mark.parametrize(
    ("on", "age"), [(date(2029, 2, 28), 8), (date(2029, 3, 1), 9), (date(2028, 2, 29), 8), (date(2028, 2, 28), 7)]
)
def test_a_leap_day_child_grows_older_on_the_first_of_march(on: date, age: int) -> None:
    assert age_on(date(2020, 2, 29), on) == age


def test_details_beside_the_facts_are_gone_and_their_digests_stay() -> None:
    customer = a_whole_life()
    digests = list(BookingEvent.objects.order_by("id").values_list("detail_digest", flat=True))
    erase_customer(customer_id=customer.id, actor=STAFF)
    assert not BookingEventDetail.objects.filter(event__booking__customer=customer).exists()
    assert (
        list(
            BookingEvent.objects.exclude(kind="customer_erased").order_by("id").values_list("detail_digest", flat=True)
        )
        == digests
    )
    assert Participant.objects.filter(customer=customer, consent_by="Erased", consent_at__isnull=False).count() == 1
    assert set(ResumeLink.objects.values_list("email_digest", flat=True)) == {""}


def offered_to(session: Session, *, giver: Contact, taker: Contact) -> Booking:
    booking = book(session, contact=giver)
    transfers.offer_transfer(booking_id=booking.id, contact=taker, actor=VISITOR)
    fan_out.fan_out_facts()
    let_pass(timedelta(days=40))
    return booking


def traces_of(taker: Contact) -> tuple[int, int]:
    notes = BookingEventDetail.objects.filter(note__contains=taker.email)
    return notes.count(), Notification.objects.filter(recipient=taker.email).count()


def test_whom_a_booking_was_offered_to_in_vain_goes_with_the_giver_or_by_themselves() -> None:
    taker, other = stranger(), stranger()
    given = offered_to(make_session(starts_in=timedelta(days=9)), giver=PERSON, taker=taker)
    assert traces_of(taker) == (1, 1)
    erase_customer(customer_id=given.customer_id, actor=STAFF)
    assert traces_of(taker) == (0, 0)

    session = make_session(starts_in=timedelta(days=9))
    known = Customer.objects.create(organization_id=session.organization_id, email=other.email, name=other.name)
    kept = offered_to(session, giver=ANNA, taker=other)
    erase_customer(customer_id=known.id, actor=STAFF)
    assert traces_of(other) == (0, 0)
    kept.refresh_from_db()
    assert kept.customer.email == ANNA.email
