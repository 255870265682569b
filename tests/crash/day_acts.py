"""Acts of the day itself, and of privacy, that a process may die in."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from bookings.models import ResumeLink
from bookings.services import attendance, privacy, recovery, retention
from config.kit.clock import database_now
from tests.crash.acts import STAFF, Scene


def check_in(scene: Scene) -> None:
    attendance.check_in_line(line_id=UUID(scene["line"]), actor=STAFF)


def note_a_no_show(scene: Scene) -> None:
    attendance.set_outcome(line_id=UUID(scene["line"]), outcome="no_show", actor=STAFF)


def settle_by_policy(_: Scene) -> None:
    attendance.settle_outcomes()


def erase(scene: Scene) -> None:
    privacy.erase_customer(customer_id=UUID(scene["customer"]), actor=STAFF)


def archive(scene: Scene) -> None:
    due = retention.Due(UUID(scene["organization"]), database_now() + timedelta(days=1))
    retention.archive_bookings(due)


def open_a_link(scene: Scene) -> None:
    """Open it; whoever comes again hears that it is used."""
    link = ResumeLink.objects.get(id=scene["link"])
    with suppress(recovery.ResumeLinkOver):
        recovery.open_resume_link(link_id=link.id, token=link.token)


DAY_ACTS: Mapping[str, Callable[[Scene], None]] = {
    act.__name__: act for act in (check_in, note_a_no_show, settle_by_policy, erase, archive, open_a_link)
}
