"""What programs send to bookings."""

from typing import Any

from rest_framework import serializers

from config.kit.api import EmailField, StrictSerializer, WholeNumberField
from config.tenants.models import Language
from payments.methods import PaymentMethod
from scheduling.serializers import LARGEST_PARTY, PartySerializer, UnitCountSerializer

MOST_LINES = 50
MOST_SESSIONS = 5  # that one party waits for


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
    level = WholeNumberField(min_value=0, max_value=100, required=False)
    languages = serializers.ListField(
        child=serializers.RegexField(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,4})?$"), required=False, max_length=10
    )
    notes = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    consent_by = serializers.CharField(max_length=200, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two, not both."""
        if ("id" in attrs) == ("name" in attrs):
            raise serializers.ValidationError({"name": ["Give the id of a known participant, or a name."]})
        return attrs


class LineSerializer(PartySerializer):
    """A party of one session, with its people."""

    participants = PersonSerializer(many=True, required=False)


class HeldPeopleSerializer(StrictSerializer):
    """Who comes on a reservation of the basket."""

    reservation = serializers.UUIDField()
    participants = PersonSerializer(many=True)


class ConfirmSerializer(StrictSerializer):
    """Confirm a reservation."""

    customer = CustomerSerializer()
    people = HeldPeopleSerializer(many=True, required=False)
    confirm_duplicate = serializers.BooleanField(required=False, default=False)


class BookingSerializer(StrictSerializer):
    """A booking: lines to take now, or a basket that is held."""

    lines = serializers.ListField(child=LineSerializer(), required=False, allow_empty=False, max_length=MOST_LINES)
    basket = serializers.UUIDField(required=False)
    basket_token = serializers.CharField(required=False)
    people = HeldPeopleSerializer(many=True, required=False)
    customer = CustomerSerializer()
    expected_total = WholeNumberField(min_value=0, required=False)
    payment_method = serializers.ChoiceField(PaymentMethod.choices, required=False)
    promo_code = serializers.CharField(max_length=80, required=False, allow_blank=True, default="")
    voucher = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False, default="")
    confirm_duplicate = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two, not both."""
        if ("lines" in attrs) == ("basket" in attrs):
            raise serializers.ValidationError({"lines": ["Send either lines or a basket."]})
        if "people" in attrs and "lines" in attrs:
            raise serializers.ValidationError({"people": ["These are of a basket: name participants in the lines."]})
        return attrs


# Changes ----------------------------------------------------------------------------------------------------------


class ActSerializer(StrictSerializer):
    """What every change may say: why, of which version, and whether it is only asked what it would come to."""

    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    version = WholeNumberField(min_value=1, required=False)
    dry_run = serializers.BooleanField(required=False, default=False)
    waive_fee = serializers.BooleanField(required=False, default=False)  # the venue's programs alone
    expected_total = WholeNumberField(min_value=0, required=False)  # what was shown; compared, never believed


class CancelSerializer(ActSerializer):
    """Cancel the booking, or some of its lines."""

    lines = serializers.ListField(
        child=serializers.UUIDField(), required=False, allow_empty=False, max_length=MOST_LINES
    )


class RescheduleSerializer(ActSerializer):
    """Another time."""

    session = serializers.UUIDField()
    line = serializers.UUIDField(required=False)
    confirm_duplicate = serializers.BooleanField(required=False, default=False)


class PartyChangeSerializer(ActSerializer):
    """More people, or fewer."""

    line = serializers.UUIDField(required=False)
    party_size = WholeNumberField(min_value=1, max_value=LARGEST_PARTY, required=False)
    units = UnitCountSerializer(many=True, required=False, allow_empty=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two must be there."""
        if "party_size" not in attrs and "units" not in attrs:
            raise serializers.ValidationError({"party_size": ["Say how many people come."]}, code="required")
        return attrs


class ParticipantsSerializer(ActSerializer):
    """Who comes."""

    line = serializers.UUIDField(required=False)
    participants = serializers.ListField(child=PersonSerializer(), allow_empty=False, max_length=LARGEST_PARTY)
    confirm_duplicate = serializers.BooleanField(required=False, default=False)


class TransferSerializer(ActSerializer):
    """To whom."""

    email = EmailField()
    name = serializers.CharField(max_length=200)
    phone = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")


class BalanceSerializer(StrictSerializer):
    """What somebody wants to pay now; without an amount, all that is due."""

    amount_minor = WholeNumberField(min_value=1, required=False)
    payer_email = EmailField(required=False)


class RebateSerializer(StrictSerializer):
    """What goes back of what was paid, and why."""

    amount_minor = WholeNumberField(min_value=1)
    reason = serializers.CharField(max_length=500)
    lines = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MOST_LINES)
    version = WholeNumberField(min_value=1, required=False)


class WaitlistSerializer(StrictSerializer):
    """A party that waits: up to five sessions, the best first."""

    sessions = serializers.ListField(child=serializers.UUIDField(), allow_empty=False, max_length=MOST_SESSIONS)
    party_size = WholeNumberField(min_value=1, max_value=LARGEST_PARTY, required=False)
    units = UnitCountSerializer(many=True, required=False, allow_empty=False)
    email = EmailField()
    name = serializers.CharField(max_length=200)
    phone = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    language = serializers.ChoiceField(Language.choices, required=False, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Say how many come, by number or by units."""
        if "party_size" not in attrs and "units" not in attrs:
            raise serializers.ValidationError({"party_size": ["Say how many people come."]}, code="required")
        return attrs
