"""What bookings tells those above it."""

from django.dispatch import Signal

# After commit, with the `fact_id` and the `kind` of a new fact. A nudge: whoever needs facts looks for them as rows.
fact_recorded = Signal()
