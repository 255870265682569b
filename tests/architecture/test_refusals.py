"""The catalogue of refusals: each has words for a person, and says how to go on."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

from config.kit.refusals import Refusal

ROOT = Path(__file__).resolve().parents[2]
APPS = ("scheduling", "payments", "bookings", "alerts", "config.kit", "config.tenants")
BASES = {"refused"}  # Refusal itself, and the frame around the REST framework's own
PAGES_ONLY = {
    "account_connected",
    "change_applied",
    "change_moved",
    "foreign_form",
    "not_repeatable",
    "password_wrong",
    "provider_unreachable",
    "resume_link_over",
    "rotated_lately",
    "statement_unreadable",
    "still_to_come",
    "too_many_links",
    "too_many_passwords",
    "transfer_offer_over",
    "unknown_code",
}  # never answered to programs


def catalogue() -> dict[str, type[Refusal]]:
    for app in APPS:
        package = import_module(app)
        for module in walk_packages(package.__path__, f"{app}."):
            if "migrations" not in module.name and "management" not in module.name:
                import_module(module.name)
    found, queue = {}, [Refusal]
    while queue:
        kind = queue.pop()
        queue += kind.__subclasses__()
        found[kind.code] = kind
    return {code: kind for code, kind in found.items() if code not in BASES}


REFUSALS = catalogue()


def test_the_catalogue_holds_what_the_services_raise() -> None:
    assert {"not_enough_places", "not_bookable", "reservation_lapsed", "duplicate_booking", "busy"} <= set(REFUSALS)


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_each_code_has_a_sentence_for_a_person_and_a_next_step(code: str) -> None:
    kind = REFUSALS[code]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    assert kind.title[0].isupper()
    assert len(kind.title.split()) >= 3
    assert not re.search(r"\b(error|invalid|exception|null|traceback)\b", kind.title, re.IGNORECASE)
    steps = dict(re.findall(r"^\| \d{3} \| `(\w+)` \| (.*) \|$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE))
    assert code in PAGES_ONLY or len(steps.get(code, "").split()) >= 3, f"docs/api.md does not say what to do at {code}"
