"""What each message says, in the customer's language. Pure: a letter goes in, its words come out; no database.

The words of a kind stand in templates/messages/{language}/{kind}.txt: the first line is the title, the others are
paragraphs. Two layouts put sessions, sums and the link around them, as text and as HTML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from django.template.loader import render_to_string

from config.kit import money
from config.kit.display import length_text
from scheduling.wall_clock import comes_twice, load_zone

LOCALES = {"en": "en_GB", "de": "de_DE"}
DAYS = {"en": "EEEE d MMMM yyyy", "de": "EEEE, d. MMMM yyyy"}
LABELS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "hello": "Hello", "person": "person", "people": "people", "until": "until", "total": "Total",
        "before": "Before", "now": "Now", "fee": "Fee in it", "difference": "Difference", "number": "Booking",
        "manage": "See, change or cancel your booking", "accept": "Take these places",
        "leave": "See your place in the queue, or leave it", "resume": "Go on booking",
        "choose": "Choose another time, or have your money back", "look": "Look at the booking",
        "take_over": "See it, and take it over", "paid": "Paid", "due": "Still to pay",
        "at_desk": "To pay on arrival", "by": "by", "pay": "Pay", "receipt": "Your receipt",
    },
    "de": {
        "hello": "Guten Tag", "person": "Person", "people": "Personen", "until": "bis", "total": "Summe",
        "before": "Bisher", "now": "Jetzt", "fee": "Darin Gebühr", "difference": "Unterschied", "number": "Buchung",
        "manage": "Buchung ansehen, ändern oder stornieren", "accept": "Diese Plätze nehmen",
        "leave": "Ihren Platz in der Warteliste ansehen oder freigeben", "resume": "Weiter buchen",
        "choose": "Einen anderen Termin wählen oder das Geld zurückbekommen", "look": "Buchung ansehen",
        "take_over": "Ansehen und übernehmen", "paid": "Bezahlt", "due": "Noch zu zahlen",
        "at_desk": "Vor Ort zu zahlen", "by": "bis", "pay": "Bezahlen", "receipt": "Ihre Quittung",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Visit:
    """A session that somebody comes to, wanted to come to, or came to before a change."""

    activity: str
    venue: str
    starts_at: datetime
    ends_at: datetime
    zone: ZoneInfo
    party_size: int


@dataclass(frozen=True, slots=True)
class Letter:
    """What a message is about; `kind` says which words it has."""

    kind: str
    language: str
    organization: str
    name: str
    link: str
    link_label: str  # of LABELS
    number: str = ""
    giver: str = ""  # who offers a booking to somebody
    visits: Sequence[Visit] = ()
    visits_before: Sequence[Visit] = ()  # as it was, when something was changed
    total: str = ""  # money, written out
    fee: str = ""
    difference: str = ""  # to the total before
    paid: str = ""
    due: str = ""
    due_label: str = "due"  # of LABELS
    due_at: datetime | None = None  # to be paid, or answered, by that day
    amount: str = ""  # what a letter about money is about …
    way: str = ""  # … by which it came, and goes back: card, voucher, desk
    why: str = ""  # … and why it goes back, as a code
    receipt: str = ""  # a link
    until: datetime | None = None  # an offer, or a link, ends then
    zone: ZoneInfo = field(default_factory=lambda: load_zone("UTC"))


@dataclass(frozen=True, slots=True)
class Written:
    """A letter's words."""

    title: str
    text: str
    html: str


def write_letter(letter: Letter) -> Written:
    """Return the title, the text and the HTML of a letter; raises when its templates cannot be rendered."""
    labels = LABELS[letter.language]
    context = {
        "letter": letter,
        "labels": labels,
        "link_label": labels[letter.link_label],
        "due_label": labels[letter.due_label],
        "due_by": day_in(letter.due_at, letter.zone, letter.language) if letter.due_at else "",
        "visits": [_described(visit, letter.language) for visit in letter.visits],
        "visits_before": [_described(visit, letter.language) for visit in letter.visits_before],
        "until": moment_text(letter.until, letter.zone, letter.language) if letter.until else "",
    }
    words = render_to_string(f"messages/{letter.language}/{letter.kind}.txt", context).strip().splitlines()
    title = " ".join(words[0].split())
    context |= {"title": title, "paragraphs": [line.strip() for line in words[1:] if line.strip()]}
    text = render_to_string("messages/_letter.txt", context)
    return Written(title, _tidied(text), render_to_string("messages/_letter.html", context))


def money_in(amount_minor: int, currency: str, language: str) -> str:
    """Write minor units as the language does: £45.00, 45,00 €."""
    return money.written(amount_minor, currency, locale=LOCALES[language])


def day_in(at: datetime, zone: ZoneInfo, language: str) -> str:
    """Write a day by the venue's clock: Friday 4 December 2026."""
    return str(format_date(at.astimezone(zone).date(), DAYS[language], locale=LOCALES[language]))


def moment_text(at: datetime, zone: ZoneInfo, language: str) -> str:
    """Write an instant by the venue's clock, whose zone is named: Tuesday 8 December 2026, 15:30, Europe/London.

    Of an hour that comes twice it says which: 01:30 GMT.
    """
    local = at.astimezone(zone)
    clock = format_time(at, "HH:mm", tzinfo=zone, locale=LOCALES[language])
    twice = comes_twice(at, zone)
    return f"{day_in(at, zone, language)}, {clock}{f' {local.tzname()}' if twice else ''}, {zone.key}"


def _described(visit: Visit, language: str) -> dict[str, str]:
    labels = LABELS[language]
    length: timedelta = visit.ends_at - visit.starts_at
    return {
        "activity": visit.activity,
        "venue": visit.venue,
        "when": moment_text(visit.starts_at, visit.zone, language),
        "length": length_text(length),
        "party": f"{visit.party_size} {labels['person' if visit.party_size == 1 else 'people']}",
    }


def _tidied(text: str) -> str:
    """Return the text with single blank lines and no blanks at the ends of lines."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    kept = [line for place, line in enumerate(lines) if line or lines[place - 1]]
    return "\n".join(kept) + "\n"
