"""Makes the virtual environment, with nothing but the standard library: `virtualenv.py LOCK_FILE` prints its Python.

Installs only when the lock file changed. An interrupted installation is begun anew, and a file lock keeps two apart.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = Path(os.environ.get("VENV") or ROOT / ".venv").absolute()
PYTHON = FOLDER / "bin" / "python"
STAMP = FOLDER / "installed.json"
UNFINISHED = FOLDER / "unfinished"  # there while pip works: what an interrupted pip leaves is not to be trusted
BASE_LOCK = "requirements.txt"  # every other lock file contains this one
NO_VENV = """This Python cannot make virtual environments: {detail}
On Debian and Ubuntu: apt-get install python3-venv"""


class InstallError(Exception):
    """The environment cannot be made; the message says what to do."""


def digest(lock: str) -> str:
    """Return what identifies the content of a lock file."""
    return hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()


def installed() -> dict[str, str]:
    """Return the digests of the lock files that are installed."""
    try:
        return dict(json.loads(STAMP.read_text()))
    except (OSError, ValueError):
        return {}


def is_current(lock: str) -> bool:
    """Answer whether nothing is to do for this lock file."""
    return PYTHON.exists() and not UNFINISHED.exists() and installed().get(lock) == digest(lock)


def tell(text: str) -> None:
    """Speak to the person; the answer alone goes to standard output."""
    print(text, file=sys.stderr, flush=True)


def runs(command: list[str]) -> bool:
    """Answer whether a command works here."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def make_folder() -> None:
    """Make the virtual environment, anew when the one that is there does not work."""
    if not UNFINISHED.exists() and PYTHON.exists() and runs([str(PYTHON), "-m", "pip", "--version"]):
        return
    tell(f"Making the virtual environment {FOLDER}")
    shutil.rmtree(FOLDER, ignore_errors=True)
    answer = subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        shutil.rmtree(FOLDER, ignore_errors=True)
        raise InstallError(NO_VENV.format(detail=(answer.stdout + answer.stderr).strip()))


def install(lock: str) -> None:
    """Install exactly what the lock file names, every file checked against its hash."""
    total = len(re.findall(r"^[a-z0-9._\[\]-]+==", (ROOT / lock).read_text(), flags=re.MULTILINE | re.IGNORECASE))
    tell(f"Installing the {total} packages of {lock}; this takes a minute or two the first time")
    UNFINISHED.touch()
    command = [str(PYTHON), "-m", "pip", "install", "--require-hashes", "--disable-pip-version-check", "--no-input"]
    pip = subprocess.Popen(
        [*command, "-r", str(ROOT / lock)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = show_progress(pip, total)
    if pip.wait() != 0:
        raise InstallError("pip could not install the packages:\n" + "".join(said[-15:]))
    UNFINISHED.unlink()
    STAMP.write_text(json.dumps(installed() | {lock: digest(lock), BASE_LOCK: digest(BASE_LOCK)}))


def show_progress(pip: "subprocess.Popen[str]", total: int) -> list[str]:
    """Count the packages as pip comes to them; return all it said."""
    said: list[str] = []
    seen = 0
    for line in pip.stdout or ():
        said.append(line)
        if line.startswith(("Collecting ", "Requirement already satisfied: ")):
            seen += 1
            if seen % 10 == 0:
                tell(f"  {min(seen, total)} of {total}")
        if line.startswith("Installing collected packages"):
            tell("  all found, installing")
    return said


def ensure(lock: str) -> None:
    """Bring the environment up to this lock file."""
    if is_current(lock):
        return
    cache = FOLDER.parent / ".cache"
    try:
        cache.mkdir(exist_ok=True)
        guard = (cache / "virtualenv.lock").open("w")
    except OSError as error:
        raise InstallError(f"{FOLDER.parent} cannot be written: set VENV to a folder of your own.") from error
    with guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not is_current(lock):  # somebody else may have done it while we waited
            make_folder()
            install(lock)


def main() -> int:
    """Make the environment for the lock file of the command line, print the path of its Python."""
    try:
        ensure(sys.argv[1])
    except InstallError as error:
        tell(str(error))
        return 1
    except KeyboardInterrupt:
        tell("interrupted; the next start goes on")
        return 130
    print(PYTHON)
    return 0


if __name__ == "__main__":
    sys.exit(main())
