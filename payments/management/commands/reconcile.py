"""reconcile [--organization SLUG] [--since DATE]: our payments beside the banks' statements, now."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.kit.display import money_text
from payments.models import ProviderAccount
from payments.providers.base import ProviderDown, ProviderRefused
from payments.services.reconciliation import reconcile


class Command(BaseCommand):
    help = "Compare every account's statement with our payments; print what differs, exit 1 if something still does."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name one organization, and from when on to read again."""
        parser.add_argument("--organization", help="the slug of one organization; all of them when there is none")
        parser.add_argument("--since", type=_utc, help="a date or an instant, UTC; from where it was read to last")

    def handle(self, **options: Any) -> None:
        """Reconcile account by account, and say what came of each."""
        accounts = ProviderAccount.objects.select_related("organization").order_by("organization__slug", "id")
        if options["organization"]:
            accounts = accounts.filter(organization__slug=options["organization"])
        trouble = sum([self._reconcile(account, options["since"]) for account in accounts])
        if trouble:
            raise CommandError(f"{trouble} differences are open")

    def _reconcile(self, account: ProviderAccount, since: datetime | None) -> int:
        name = f"{account.organization.slug} {account}"
        try:
            found = reconcile(account.id, since=since)
        except (ProviderDown, ProviderRefused) as error:
            self.stderr.write(f"{name}: the statement could not be read: {error}")
            return 1
        self.stdout.write(f"{name}: {found}")
        for each in found.differences:
            ours, theirs = (_amount(each[side], each["currency"]) for side in ("ours_minor", "theirs_minor"))
            end = "put right" if each["healed"] else "open"
            self.stdout.write(f"  {each['kind']} {each['ref']}: ours {ours}, theirs {theirs}, {end}")
        return found.open_count


def _amount(amount_minor: int | None, currency: str) -> str:
    return "nothing" if amount_minor is None else money_text(amount_minor, currency)


def _utc(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
