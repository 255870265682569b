"""`bin/run`: from nothing to a site that serves, and back to nothing at Ctrl-C."""

import os
import signal
import socket
import sys
import time
from contextlib import suppress

from config.demo.credentials import STAFF_EMAIL, STAFF_PASSWORD
from config.demo.organizations import ORGANIZATIONS
from config.run import addresses, commands
from config.run.console import say
from config.run.options import Options, parse_options
from config.run.processes import ServerError, end_together, marked_processes
from config.run.program import Program
from config.run.state import FULL_DISK, DataFolder, data_folder
from config.run.supervisor import Supervisor

WEB_SECONDS = 60.0
BANK_SECONDS = 20.0
DEMO_SLUGS = [plan.slug for plan in ORGANIZATIONS]
TEST_CARD = "4242 4242 4242 4242"
ORPHAN_SECONDS = 2.0  # nothing they do is lost: tasks are acknowledged late, transactions roll back


class Run:
    """One life of the site, from the lock to the goodbye."""

    def __init__(self, options: Options, folder: DataFolder) -> None:
        """Describe it; nothing is started yet."""
        self.options = options
        self.folder = folder
        self.supervisor = Supervisor()
        self.environment: dict[str, str] = {}

    def serve(self) -> None:
        """Start everything and keep it running, until Ctrl-C or SIGTERM raises KeyboardInterrupt in here."""
        started_at = time.monotonic()
        self._end_orphans()
        self.folder.empty_metrics()
        addresses.check_port(self.options)
        self._start_servers()
        self._start_programs("bank")  # before all others: the demo pays with it
        self._prepare_database()
        self._collect_assets()
        self._start_programs(*(name for name in self.options.programs if name != "bank"))
        self._wait_for("web", seconds=WEB_SECONDS)
        self._announce(time.monotonic() - started_at)
        while True:
            self.supervisor.turn()

    def stop(self) -> None:
        """Stop everything, whatever was started."""
        self.supervisor.stop()
        self.folder.forget_state()

    def _end_orphans(self) -> None:
        """End the programs of a run that was killed; its servers end their own orphans when they start."""
        orphans = list(marked_processes(f"{addresses.MARK}={self.folder.path}"))
        if orphans:
            say("run", f"ending {len(orphans)} processes, left over from a run that was killed")
            end_together(orphans, seconds=ORPHAN_SECONDS)

    def _start_servers(self) -> None:
        servers = addresses.embedded_servers(self.folder)
        if servers.postgres is not None:
            say("postgres", f"starting ({servers.postgres.data})")
            self.supervisor.keep("postgres", servers.postgres)
        if servers.valkey is not None:
            say("valkey", f"starting ({servers.valkey.folder})")
            self.supervisor.keep("valkey", servers.valkey)
        found = servers.addresses(os.environ)
        addresses.check_database(found["DATABASE_URL"])
        self.environment = addresses.program_environment(self.folder, self.options, found)
        secret = {"SECRET_KEY_FILE": str(self.folder.path / "secret_key")}
        names = ("REALTIME_URL", "SITE_URL", "DEMO", "STRIPE_API_BASE", "PAYMENT_PAGES")
        told = {name: self.environment[name] for name in names if name in self.environment}
        self.folder.write_state({"address": self.options.address, **found, **secret, **told})

    def _start_programs(self, *names: str) -> None:
        """Start those of these programs that were chosen, and keep them running."""
        for name in names:
            if name in self.options.programs:
                command = commands.program_command(name, self.options, self.folder)
                self.supervisor.keep(name, Program(name, command, self.environment))

    def _prepare_database(self) -> None:
        owner = self.environment | {"DATABASE_URL": self.environment["DATABASE_OWNER_URL"]}
        self._must(Program("migrate", commands.manage("migrate", "--skip-checks"), owner))
        self._wait_for("bank", seconds=BANK_SECONDS)
        if self.options.demo and self._has_more_to_load():
            self._must(Program("demo", commands.manage("demo"), self.environment))

    def _has_more_to_load(self) -> bool:
        """Is the demo not there yet, or its money missing, which needs the bank?"""
        url = self.environment["DATABASE_URL"]
        if not addresses.has_organizations(url):
            return True
        return "bank" in self.options.programs and addresses.has_organizations_without_account(url, DEMO_SLUGS)

    def _collect_assets(self) -> None:
        """Collect static files, only when they changed; in development they are served from where they are."""
        version, stamp = commands.assets_version(), self.folder.path / "static.version"
        with suppress(OSError):
            if stamp.read_text() == version:
                return
        if not self.options.reload:
            self._must(Program("assets", commands.manage("collectstatic", "--noinput"), self.environment))
            stamp.write_text(version)

    def _must(self, program: Program) -> None:
        """Run a command to its end, or raise ServerError."""
        if self.supervisor.run_once(program) != 0:
            raise ServerError(f"`manage.py {program.command[2]}` failed; its own words are above.")

    def _wait_for(self, name: str, *, seconds: float) -> None:
        """Wait until a program answers at its port, if it was chosen; raise ServerError when it does not."""
        deadline = time.monotonic() + seconds
        while name in self.options.programs and not self._answers(name):
            self.supervisor.turn()
            if time.monotonic() > deadline:
                raise ServerError(f"{name} does not answer after {seconds:.0f} s; its own words are above.")

    def _answers(self, name: str) -> bool:
        with suppress(OSError), socket.create_connection(self.options.place_of(name), timeout=1):
            return True
        return False

    def _announce(self, seconds: float) -> None:
        say("run", f"ready after {seconds:.1f} s, with {', '.join(self.options.programs)}")
        say("run", f"  site   {self.options.address}")
        say("run", f"  admin  {self.options.address}admin/")
        if "realtime" in self.options.programs:
            say("run", f"  live   {self.environment['REALTIME_URL']}")
        if "mail" in self.options.programs:
            say("run", f"  mail   {self.options.address}staff/mail/")
        if "bank" in self.options.programs:
            say("run", f"  bank   {self.options.bank_address}/sandbox   its faults; pay with {TEST_CARD}")
        if self.options.demo:
            say("run", f"  demo staff login: {STAFF_EMAIL}   password: {STAFF_PASSWORD}")
        say("run", "Ctrl-C stops it.")


def explain(error: Exception) -> str:
    """Return the sentence for an error that ends the run."""
    if (isinstance(error, OSError) and error.errno in FULL_DISK) or "No space left on device" in str(error):
        return f"The disk is full: make room, or set DATA_DIR to a folder on another disk.\n{error}"
    return str(error)


def main(arguments: list[str]) -> int:
    """Serve until told to stop; return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too: a shell starts "… &" with it ignored
        signal.signal(number, signal.default_int_handler)
    folder = data_folder()
    try:
        options = parse_options(arguments)
        folder.prepare()
        if not folder.take_lock():
            say("run", f"already running at {folder.read_state().get('address', options.address)}")
            return 0
    except ServerError as error:
        print(f"bin/run: {error}", file=sys.stderr)
        return 1
    return serve_until_stopped(Run(options, folder))


def serve_until_stopped(run: Run) -> int:
    """Serve, and stop in order whatever happens; a second Ctrl-C does not hurry the stopping."""
    code = 0
    try:
        run.serve()
    except KeyboardInterrupt:
        say("run", "stopping; a moment")
    except (ServerError, OSError) as error:
        print(f"bin/run: {explain(error)}", file=sys.stderr)
        code = 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        run.stop()
    if code == 0:
        say("run", "stopped")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
