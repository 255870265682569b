"""`bin/manage`: manage.py on the servers of the running `bin/run`; it starts nothing."""

import os
import sys
from importlib import import_module
from pathlib import Path

from django.core.management import execute_from_command_line

from config.run.state import DataFolder, data_folder

# What a command sees as the programs do: whether anything is real, where the bank is, where the site is for the bank.
ALSO = ("DEMO", "STRIPE_API_BASE", "PAYMENT_PAGES", "SITE_URL")
ADDRESSES = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_ADMIN_URL", "REDIS_URL")
# These read or change the shape of the tables, which the application's role may not.
OWNER_COMMANDS = {"migrate", "makemigrations", "sqlmigrate", "squashmigrations", "optimizemigration", "lintmigrations"}


def running_environment(folder: DataFolder) -> dict[str, str] | None:
    """Return the addresses and the secret of the running site, or None when nothing runs."""
    state = folder.read_state()
    if not state or not folder.is_running():
        return None
    wanted = ["REDIS_URL"] if os.environ.get("DATABASE_URL") else ADDRESSES  # the four of one server go together
    found = {name: state[name] for name in wanted} | {name: state[name] for name in ALSO if name in state}
    secret = Path(state["SECRET_KEY_FILE"]).read_text().strip()
    return {"SECRET_KEY": secret, "BEHIND_TLS_PROXY": "off", "STATIC_ROOT": str(folder.path / "static"), **found}


def use_owner(command: str) -> None:
    """Let a command that shapes tables connect as their owner."""
    if command in OWNER_COMMANDS and os.environ.get("DATABASE_OWNER_URL"):
        os.environ["DATABASE_URL"] = os.environ["DATABASE_OWNER_URL"]


def main(arguments: list[str]) -> int:
    """Run the management command where the site runs; what the environment already says stands."""
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        found = running_environment(data_folder())
        if found is None:
            print("Nothing runs here: start bin/run first (or set DATABASE_URL and REDIS_URL).", file=sys.stderr)
            return 1
        os.environ.update({name: value for name, value in found.items() if not os.environ.get(name)})
    use_owner(arguments[0] if arguments else "")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import_module("config.celery")  # so that tasks asked for in here reach the broker of the settings
    execute_from_command_line(["bin/manage", *arguments])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
