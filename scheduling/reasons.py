"""Why a session cannot be booked: for each reason a stable code, words for customers and for staff, and the remedy."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: what a customer is told, what staff are told, and what would make the session bookable."""

    code: str
    customer: str
    staff: str
    remedy: str
    public: str = ""  # the code that customers and programs get; empty: the same


NOT_ON_SALE = "This is not on sale at the moment."

ALL = (
    Reason(
        "not_published", NOT_ON_SALE, "The activity is not published.", "Publish the activity.", public="not_on_sale"
    ),
    Reason(
        "organization_suspended", NOT_ON_SALE, "The organization is suspended: nothing of it is on sale.",
        "An owner of the platform makes the organization active again.", public="not_on_sale",
    ),
    Reason(
        "no_default_unit", NOT_ON_SALE, "There is no default unit, so that a party has no price.",
        "Mark one of the activity's units as the default.", public="not_on_sale",
    ),
    Reason(
        "not_on_sale", NOT_ON_SALE, "The session has not been put on sale.",
        "Publish the activity once more; its sessions then follow it.",
    ),
    Reason(
        "withdrawn", NOT_ON_SALE, "The timetable does not have this session any more, and nobody had booked it.",
        "Put its time back into the timetable, or lift the closure.", public="not_on_sale",
    ),
    Reason(
        "legacy", "This session belongs to an older timetable and takes no more bookings.",
        "Left over from an older timetable: it is valid for those who booked, and sold to nobody else.",
        "Put its time back into the timetable.",
    ),
    Reason(
        "venue_closed", "The venue is closed at this time.", "A closure covers this session.",
        "Lift the closure, or make it shorter.",
    ),
    Reason(
        "cancelled", "This session does not take place.", "The session was cancelled.",
        "A cancelled session stays cancelled: open another one beside it.",
    ),
    Reason(
        "session_closed", "The venue has closed this session for booking.", "The session was closed by hand.",
        "Open the session again.",
    ),
    Reason("completed", "This session is over.", "The session is over and done.", "Nothing: it has taken place.",
           public="session_closed"),
    Reason(
        "not_open_yet", "Booking for this session has not opened yet.", "Booking has not opened yet.",
        "Wait until it opens, or let the activity be booked more days ahead.",
    ),
    Reason(
        "booking_closed", "Booking for this session has ended.", "Booking has ended: the cutoff before it has passed.",
        "Shorten the activity's cutoff or notice.",
    ),
    Reason(
        "already_begun", "This session has already begun.", "The session has begun, and booking ended with that.",
        "Nothing: choose a later one.",
    ),
    Reason("already_over", "This session is over.", "The session is over.", "Nothing: choose a later one."),
    Reason(
        "party_too_small", "Your party is too small for this activity.", "The party is smaller than may come.",
        "Bring more people, or lower the activity's smallest party.",
    ),
    Reason(
        "party_too_large", "Your party is too large for this activity.", "The party is larger than may come.",
        "Come in several parties, or raise the activity's largest party.",
    ),
    Reason(
        "needs_accompaniment", "Somebody who may accompany the others must come along.",
        "The default unit may come in company only, so that a bare party size cannot be booked.",
        "Count the party by its units, or let the default unit come alone.",
    ),
    Reason(
        "waiting_list", "Others are waiting for this session and come first.", "Others are waiting and come first.",
        "Offer them the free places, or raise the capacity.",
    ),
    Reason(
        "full", "This session is full.", "Every place is taken.",
        "Raise the capacity, or wait for a hold to lapse or a booking to be cancelled.",
    ),
    Reason(
        "not_enough_places", "There are not enough places left for your party.", "The party does not fit any more.",
        "Raise the capacity, or book fewer.",
    ),
)  # fmt: skip

BY_CODE: Mapping[str, Reason] = {reason.code: reason for reason in ALL}
REASONS: Mapping[str, str] = {reason.code: reason.customer for reason in ALL}  # in customer words
ABOUT_ROOM = frozenset({"full", "not_enough_places"})
ABOUT_PARTY = frozenset({"party_too_small", "party_too_large", "needs_accompaniment"})
