"""What customers read: in their language, by the venue's clock, whose zone is named, across the night it changes."""

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from django.template import TemplateDoesNotExist

from alerts.message_words import kind_words, without_secrets
from alerts.messages import LABELS, moment_text, money_in, write_letter
from alerts.services.letters import WRITERS
from alerts.services.notifications import TOLD, reminder_kind
from alerts.wordings import LATE_WHY
from tests.alerts.letters import KINDS, LINK, LONDON, RECEIPT, golden_file, letter, words_of


class Words(HTMLParser):
    """The words between the tags, without the style."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.is_hidden = False

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.is_hidden = tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self.is_hidden = False

    def handle_data(self, data: str) -> None:
        if not self.is_hidden:
            self.found += data.split()


def words_in(html: str) -> list[str]:
    words = Words()
    words.feed(html)
    return words.found


@pytest.mark.parametrize("language", LABELS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_message_says_what_was_agreed_on(kind: str, language: str) -> None:
    assert words_of(kind, language) == golden_file(kind, language).read_text()


@pytest.mark.parametrize("language", LABELS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_html_says_what_the_text_says(kind: str, language: str) -> None:
    written = write_letter(letter(kind, language))
    said = words_in(written.html)
    of_text = written.text.replace(RECEIPT, "").replace(LINK, "").replace("--", "").split()
    assert {word.rstrip(":,") for word in of_text} - {word.rstrip(":,") for word in said} == set()
    for link in (f'"{LINK}"', RECEIPT):
        assert (link in written.html) == (link.strip('"') in written.text.split())
    assert "<Archer>" not in written.html


def test_every_fact_that_is_told_has_words_in_every_language() -> None:
    told = set().union(*TOLD.values()) - {"message_repeated"}
    assert told | {"booking_received", "reminder", "dispute_opened"} == set(KINDS) == set(WRITERS)
    assert {path.name for path in golden_file("x", "en").parent.iterdir()} == {
        golden_file(kind, language).name for kind in KINDS for language in LABELS
    }


def test_the_zone_is_named_and_an_hour_that_comes_twice_is_told_apart() -> None:
    afternoon, summer = datetime(2027, 10, 31, 15, 30, tzinfo=UTC), datetime(2027, 10, 30, 14, 30, tzinfo=UTC)
    first, second = datetime(2027, 10, 31, 0, 30, tzinfo=UTC), datetime(2027, 10, 31, 1, 30, tzinfo=UTC)
    assert [moment_text(at, LONDON, "en") for at in (summer, first, second, afternoon)] == [
        "Saturday 30 October 2027, 15:30, Europe/London",
        "Sunday 31 October 2027, 01:30 BST, Europe/London",
        "Sunday 31 October 2027, 01:30 GMT, Europe/London",
        "Sunday 31 October 2027, 15:30, Europe/London",
    ]
    assert moment_text(afternoon, LONDON, "de") == "Sonntag, 31. Oktober 2027, 15:30, Europe/London"


def test_a_title_stays_on_one_line_whatever_an_activity_is_called() -> None:
    plain = letter("reminder", "en")
    visit = replace(plain.visits[0], activity="Arch\r\nBcc: everybody@example.org")
    title = write_letter(replace(plain, visits=(visit,))).title
    assert "\n" not in title
    assert "\r" not in title


def test_a_kind_without_words_cannot_be_written() -> None:
    with pytest.raises(TemplateDoesNotExist):
        write_letter(replace(letter("reminder", "en"), kind="unheard_of"))


def test_money_is_written_as_the_language_does() -> None:
    assert [money_in(4500, "EUR", language) for language in LABELS] == ["€45.00", "45,00\u00a0€"]


def test_staff_read_what_kind_it_is_and_no_link_that_opens_anything() -> None:
    assert kind_words(reminder_kind(datetime(2027, 1, 2, 3, 4, tzinfo=UTC))) == "Reminder"
    assert [kind_words(kind) for kind in KINDS if kind_words(kind) == kind] == []
    token = "A" * 43
    assert without_secrets(f"https://x.example/bookings/K7QM2ZXA.{token}/ and") == (
        "https://x.example/bookings/K7QM2ZXA.…/ and"
    )


def sentences(kind: str, language: str = "en", **changes: str) -> str:
    return write_letter(replace(letter(kind, language), **changes)).text  # type: ignore[arg-type]  # names of strings


@pytest.mark.parametrize("language", LABELS)
@pytest.mark.parametrize("why", sorted(set(LATE_WHY) - {"customer_erased"}))  # whom nobody can write to any more
def test_each_reason_for_which_a_late_payment_goes_back_has_words_of_its_own(language: str, why: str) -> None:
    others = [sentences("late_payment_returned", language, why=each) for each in ("", *LATE_WHY) if each != why]
    assert sentences("late_payment_returned", language, why=why) not in others


def test_each_way_money_goes_back_is_said_with_how_long_it_takes() -> None:
    told = {way: sentences("payment_returned", way=way) for way in ("card", "voucher", "desk")}
    assert "5 to 10 days" in told["card"]
    assert ("voucher" in told["voucher"], "at once" in told["voucher"], "days" in told["voucher"]) == (
        True,
        True,
        False,
    )
    assert "You were given £13.50 back." in told["desk"]
    assert "is back on your voucher" in sentences("late_payment_returned", way="voucher")


def test_what_is_due_at_the_desk_is_called_so_and_has_no_day() -> None:
    text = write_letter(replace(letter("booking_confirmed", "en"), due_label="at_desk", due_at=None)).text
    assert "To pay on arrival: £31.50\n" in text
