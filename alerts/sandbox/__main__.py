"""`python -m alerts.sandbox --port 8003 --folder .data/mail`: serve until told to stop."""

import argparse
from contextlib import suppress
from pathlib import Path

from .server import Provider


def main() -> None:
    """Serve at this machine's own address alone; say where."""
    parser = argparse.ArgumentParser(prog="python -m alerts.sandbox")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args()
    with Provider(("127.0.0.1", chosen.port), chosen.folder) as provider, suppress(KeyboardInterrupt):
        print(f"mail is kept in {chosen.folder}, at http://127.0.0.1:{provider.server_port}", flush=True)  # noqa: T201
        provider.serve_forever()


if __name__ == "__main__":
    main()
