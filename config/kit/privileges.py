"""What the application's database role may do: it owns nothing, deletes next to nothing and rewrites no fact."""

from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.db import connections

# Rows without business meaning, which their own libraries delete.
DELETABLE_APPS = ("sessions", "auth", "admin", "contenttypes")


def _statements(role: str) -> list[str]:
    """Return the grants, ready to run; the role's name is quoted already."""
    grants = [
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
        f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"REVOKE INSERT, UPDATE ON django_migrations FROM {role}",
    ]
    for model in apps.get_models(include_auto_created=True):
        table = model._meta.db_table
        if getattr(model, "append_only", False):
            grants.append(f'REVOKE UPDATE ON "{table}" FROM {role}')
        elif model._meta.app_label in DELETABLE_APPS or getattr(model, "erasable", False) or model._meta.auto_created:
            grants.append(f'GRANT DELETE ON "{table}" TO {role}')
    return grants


def grant_privileges(sender: AppConfig, using: str, **_: Any) -> None:  # noqa: ARG001 a signal's signature
    """Grant the application's role its rights on every table; run as the owner, after every migrate."""
    connection = connections[using]
    role = settings.DATABASE_APP_ROLE
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [role])
        current, exists = cursor.fetchone()
        if not exists or current == role:
            return  # one role for everything: `check --deploy` says so
        for statement in _statements(connection.ops.quote_name(role)):
            cursor.execute(statement)
