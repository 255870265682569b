"""Where PostgreSQL and Redis are: servers of our own, unless the environment names others."""

import errno
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

import psycopg

from config.run.options import Options
from config.run.postgres import EmbeddedPostgres
from config.run.processes import ServerError
from config.run.state import DataFolder
from config.run.valkey import EmbeddedValkey

MARK = "HOLDFAST_CHILD_OF"  # in the environment of every program of ours: how the next start finds orphans
WITHOUT_ACCOUNT = """
SELECT EXISTS (
    SELECT FROM tenants_organization o WHERE o.slug = ANY(%s)
    AND NOT EXISTS (SELECT FROM payments_provideraccount a WHERE a.organization_id = o.id)
)
"""
LIBPQ_SCHEMES = ("postgres://", "postgresql://")


@dataclass(frozen=True)
class Servers:
    """The embedded servers of a data folder; None where the environment names one."""

    postgres: EmbeddedPostgres | None
    valkey: EmbeddedValkey | None

    def addresses(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the four addresses; those of the environment win."""
        return database_addresses(self.postgres, environment) | {
            "REDIS_URL": self.valkey.url() if self.valkey else environment["REDIS_URL"]
        }


def database_addresses(postgres: EmbeddedPostgres | None, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the database's addresses by role; a foreign database may have one role for everything."""
    if postgres is not None:
        admin = postgres.admin_url("holdfast")
        return {
            "DATABASE_URL": postgres.app_url(),
            "DATABASE_OWNER_URL": postgres.owner_url(),
            "DATABASE_ADMIN_URL": admin,
        }
    app = environment["DATABASE_URL"]
    owner = environment.get("DATABASE_OWNER_URL", app)
    return {
        "DATABASE_URL": app,
        "DATABASE_OWNER_URL": owner,
        "DATABASE_ADMIN_URL": environment.get("DATABASE_ADMIN_URL", owner),
    }


def embedded_servers(folder: DataFolder, environment: Mapping[str, str] = os.environ) -> Servers:
    """Describe the servers to start: each one that the environment does not name."""
    return Servers(
        postgres=None if environment.get("DATABASE_URL") else EmbeddedPostgres(folder.path / "postgres"),
        valkey=None if environment.get("REDIS_URL") else EmbeddedValkey(folder.path / "valkey"),
    )


def program_environment(folder: DataFolder, options: Options, addresses: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of our programs: what the person set stands, the rest is safe for this machine."""
    ours = {
        "SECRET_KEY": folder.secret_key(),
        "DEBUG": "on" if options.reload else "off",
        "BEHIND_TLS_PROXY": "off",
        "STATIC_ROOT": str(folder.path / "static"),
        "REALTIME_URL": options.realtime_address,
        "PYTHONUNBUFFERED": "1",
        "DATA_DIR": str(folder.path),
        "PROMETHEUS_MULTIPROC_DIR": str(folder.path / "metrics"),
        "SITE_URL": options.address,
    }
    if "mail" in options.programs:
        ours["MAIL_URL"] = f"resend+http://demo@127.0.0.1:{options.mail_port}"
    if options.own_bank:  # also when it does not run: the demo's keys are for nobody else's ears
        ours |= {"STRIPE_API_BASE": options.bank_address, "PAYMENT_PAGES": options.bank_address}
    forced = {**addresses, "DEMO": "on" if options.demo else "off", "DJANGO_SETTINGS_MODULE": "config.settings"}
    given = {name: value for name, value in os.environ.items() if value or name not in ours}
    return {**ours, **given, **forced, MARK: str(folder.path)}


def check_port(options: Options) -> None:
    """Raise ServerError with a sentence when a port cannot be had."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    for name, port in options.ports.items():
        try:
            socket.create_server((options.host, port), family=family).close()
        except OSError as error:
            raise ServerError(port_complaint(options, name, error)) from error


def port_complaint(options: Options, name: str, error: OSError) -> str:
    """Say what is wrong with a program's port, and what to do."""
    port = options.ports[name]
    what = f"Port {port}" if name == "web" else f"Port {port}, for {name},"
    if error.errno == errno.EADDRINUSE:
        return f"{what} is taken by another program; set PORT=… to use another one."
    if error.errno == errno.EACCES:
        return f"{what} is reserved for root; set PORT=… to 1024 or more."
    return f"HOST={options.host} PORT={port} cannot be served: {error.strerror}."


def check_database(url: str) -> None:
    """Raise ServerError when a database of the environment does not answer."""
    if url.startswith(LIBPQ_SCHEMES):
        try:
            psycopg.connect(url, connect_timeout=10).close()
        except psycopg.OperationalError as error:
            raise ServerError(f"The PostgreSQL of DATABASE_URL does not answer: {error}") from error


def has_organizations(url: str) -> bool:
    """Answer whether somebody lives in the database already."""
    return _answers_yes(url, "SELECT EXISTS (SELECT FROM tenants_organization)")


def has_organizations_without_account(url: str, slugs: Sequence[str]) -> bool:
    """Answer whether one of these organizations is there and never had an account with a payment provider."""
    return _answers_yes(url, WITHOUT_ACCOUNT, [list(slugs)])


def _answers_yes(url: str, question: LiteralString, parameters: Sequence[object] = ()) -> bool:
    if not url.startswith(LIBPQ_SCHEMES):
        return False  # the demo command looks for itself
    with psycopg.connect(url) as connection:
        row = connection.execute(question, parameters or None).fetchone()
    return bool(row and row[0])
