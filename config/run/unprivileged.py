"""PostgreSQL refuses to run as root, so root lends it another face: a user namespace, or else another account."""

import contextlib
import ctypes
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.run.processes import ServerError, libc

CLONE_NEWUSER = 0x10000000
NOBODY = 65534  # must have a passwd entry, or the server cannot look itself up
ACCOUNTS = ("postgres", "nobody")
REFUGE = Path("/var/lib")


@dataclass(frozen=True)
class Disguise:
    """How to start the server's programs: what the child does before exec, and which account must own its files."""

    before_exec: Callable[[], None] | None = None
    account: pwd.struct_passwd | None = None

    def own(self, *folders: Path) -> None:
        """Give these folders to the account, when there is one."""
        if self.account is not None:
            for folder in folders:
                os.chown(folder, self.account.pw_uid, self.account.pw_gid)


def enter_user_namespace() -> None:
    """Be uid 65534 in here while the files stay root's out there: nothing is chowned, a 0700 home is no obstacle."""
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} 0 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} 0 1")


def becoming(account: pwd.struct_passwd) -> Callable[[], None]:
    """Return a preexec_fn that leaves root for this account for good."""

    def leave_root() -> None:
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)

    return leave_root


def can_use(before_exec: Callable[[], None], program: Path) -> bool:
    """Try it: does the program start in this disguise? Containers may forbid namespaces, folders may be closed."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return (
            subprocess.run(
                [program, "--version"], preexec_fn=before_exec, capture_output=True, cwd="/", check=False
            ).returncode
            == 0
        )
    return False


def can_enter(account: pwd.struct_passwd, folder: Path) -> bool:
    """Answer whether the account can walk down to this folder."""
    command = [sys.executable, "-c", "import os, sys; os.chdir(sys.argv[1])", str(folder)]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, user=account.pw_uid, capture_output=True, cwd="/", check=False).returncode == 0
    return False


def has_nobody() -> bool:
    """Answer whether uid 65534 has a name here."""
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwuid(NOBODY))
    return False


def find_account() -> pwd.struct_passwd:
    """Return the account to fall back on."""
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerError(
        "PostgreSQL refuses to run as root, and here is no account 'postgres' or 'nobody': use another user."
    )


def find_disguise(program: Path) -> Disguise:
    """Choose how this process may start PostgreSQL's programs; no disguise is needed unless we are root."""
    if os.getuid() != 0:
        return Disguise()
    if sys.platform == "linux" and has_nobody() and can_use(enter_user_namespace, program):
        return Disguise(before_exec=enter_user_namespace)
    account = find_account()
    return Disguise(before_exec=becoming(account), account=account)


def reachable_home(disguise: Disguise, folder: Path) -> Path:
    """Return the folder itself, or a substitute that the account can walk to (a home is often closed to others)."""
    folder.mkdir(parents=True, exist_ok=True)
    if disguise.account is None or can_enter(disguise.account, folder):
        return folder
    refuge = REFUGE / f"holdfast-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    refuge.mkdir(mode=0o755, exist_ok=True)
    return refuge


def reachable_programs(disguise: Disguise, programs: Path, home: Path) -> Path:
    """Return the programs' folder, or a copy of the whole installation that the account can read."""
    if disguise.before_exec is None or can_use(disguise.before_exec, programs / "initdb"):
        return programs
    package, copy = programs.parent.parent, home / "programs"
    libraries = package.with_name(f"{package.name}.libs")
    if not copy.is_dir():
        draft = home / "programs.part"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(package, draft / package.name, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name)
        draft.rename(copy)
    return copy / package.name / programs.relative_to(package)
