"""What the provider was given, on disk: one file a mail, which is there or not, also after a crash."""

import hashlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEYS_ARE_KEPT_SECONDS = 24 * 60 * 60  # as Resend does
NAMES = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


class KeyReused(Exception):
    """The same key came with another mail."""


class Store:
    """A folder of mails. One with a key is named by it: its file is the mail and the memory of its key, in one step."""

    def __init__(self, folder: Path) -> None:
        """Make the folder unless it is there."""
        self.folder = folder / "mail"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()

    def accept(self, mail: dict[str, Any], key: str) -> str:
        """Keep a mail and return its id; the same key again returns the first one's, and keeps nothing."""
        mail_id, digest = str(uuid.uuid5(NAMES, key) if key else uuid.uuid4()), _digest(mail)
        with self._lock:
            known = self.read(mail_id)
            if known and known["accepted_at"] > time.time() - KEYS_ARE_KEPT_SECONDS:
                if known["digest"] != digest:
                    raise KeyReused
                return mail_id
            if known:  # Resend has forgotten the key by now
                mail_id = str(uuid.uuid4())
            self._keep({"id": mail_id, "key": key, "digest": digest, "accepted_at": time.time(), "mail": mail})
        return mail_id

    def read(self, mail_id: str) -> dict[str, Any] | None:
        """Return a kept mail."""
        file = self.folder / f"{Path(mail_id).name}.json"
        return dict(json.loads(file.read_text())) if file.exists() else None

    def all(self) -> Iterator[dict[str, Any]]:
        """Yield all mails, the newest first."""
        found = [json.loads(file.read_text()) for file in self.folder.glob("*.json")]
        yield from sorted(found, key=lambda kept: -kept["accepted_at"])

    def _keep(self, kept: dict[str, Any]) -> None:
        """Write in one step, and have it on the disk before it is answered for."""
        draft = self.folder / f"{kept['id']}.part"
        with draft.open("w") as output:
            json.dump(kept, output)
            output.flush()
            os.fsync(output.fileno())
        draft.replace(draft.with_suffix(".json"))


def _digest(mail: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(mail, sort_keys=True).encode()).hexdigest()
