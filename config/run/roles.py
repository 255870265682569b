"""The two database roles: one owns the tables and migrates, the other serves and owns nothing.

The embedded server gets them by itself. For a PostgreSQL of your own run this once with an administrator's address:
`python -m config.run.roles postgres://admin:secret@db.example/postgres`, then give the two roles passwords.
"""

import sys

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

OWNER = "holdfast_owner"
APP = "holdfast_app"
DATABASE = "holdfast"

ROLE_EXISTS = "SELECT 1 FROM pg_roles WHERE rolname = %s"
DATABASE_EXISTS = "SELECT 1 FROM pg_database WHERE datname = %s"

# The limits sit on the role, not on the connection: a pooler in between cannot lose them.
ROLE_SETTINGS = f"""
ALTER ROLE {OWNER} LOGIN NOSUPERUSER NOCREATEROLE NOBYPASSRLS;
ALTER ROLE {APP} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
ALTER ROLE {APP} SET lock_timeout = '3s';
ALTER ROLE {APP} SET statement_timeout = '10s';
ALTER ROLE {APP} SET idle_in_transaction_session_timeout = '30s';
"""
SCHEMA_SETTINGS = f"""
REVOKE CREATE ON SCHEMA public FROM public;
ALTER SCHEMA public OWNER TO {OWNER};
GRANT USAGE ON SCHEMA public TO {APP};
"""


def create_roles(connection: psycopg.Connection) -> None:
    """Make both roles where they are missing, and set what they may do; safe to repeat."""
    for role in (OWNER, APP):
        if connection.execute(ROLE_EXISTS, [role]).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    connection.execute(ROLE_SETTINGS)


def create_database(connection: psycopg.Connection, name: str, *, template: str = "template0") -> bool:
    """Make a database that the owner role owns; return whether it had to be made."""
    if connection.execute(DATABASE_EXISTS, [name]).fetchone() is not None:
        return False
    statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
    connection.execute(statement.format(*map(sql.Identifier, (name, OWNER, template))))
    return True


def prepare_server(admin_url: str, *, database: str = DATABASE) -> None:
    """Bring roles, database and its schema to what Holdfast expects; safe to repeat at every start."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        create_roles(connection)
        create_database(connection, database)
    with psycopg.connect(make_conninfo(admin_url, dbname=database), autocommit=True) as connection:
        connection.execute(SCHEMA_SETTINGS)


def main(arguments: list[str]) -> int:
    """Prepare the server at the given administrator's address."""
    if not 1 <= len(arguments) <= 2:  # noqa: PLR2004 the address, and perhaps a database name
        print("usage: python -m config.run.roles ADMIN_URL [DATABASE]", file=sys.stderr)
        return 2
    prepare_server(arguments[0], database=(arguments[1:] or [DATABASE])[0])
    print(f"The roles {OWNER} and {APP} and the database are ready. Set their passwords with ALTER ROLE … PASSWORD.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
