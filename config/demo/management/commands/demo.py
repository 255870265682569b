"""demo [--reset]: load four organizations to look at and to try things on."""

import logging
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.demo import credentials
from config.demo.examples import find_example
from config.demo.gifts import gifts
from config.demo.loading import DemoIsBeingLoaded, load_demo
from config.demo.money import load_money
from config.demo.organizations import ORGANIZATIONS
from config.demo.resetting import CannotReset, empty_tables
from config.demo.sales import GOOD_CARD


class Command(BaseCommand):
    help = "Load the demo into an empty database: four organizations, a month of sessions, bookings, holds and money."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Ask whether to begin anew."""
        parser.add_argument("--reset", action="store_true", help="empty the demo's database first; needs DEMO=on")

    def handle(self, **options: Any) -> None:
        """Reset when asked, load, and show the way in."""
        logging.getLogger("payments").setLevel(logging.WARNING)  # what was connected and given is told in words
        if options["reset"]:
            self._reset()
        is_new = self._load()
        has_money = load_money(say=self._say)
        if is_new:
            self._show_login()
        elif not has_money:
            self._say("There is an organization already, so nothing was changed.")
        self._show_example()
        if has_money:
            self._show_paying()

    def _reset(self) -> None:
        if not is_for_trying():
            raise CommandError("--reset empties the database, so it works only with DEMO=on or DEBUG=on.")
        try:
            empty_tables()
        except CannotReset as refusal:
            raise CommandError(str(refusal)) from refusal
        self._say("The tables are empty.")

    def _load(self) -> bool:
        password = credentials.STAFF_PASSWORD if is_for_trying() else None
        try:
            return load_demo(password=password, say=self._say)
        except DemoIsBeingLoaded as answer:
            raise CommandError("Another process is loading the demo just now.") from answer

    def _show_login(self) -> None:
        if is_for_trying():
            self._say(f"Staff login at /admin/: {credentials.STAFF_EMAIL}   password: {credentials.STAFF_PASSWORD}")
            self._say("The same password opens each organization's own desk:")
            for plan in ORGANIZATIONS:
                self._say(f"  {plan.name:<28}{plan.manager_email}, {plan.reception_email}")
        else:
            self._say(
                f"{credentials.STAFF_EMAIL} has no password, since neither DEMO nor DEBUG is on and the demo's is known"
                f" to everybody: set one with `bin/manage changepassword {credentials.STAFF_EMAIL}`."
            )

    def _show_example(self) -> None:
        example = find_example()
        if example is None:
            return
        self._say("To try the API:")
        self._say(f"  organization  {example.organization}")
        self._say(f"  activity      {example.activity_id}  {example.activity}")
        self._say(f"  session       {example.session_id}  {example.starts} at the venue, {example.places} places left")
        for what, address in example.addresses.items():
            self._say(f"  {what:<16}{address}")

    def _show_paying(self) -> None:
        self._say(f"To try paying: {GOOD_CARD}, any day to come, any CVC. What was given away:")
        for each in gifts():
            self._say(f"  {each.organization:<28}{each.code:<21}{each.words}")

    def _say(self, line: str) -> None:
        """Print a line at once, through a pipe as well."""
        self.stdout.write(line)
        self.stdout.flush()


def is_for_trying() -> bool:
    """Is this a site on which nothing is real?"""
    return bool(settings.DEMO or settings.DEBUG)
