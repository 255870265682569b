"""When booking of a slot opens and ends. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from scheduling.schedule_rules import DAY
from scheduling.timetable import Slot
from scheduling.wall_clock import midnight, shown


@dataclass(frozen=True, slots=True)
class SaleTimes:
    """An activity's terms."""

    opens_before: timedelta  # the start
    closes_before: timedelta  # the start, or the end
    notice_days: int  # 1: until the end of the day before; 0: none
    to_the_end: bool  # of a pass, which one may still buy during the day

    def of(self, slot: Slot, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return when booking opens and ends, in UTC: the earlier of the cutoff and the notice counts.

        Notice is by the calendar on the venue's wall: it ends with a day there, whenever in that day the slot starts,
        and is 23 or 25 hours longer where the clock changes. A slot after midnight is of the date that it starts on.
        """
        cutoff = (slot.ends_at if self.to_the_end else slot.starts_at) - self.closes_before
        if self.notice_days:
            day = shown(slot.starts_at, zone).date() - (self.notice_days - 1) * DAY
            cutoff = min(cutoff, midnight(day, zone))
        return slot.starts_at - self.opens_before, cutoff
