"""A letter of each kind, across the night in which London's clock goes back. `python -m tests.alerts.letters` writes
what they say to tests/alerts/golden/, to be read before it is kept.
"""  # fmt: skip

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import django

from alerts.messages import LABELS, Letter, Visit, write_letter

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"
LONDON = ZoneInfo("Europe/London")
LINK = "https://book.example.org/bookings/K7QM2ZXA.token/"
RECEIPT = f"{LINK}?to=receipt"


def visit(starts_at: datetime, party_size: int = 2) -> Visit:
    """Return a visit of an hour and a half."""
    return Visit("Archery", "Old Mill", starts_at, starts_at + timedelta(minutes=90), LONDON, party_size)


SATURDAY = visit(datetime(2027, 10, 30, 14, 30, tzinfo=UTC))  # 15:30 by summer time
SUNDAY = visit(datetime(2027, 10, 31, 15, 30, tzinfo=UTC))  # 15:30 again, an hour later by the sun
FIRST_HALF_PAST_ONE = visit(datetime(2027, 10, 31, 0, 30, tzinfo=UTC), 1)
SECOND_HALF_PAST_ONE = visit(datetime(2027, 10, 31, 1, 30, tzinfo=UTC), 1)
TWICE = (FIRST_HALF_PAST_ONE, SECOND_HALF_PAST_ONE)
VISITS = {
    "booking_confirmed": (SATURDAY, SUNDAY),
    "booking_cancelled": (SATURDAY, SUNDAY),
    "session_closed_offers": TWICE,
    "waitlist_joined": (SATURDAY, SUNDAY),
    "reminder": (SECOND_HALF_PAST_ONE,),
}
BEFORE = {"line_moved": (SATURDAY,), "party_changed": (visit(SUNDAY.starts_at, 1),)}
LINK_LABELS = {
    "waitlist_offered": "accept",
    "waitlist_joined": "leave",
    "resume_link_asked": "resume",
    "session_closed_offers": "choose",
    "transfer_offered": "take_over",
    "balance_reminded": "pay",
    "balance_overdue": "pay",
    "late_payment_returned": "look",
}
TO_STAFF = ("duplicate_refused", "duplicate_overridden", "dispute_opened")
PAID = ("booking_confirmed", "payment_received")  # what is paid and still due, and the receipt
WITH_A_DAY = (*PAID, "balance_reminded", "balance_overdue", "dispute_opened")
KINDS = sorted(path.stem for path in (ROOT / "templates" / "messages" / "en").iterdir())


def letter(kind: str, language: str) -> Letter:
    """Return what a message of this kind is about: paid for by card, and late when the places were gone."""

    def pounds(amount: str) -> str:
        return {"en": f"£{amount}", "de": f"{amount.replace('.', ',')}\u00a0£"}[language]

    is_about_money = kind in (
        "line_moved",
        "party_changed",
        "booking_cancelled",
        "booking_confirmed",
        "transfer_offered",
        "payment_received",
    )
    is_to_staff = kind in TO_STAFF
    is_paid = kind in PAID
    is_waiting = kind.startswith("waitlist")
    return Letter(
        kind=kind, language=language, organization="The Mill",
        name="" if kind == "resume_link_asked" or is_to_staff else "Anna & Bo <Archer>",
        link="" if kind in ("booking_transferred", "waitlist_lapsed") else LINK,
        link_label=LINK_LABELS.get(kind, "look" if is_to_staff else "manage"),
        giver="Cy Cooper" if kind == "transfer_offered" else "",
        number="" if is_waiting or kind in ("resume_link_asked", "transfer_offered") else "K7QM2ZXA",
        visits=VISITS.get(kind, (SUNDAY,)), visits_before=BEFORE.get(kind, ()),
        total=pounds("45.00") if is_about_money else "", amount=pounds("13.50"), way="card", why="places_gone",
        paid=pounds("13.50") if is_paid else "", due=pounds("31.50") if is_paid else "",
        due_at=SATURDAY.starts_at if kind in WITH_A_DAY else None, receipt=RECEIPT if is_paid else "",
        fee="£5.00" if kind == "line_moved" else "", difference="+£5.00" if kind == "line_moved" else "",
        until=datetime(2027, 10, 31, 1, 15, tzinfo=UTC), zone=LONDON,
    )  # fmt: skip


def golden_file(kind: str, language: str) -> Path:
    """Return where the words are kept."""
    return GOLDEN / f"{kind}.{language}.txt"


def words_of(kind: str, language: str) -> str:
    """Return title and text as they are kept."""
    written = write_letter(letter(kind, language))
    return f"{written.title}\n\n{written.text}"


if __name__ == "__main__":
    django.setup()
    for each in KINDS:
        for tongue in LABELS:
            golden_file(each, tongue).write_text(words_of(each, tongue))
