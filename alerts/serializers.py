"""What programs ask of alerts."""

from rest_framework import serializers

from alerts.models import Alert
from config.kit.api import StrictSerializer


class AlertFilterSerializer(StrictSerializer):
    """Which alerts."""

    status = serializers.ChoiceField(Alert.Status.choices, required=False)
    severity = serializers.ChoiceField(Alert.Severity.choices, required=False)
    cursor = serializers.CharField(required=False)  # of the page; read by the pages themselves
