"""What `bin/run` was asked for, on its command line and in its environment."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.run.processes import ServerError

PROGRAMS = ("web", "realtime", "worker", "beat", "mail", "bank")
OFF = {"off", "false", "no", "0"}
LARGEST_PORT = 65535
PORTS = 4  # the site's, and the next ones


@dataclass(frozen=True)
class Options:
    """One start of `bin/run`."""

    host: str
    port: int
    programs: tuple[str, ...]
    reload: bool
    demo: bool
    own_bank: bool = False  # online payments are the sandbox bank's affair, whether it runs or not

    @property
    def address(self) -> str:
        """Return where a browser finds the site."""
        return f"{self._url(self.port)}/"

    @property
    def realtime_port(self) -> int:
        """Return where sockets and events are served: the site's next."""
        return self.port + 1

    @property
    def realtime_address(self) -> str:
        """Return where a browser finds them, unless REALTIME_URL says otherwise."""
        return self._url(self.realtime_port)

    @property
    def mail_port(self) -> int:
        """Return where the demo's mail provider is: the one after."""
        return self.port + 2

    @property
    def bank_port(self) -> int:
        """Return where the demo's sandbox bank is: the one after that."""
        return self.port + 3

    @property
    def bank_address(self) -> str:
        """Return where our programs and a browser on this machine find it: it listens nowhere else."""
        return f"http://127.0.0.1:{self.bank_port}"

    @property
    def ports(self) -> dict[str, int]:
        """Return the port of each chosen program that listens."""
        next_ones = {"realtime": self.realtime_port, "mail": self.mail_port, "bank": self.bank_port}
        known = {"web": self.port, **next_ones}
        return {name: port for name, port in known.items() if name in self.programs}

    def place_of(self, name: str) -> tuple[str, int]:
        """Return where a program that listens is reached from this machine: its host and port."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 compared, not bound
        host = "127.0.0.1" if name in ("mail", "bank") else everywhere.get(self.host, self.host)
        return host, self.ports[name]

    def _url(self, port: int) -> str:
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 compared, not bound
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def parse_options(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Options:
    """Read the arguments of `bin/run`; PORT, HOST and DEMO come from the environment."""
    parser = argparse.ArgumentParser(prog="bin/run", description="Serve Holdfast on this machine.")
    parser.add_argument("--reload", action="store_true", help="for development: DEBUG, and start anew at each change")
    parser.add_argument("--without", action="append", default=[], choices=PROGRAMS, help="leave one out; repeatable")
    parser.add_argument("--only", default=",".join(PROGRAMS), metavar="web,worker", help="serve only these")
    chosen = parser.parse_args(arguments)
    demo = environment.get("DEMO", "on").lower() not in OFF
    # The demo has a mail provider and a bank of its own, each unless the environment names another one.
    own_mail = demo and not environment.get("MAIL_URL")
    own_bank = demo and not environment.get("STRIPE_API_BASE")
    without = {*chosen.without, *(() if own_mail else ("mail",)), *(() if own_bank else ("bank",))}
    programs = [name for name in chosen.only.split(",") if name not in without]
    if unknown := set(programs) - set(PROGRAMS):
        parser.error(f"--only knows {', '.join(PROGRAMS)}; not {', '.join(sorted(unknown))}")
    return Options(
        host=environment.get("HOST", "127.0.0.1"),
        port=read_port(environment.get("PORT", "8000")),
        programs=tuple(programs),
        reload=chosen.reload,
        demo=demo,
        own_bank=own_bank,
    )


def read_port(text: str) -> int:
    """Return the port number, or raise ServerError."""
    if not text.isdecimal() or not 0 < int(text) <= LARGEST_PORT:
        raise ServerError(f"PORT={text} is no port: it is a number from 1 to {LARGEST_PORT}.")
    if int(text) > LARGEST_PORT - PORTS + 1:
        raise ServerError(
            f"PORT={text} leaves none for realtime, mail and bank, the next three: choose a smaller number."
        )
    return int(text)
