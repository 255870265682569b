"""What can be booked, when, and what is taken."""

from scheduling.models.activity import Activity, Extra, Unit
from scheduling.models.change import ScheduleChange
from scheduling.models.event import ScheduleEvent, ScheduleEventDetail
from scheduling.models.exception import ScheduleException
from scheduling.models.instructor import Assignment, Instructor, InstructorAbsence, InstructorSkill
from scheduling.models.lesson_group import LessonGroup
from scheduling.models.price import PriceRule, UnitPrice
from scheduling.models.reservation import Reservation, ReservationExtra
from scheduling.models.resource import Resource, ResourceUse
from scheduling.models.schedule import ScheduleVersion
from scheduling.models.session import Session
from scheduling.models.venue import Venue

__all__ = [
    "Activity", "Assignment", "Extra", "Instructor", "InstructorAbsence", "InstructorSkill", "LessonGroup",
    "PriceRule", "Reservation", "ReservationExtra", "Resource", "ResourceUse", "ScheduleChange", "ScheduleEvent",
    "ScheduleEventDetail", "ScheduleException", "ScheduleVersion", "Session", "Unit", "UnitPrice", "Venue",
]  # fmt: skip
