"""create_api_key --organization SLUG [--scope …]: print a new API key, once."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from config.kit.facts import SYSTEM
from config.tenants.history import record_organization_event
from config.tenants.models import ApiKey, Organization


class Command(BaseCommand):
    help = "Create an API key for an organization and print it once; only its digest is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the organization, and what the key may do."""
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--name", default="created on the command line")
        parser.add_argument(
            "--scope", action="append", default=[], choices=ApiKey.Scope.values, help="repeatable; none: all"
        )

    def handle(self, **options: Any) -> None:
        """Create and print."""
        organization = Organization.objects.filter(slug=options["organization"]).first()
        if organization is None:
            known = ", ".join(Organization.objects.order_by("slug").values_list("slug", flat=True))
            raise CommandError(f"There is no organization {options['organization']!r}. Known: {known or 'none'}.")
        with transaction.atomic():
            key, text = ApiKey.issue(organization_id=organization.id, name=options["name"], scopes=options["scope"])
            told = {"api_key": str(key.id), "prefix": key.prefix, "scopes": key.scopes}
            record_organization_event(organization_id=organization.id, kind="api_key_issued", actor=SYSTEM, after=told)
        self.stdout.write(text)
