"""The bank's books on disk: one SQLite file. What one act does is one transaction, there or not, also after a crash."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, account TEXT NOT NULL, kind TEXT NOT NULL,
    created INTEGER NOT NULL, body TEXT NOT NULL, private TEXT NOT NULL, gone INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS objects_of_kind ON objects (account, kind, seq);
CREATE INDEX IF NOT EXISTS objects_of_intent ON objects (account, kind, json_extract(body, '$.payment_intent'))
    WHERE kind <> 'event';
CREATE INDEX IF NOT EXISTS objects_of_source ON objects (account, json_extract(body, '$.source'))
    WHERE kind = 'balance_transaction';
CREATE TABLE IF NOT EXISTS keys (
    account TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, created REAL NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (account, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS timers (
    id INTEGER PRIMARY KEY, due_at REAL NOT NULL, act TEXT NOT NULL, account TEXT NOT NULL, object TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS timers_due ON timers (due_at) WHERE done = 0;
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, event TEXT NOT NULL, endpoint TEXT NOT NULL, due_at REAL NOT NULL, forged INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', tries INTEGER NOT NULL DEFAULT 0, answer TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS deliveries_of_event ON deliveries (event);
"""


class Store:
    """One connection for all threads, one at a time."""

    Closed = sqlite3.ProgrammingError  # what is raised once the file was let go

    def __init__(self, folder: Path) -> None:
        """Open the file, or make it."""
        folder.mkdir(parents=True, exist_ok=True)
        self._lock, self._depth = threading.RLock(), 0
        self._afterwards: set[Callable[[], None]] = set()
        self._database = sqlite3.connect(folder / "bank.sqlite3", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")  # survives a killed process; not a lost power supply
        self._database.executescript(SCHEMA)

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all or nothing; one inside another belongs to the outer one."""
        with self._lock:
            outermost, self._depth = not self._depth, self._depth + 1
            try:
                if outermost:
                    self._database.execute("BEGIN IMMEDIATE")
                yield
            except BaseException:
                if outermost:
                    self._afterwards.clear()
                    self._database.execute("ROLLBACK")
                raise
            else:
                if outermost:
                    self._database.execute("COMMIT")
            finally:
                self._depth -= 1
            calls, self._afterwards = (self._afterwards, set()) if outermost else (set(), self._afterwards)
        for call in calls:
            call()

    def afterwards(self, call: Callable[[], None]) -> None:
        """Have something called, once, after the transaction that is going on."""
        self._afterwards.add(call)

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement; return how many rows it touched."""
        with self._lock:
            return self._database.execute(sql, parameters).rowcount

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        with self._lock:
            return self._database.execute(sql, parameters).fetchall()

    # Objects, each kept just as the API shows it; `private` is what the API never shows

    def add(self, account: str, body: Json, private: Json | None = None) -> None:
        """Keep a new object."""
        self.execute(
            "INSERT INTO objects (id, account, kind, created, body, private) VALUES (?, ?, ?, ?, ?, ?)",
            (body["id"], account, body["object"], body["created"], json.dumps(body), json.dumps(private or {})),
        )

    def save(self, body: Json) -> None:
        """Keep an object that changed."""
        self.execute("UPDATE objects SET body = ? WHERE id = ?", (json.dumps(body), body["id"]))

    def get(self, account: str, object_id: str, kind: str = "") -> Json | None:
        """Return an account's object, of any kind where none is said."""
        found = self.rows(
            "SELECT body FROM objects WHERE id = ? AND account = ? AND (kind = ? OR ? = '') AND gone = 0",
            (object_id, account, kind, kind),
        )
        return dict(json.loads(found[0][0])) if found else None

    def private(self, object_id: str) -> Json:
        """Return what the API never shows of an object."""
        return dict(json.loads(self.rows("SELECT private FROM objects WHERE id = ?", (object_id,))[0][0]))

    def save_private(self, object_id: str, private: Json) -> None:
        """Keep what the API never shows."""
        self.execute("UPDATE objects SET private = ? WHERE id = ?", (json.dumps(private), object_id))

    def select(self, account: str, kind: str, more: str = "", parameters: Sequence[object] = ()) -> list[Json]:
        """Return an account's objects of a kind; `more` is SQL after the WHERE, from our own constants."""
        sql = f"SELECT body FROM objects WHERE account = ? AND kind = ? AND gone = 0 {more}"
        return [json.loads(body) for (body,) in self.rows(sql, (account, kind, *parameters))]

    def set_timer(self, account: str, act: str, object_id: str, due_at: float) -> None:
        """Have an act done by itself at an instant."""
        self.execute(
            "INSERT INTO timers (due_at, act, account, object) VALUES (?, ?, ?, ?)", (due_at, act, account, object_id)
        )
