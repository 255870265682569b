"""Lints the migrations: what would lock a large table, break the version that still runs, or cannot be undone."""

import os
import sys

import django
from django_migration_linter import MigrationLinter

from config.run.state import ROOT

APPS = ("kit", "tenants", "scheduling", "payments", "bookings", "alerts")


def main() -> int:
    """Lint every migration of ours; return 1 when one is unsafe."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    linter = MigrationLinter(path=str(ROOT), include_apps=APPS, no_cache=True)
    linter.lint_all_migrations()
    linter.print_summary()
    return 1 if linter.has_errors else 0


if __name__ == "__main__":
    sys.exit(main())
