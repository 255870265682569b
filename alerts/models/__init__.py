"""What staff must know, and which facts were handed over to whom."""

from alerts.models.alert import Alert
from alerts.models.handled import Handled

__all__ = ["Alert", "Handled"]
