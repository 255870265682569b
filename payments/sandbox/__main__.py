"""`python -m payments.sandbox --port 8004 --folder .data/bank`: serve until told to stop."""

import argparse
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .server import BankServer

ON = ("on", "true", "1", "yes", "ok", "y", "t")  # what the settings read as yes
REFUSED = (
    "The sandbox bank takes no real money, so it does not start in production:"
    " set DEMO=on or DEBUG=on where nothing is real."
)


def is_production(environment: Mapping[str, str]) -> bool:
    """Return whether this is production, as the settings tell it: unless DEMO or DEBUG is on."""
    return not any(environment.get(name, "").strip().lower() in ON for name in ("DEMO", "DEBUG"))


def main() -> None:
    """Serve at this machine's own address alone and say where; refuse to in production."""
    parser = argparse.ArgumentParser(prog="python -m payments.sandbox")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--public-address", default="", help="where people's browsers find the payment page")
    chosen = parser.parse_args()
    if is_production(os.environ):
        sys.stderr.write(f"{REFUSED}\n")
        sys.exit(2)
    with (
        BankServer(("127.0.0.1", chosen.port), chosen.folder, chosen.public_address) as server,
        suppress(KeyboardInterrupt),
    ):
        print(f"the sandbox bank keeps its books in {chosen.folder}, at {server.url}", flush=True)  # noqa: T201
        server.serve_forever()


if __name__ == "__main__":
    main()
