"""What can be booked, when, and what is taken, for staff: states and counts are looked at here, and changed by actions
that call the services. One module per noun.
"""

from scheduling.admin.activities import ActivityAdmin
from scheduling.admin.exceptions import ScheduleExceptionAdmin
from scheduling.admin.organizations import OrganizationAdmin
from scheduling.admin.reservations import ReservationAdmin
from scheduling.admin.schedules import ScheduleVersionAdmin
from scheduling.admin.sessions import SessionAdmin
from scheduling.admin.venues import VenueAdmin

__all__ = [
    "ActivityAdmin", "OrganizationAdmin", "ReservationAdmin", "ScheduleExceptionAdmin",
    "ScheduleVersionAdmin", "SessionAdmin", "VenueAdmin",
]  # fmt: skip
