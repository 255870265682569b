"""Who writes what prices depend on keeps `plain_hold` true to it."""

import re

from tests.architecture.test_rules import APPS, sources

WRITES = re.compile(r"\b(PriceRule|UnitPrice|Unit)\.objects\b[^\n]*\b(create|update|bulk_create|update_or_create)\(")
SAVES = re.compile(r"\b(rule|row|unit)\.save\(")
KEEPS_IT = "refresh_plain_hold(activity_id="
COPIES_ALONE = {"scheduling/services/schedules.py"}  # a version's prices, for its own continuation: nothing is new


def test_whoever_writes_units_their_prices_or_price_rules_keeps_the_flag_true() -> None:
    texts = {name: text for name, text in sources(*APPS).items() if "/models/" not in name}
    about_prices = {name for name, text in texts.items() if re.search(r"\b(PriceRule|UnitPrice|Unit)\b", text)}
    writers = {name for name in about_prices if WRITES.search(texts[name]) or SAVES.search(texts[name])}
    assert writers - COPIES_ALONE == {"scheduling/services/price_rules.py", "scheduling/admin/activities.py"}
    assert {name for name in writers - COPIES_ALONE if KEEPS_IT not in texts[name]} == set()
