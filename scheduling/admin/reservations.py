"""The only rows that take places, to look at."""

from django.contrib import admin

from config.kit.admin import ShownAdmin
from config.kit.display import money_text, utc_text
from config.tenants.scoping import OWNER_FILTER, ByRole
from scheduling.models import Reservation
from scheduling.prices import party_text


@admin.register(Reservation)
class ReservationAdmin(ByRole, ShownAdmin):
    """Holds and what became of them."""

    fields = (
        "activity", "starts", "status", "party", "places", "amount", "email", "basket", "held", "until",
        "extended", "confirmed_at", "ended_at",
    )  # fmt: skip
    list_display = ("email", "activity", "starts", "organization", "status", "places", "amount", "until")
    list_filter = ("status", OWNER_FILTER)
    list_select_related = ("session__activity__venue", "organization")
    search_fields = ("email",)
    search_help_text = "Search by e-mail address"
    ordering = ("-held_at",)

    def name_of(self, row: Reservation) -> str:
        """Name it by what it is a place of."""
        return f"{row.places} in {self.activity(row)}, {self.starts(row)}"

    @admin.display(ordering="session__activity__name")
    def activity(self, reservation: Reservation) -> str:
        """Return what is reserved."""
        return reservation.session.activity.name

    @admin.display(description="starts, at the venue", ordering="session__starts_at")
    def starts(self, reservation: Reservation) -> str:
        """Return when it starts on the venue's wall."""
        session = reservation.session
        return f"{session.starts_at.astimezone(session.activity.venue.zone):%a %d %b %Y, %H:%M}"

    @admin.display(description="who")
    def party(self, reservation: Reservation) -> str:
        """Return the party by its units."""
        return party_text(reservation.quote)

    @admin.display(ordering="held_at")
    def held(self, reservation: Reservation) -> str:
        """Return since when."""
        return utc_text(reservation.held_at)

    @admin.display(description="held until", ordering="expires_at")
    def until(self, reservation: Reservation) -> str:
        """Return how long its hold binds, or did."""
        return utc_text(reservation.expires_at)

    @admin.display(ordering="amount_minor")
    def amount(self, reservation: Reservation) -> str:
        """Return the price that was quoted."""
        return money_text(reservation.amount_minor, reservation.currency)
