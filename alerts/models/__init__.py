"""What staff must know, what customers are told, and which facts were handed over to whom."""

from alerts.models.alert import Alert
from alerts.models.handled import Handled
from alerts.models.notification import Notification

__all__ = ["Alert", "Handled", "Notification"]
