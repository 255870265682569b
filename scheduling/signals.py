"""What scheduling tells those above it."""

from django.dispatch import Signal

# After commit, with the ids of `sessions` and `activities`. A display may look again; nothing is decided by it.
availability_changed = Signal()
