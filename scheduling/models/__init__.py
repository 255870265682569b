"""What can be booked, when, and what is taken."""

from scheduling.models.activity import Activity, Unit
from scheduling.models.reservation import Reservation
from scheduling.models.schedule import ScheduleVersion
from scheduling.models.session import Session
from scheduling.models.venue import Venue

__all__ = ["Activity", "Reservation", "ScheduleVersion", "Session", "Unit", "Venue"]
