"""check_invariants: print every offender and exit 1, or nothing and exit 0."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from alerts.services import auditor


class Command(BaseCommand):
    help = "Compare the database with what must always hold; print the offenders."

    def handle(self, **_: Any) -> None:
        """Check all, print, and let the exit code say it."""
        findings = auditor.check_invariants()
        for finding in findings:
            self.stdout.write(str(finding))
        if findings:
            sys.exit(1)
