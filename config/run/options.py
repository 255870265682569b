"""What `bin/run` was asked for, on its command line and in its environment."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.run.processes import ServerError

PROGRAMS = ("web", "realtime", "worker", "beat", "mail")
OFF = {"off", "false", "no", "0"}
LARGEST_PORT = 65535


@dataclass(frozen=True)
class Options:
    """One start of `bin/run`."""

    host: str
    port: int
    programs: tuple[str, ...]
    reload: bool
    demo: bool

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
    def ports(self) -> dict[str, int]:
        """Return the port of each chosen program that listens."""
        known = {"web": self.port, "realtime": self.realtime_port, "mail": self.mail_port}
        return {name: port for name, port in known.items() if name in self.programs}

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
    # The demo has a mail provider of its own, unless the environment names another one.
    without = {*chosen.without, *(() if demo and not environment.get("MAIL_URL") else ("mail",))}
    programs = [name for name in chosen.only.split(",") if name not in without]
    if unknown := set(programs) - set(PROGRAMS):
        parser.error(f"--only knows {', '.join(PROGRAMS)}; not {', '.join(sorted(unknown))}")
    return Options(
        host=environment.get("HOST", "127.0.0.1"),
        port=read_port(environment.get("PORT", "8000")),
        programs=tuple(programs),
        reload=chosen.reload,
        demo=demo,
    )


def read_port(text: str) -> int:
    """Return the port number, or raise ServerError."""
    if not text.isdecimal() or not 0 < int(text) <= LARGEST_PORT:
        raise ServerError(f"PORT={text} is no port: it is a number from 1 to {LARGEST_PORT}.")
    if int(text) > LARGEST_PORT - 2:
        raise ServerError(f"PORT={text} leaves none for realtime and mail, the next two: choose a smaller number.")
    return int(text)
