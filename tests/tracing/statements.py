"""SQL as a person reads it: one short line, and the strongest row lock that it takes."""

import re

LONGEST = 100
SHORT_LIST = 40  # a longer list of columns tells nothing

Effects = list[str]
WRITES = {
    "updates": r"(?<!KEY )(?<!FOR )(?<!DO )UPDATE (\w+)",
    "inserts": r"INSERT INTO (\w+)",
    "deletes": r"DELETE FROM (\w+)",
}
LOCK = r"FOR (NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)(?: OF \w+)?( SKIP LOCKED| NOWAIT)?"


def one_line(sql: str) -> str:
    """Return the statement on one line, without quotes, long lists and savepoints' names."""
    text = " ".join(re.sub(r'--[^\n]*|"', "", sql).split())
    text = re.sub(r"\b(SAVEPOINT) \S+", r"\1", text)
    if " JOIN " not in text:
        text = re.sub(r"\b\w+_\w+\.(\w+)", r"\1", text)  # scheduling_session.id: the table is named beside it
    if text.startswith("SELECT"):
        text = _without_inner_statements(text)
    text = re.sub(r"SELECT (.+?) FROM", lambda found: f"SELECT {_short(found[1])} FROM", text)
    text = re.sub(r"RETURNING ([^)]+)$", lambda found: f"RETURNING {_short(found[1])}", text)
    text = re.sub(r"\(([^()]+)\)", lambda found: f"({_short(found[1])})", text)
    text = re.sub(r"VALUES (\([^()]*\))(, \([^()]*\))+", r"VALUES \1, …", text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2].rstrip()} …"


def _without_inner_statements(text: str) -> str:
    """Leave out what stands in long parentheses, so that the first FROM is the statement's own."""
    depth, began, found = 0, 0, ""
    for place, letter in enumerate(text):
        if letter == "(":
            began = place if depth == 0 else began
            depth += 1
        if depth == 0:
            found += letter
        if letter == ")":
            depth -= 1
            found += f"({_short(text[began + 1 : place])})" if depth == 0 else ""
    return found


def _short(columns: str) -> str:
    return columns if len(columns) <= SHORT_LIST else "…"


def effects_of(sql: str) -> Effects:
    """Say what it writes and which rows it locks; nothing for a statement that only reads."""
    text = " ".join(sql.replace('"', "").split())
    found = [f"{verb} {table}" for verb, pattern in WRITES.items() for table in _tables(pattern, text)]
    lock = re.search(LOCK, text)
    if lock:
        tables = _tables(r"FROM (\w+)", text[: lock.start()])
        found.insert(0, f"locks {tables[-1]} rows {lock[0]}" if tables else f"locks rows {lock[0]}")
    return found


def _tables(pattern: str, text: str) -> list[str]:
    return list(dict.fromkeys(re.findall(pattern, text)))
