"""What bookings tells those above it."""

from django.dispatch import Signal

# After commit, with the `fact_id` and the `kind` of a new fact. A nudge: whoever needs facts looks for them as rows.
fact_recorded = Signal()

# After commit, with a `session_id` that somebody waits for, when its next hold lapses (`at`), and in how many `seconds`
# to look. A nudge.
lapse_awaited = Signal()

# Inside the transaction, when somebody's personal data is asked for: `organization_id`, `email`, `subjects` (ids of
# bookings and waits). Whoever keeps some returns {name: rows}.
personal_data_asked = Signal()

# Inside the transaction, when it is overwritten: what was sent to `email` (or None), or is about `subjects`, bears
# `instead` from now on.
personal_data_erased = Signal()
