"""DATA_DIR: the lock that says who runs, the file that says where, and the secret that survives."""

import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from config.run.processes import ServerError, write_private

ROOT = Path(__file__).resolve().parent.parent.parent
NEEDED_MEGABYTES = 300
MEGABYTE = 1_000_000
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


class DataFolder:
    """The folder of one installation; whoever holds its lock is the one that runs on it."""

    def __init__(self, path: Path) -> None:
        """Describe the folder; nothing is written yet."""
        self.path = path.absolute()
        self.state_file = self.path / "run.json"
        self.lock_file = self.path / "run.lock"
        self._lock: IO[str] | None = None

    def prepare(self) -> None:
        """Make the folder, or say why it cannot serve: not ours to write, or the disk is full."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self.path / "probe", "the disk takes this\n")
            (self.path / "probe").unlink()
        except OSError as error:
            raise ServerError(self._complaint(error)) from error
        free = shutil.disk_usage(self.path).free // MEGABYTE
        if free < NEEDED_MEGABYTES:
            raise ServerError(self._full(f"only {free} MB are free, {NEEDED_MEGABYTES} MB are needed"))

    def take_lock(self) -> bool:
        """Become the one that runs here; return False when another process already does."""
        lock = self.lock_file.open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock  # open for the life of the process: the kernel frees it, even after a kill -9
        return True

    def is_running(self) -> bool:
        """Answer whether some process holds the lock."""
        try:
            with self.lock_file.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def write_state(self, state: Mapping[str, str]) -> None:
        """Tell other commands where everything is."""
        write_private(self.state_file, json.dumps(dict(state), indent=1))

    def read_state(self) -> dict[str, str]:
        """Return what the running process told, or nothing."""
        try:
            return dict(json.loads(self.state_file.read_text()))
        except (OSError, ValueError):
            return {}

    def forget_state(self) -> None:
        """Take the file away: nothing runs here any more."""
        self.state_file.unlink(missing_ok=True)

    def secret_key(self) -> str:
        """Return this installation's own secret, made at its first start."""
        file = self.path / "secret_key"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(48))
        return file.read_text().strip()

    def empty_metrics(self) -> None:
        """Make an empty folder for the programs' counters: a run begins to count at zero."""
        shutil.rmtree(self.path / "metrics", ignore_errors=True)
        (self.path / "metrics").mkdir(mode=0o700)

    def _complaint(self, error: OSError) -> str:
        if error.errno in FULL_DISK:
            return self._full("nothing more can be written")
        return f"{self.path} cannot be written ({error.strerror}): set DATA_DIR to a folder of your own."

    def _full(self, detail: str) -> str:
        return f"The disk of {self.path} is full ({detail}): make room, or set DATA_DIR to a folder on another disk."


def data_folder() -> DataFolder:
    """Return the folder that DATA_DIR names; `.data` in the checkout otherwise."""
    return DataFolder(ROOT / os.environ.get("DATA_DIR", ".data"))
