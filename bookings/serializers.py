"""What programs send to bookings."""

from typing import Any

from rest_framework import serializers

from config.kit.api import EmailField, StrictSerializer, WholeNumberField
from payments.methods import PaymentMethod
from scheduling.serializers import PartySerializer

MOST_LINES = 50


class CustomerSerializer(StrictSerializer):
    """Who books."""

    email = EmailField()
    name = serializers.CharField(max_length=200)
    phone = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")


class PersonSerializer(StrictSerializer):
    """Who comes: known by id, or new by name."""

    id = serializers.UUIDField(required=False)
    name = serializers.CharField(max_length=200, required=False)
    birth_date = serializers.DateField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two, not both."""
        if ("id" in attrs) == ("name" in attrs):
            raise serializers.ValidationError({"name": ["Give the id of a known participant, or a name."]})
        return attrs


class LineSerializer(PartySerializer):
    """A party of one session, with its people."""

    participants = PersonSerializer(many=True, required=False)


class ConfirmSerializer(StrictSerializer):
    """Confirm a reservation."""

    customer = CustomerSerializer()
    confirm_duplicate = serializers.BooleanField(required=False, default=False)


class BookingSerializer(StrictSerializer):
    """A booking: lines to take now, or a basket that is held."""

    lines = serializers.ListField(child=LineSerializer(), required=False, allow_empty=False, max_length=MOST_LINES)
    basket = serializers.UUIDField(required=False)
    basket_token = serializers.CharField(required=False)
    customer = CustomerSerializer()
    expected_total = WholeNumberField(min_value=0, required=False)
    payment_method = serializers.ChoiceField(PaymentMethod.choices, required=False)
    confirm_duplicate = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two, not both."""
        if ("lines" in attrs) == ("basket" in attrs):
            raise serializers.ValidationError({"lines": ["Send either lines or a basket."]})
        return attrs
