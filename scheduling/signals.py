"""What scheduling tells those above it."""

from django.dispatch import Signal

# After commit, with the ids of `sessions` and `activities`. A display may look again; nothing is decided by it.
availability_changed = Signal()

# Inside the transaction that frees them, under the locks of these sessions (`session_ids`), once the counters are
# right.
places_freed = Signal()
