"""What scheduling tells those above it."""

from django.dispatch import Signal

# After commit. Arguments: sessions (their ids), activities (theirs). A display may look again; nothing is decided by it.
availability_changed = Signal()
