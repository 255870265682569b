"""What programs send to scheduling."""

from rest_framework import serializers

from config.kit.api import EmailField, StrictSerializer, WholeNumberField

LARGEST_PARTY = 500  # more people than that are a conversation, not a click
MOST_EXTRAS = 50  # named in one party
OLDEST = 150  # years


class UnitCountSerializer(StrictSerializer):
    """So many of one unit."""

    unit = serializers.UUIDField()
    count = WholeNumberField(min_value=1, max_value=LARGEST_PARTY)


class ExtraCountSerializer(StrictSerializer):
    """So many of one extra."""

    extra = serializers.UUIDField()
    count = WholeNumberField(min_value=1, max_value=LARGEST_PARTY)


class PartySerializer(StrictSerializer):
    """A party for one session: its size, or counts by unit, which must agree when both are given; and its extras."""

    session = serializers.UUIDField()
    party_size = WholeNumberField(min_value=1, max_value=LARGEST_PARTY, required=False)
    units = UnitCountSerializer(many=True, required=False, allow_empty=False)
    extras = serializers.ListField(child=ExtraCountSerializer(), required=False, max_length=MOST_EXTRAS)
    ages = serializers.ListField(
        child=WholeNumberField(min_value=0, max_value=OLDEST), required=False, max_length=LARGEST_PARTY
    )

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        """One of the two must be there."""
        if "party_size" not in attrs and "units" not in attrs:
            raise serializers.ValidationError({"party_size": ["Say how many people come."]}, code="required")
        return attrs


class ReservationSerializer(PartySerializer):
    """A request to hold places."""

    email = EmailField()
    basket = serializers.UUIDField(required=False)
    basket_token = serializers.CharField(required=False)


class SessionRangeSerializer(StrictSerializer):
    """Dates of the venue, inclusive."""

    MOST_DAYS = 62

    activity = serializers.UUIDField()
    from_ = serializers.DateField()
    to = serializers.DateField()
    party_size = serializers.IntegerField(min_value=1, max_value=LARGEST_PARTY, required=False)
    cursor = serializers.CharField(required=False)

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        """Name `from` as the address does; Python keeps the word for itself."""
        fields = super().get_fields()
        fields["from"] = fields.pop("from_")
        return fields

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        """In order, and not too many."""
        days = (attrs["to"] - attrs["from"]).days  # type: ignore[operator]
        if not 0 <= days < self.MOST_DAYS:
            raise serializers.ValidationError(
                {"to": [f"Ask for 1 to {self.MOST_DAYS} days: `to` is on or after `from`."]}, code="out_of_range"
            )
        return attrs


class MonthSerializer(StrictSerializer):
    """A month, as YYYY-MM."""

    month = serializers.RegexField(
        r"^20[0-9]{2}-(0[1-9]|1[0-2])$", error_messages={"invalid": "Write the month as YYYY-MM."}
    )


class PartySizeSerializer(StrictSerializer):
    """For whom to answer."""

    party_size = serializers.IntegerField(min_value=1, max_value=LARGEST_PARTY, required=False)


class VenueDaySerializer(PartySizeSerializer):
    """A date of the venue, and for whom to answer."""

    date = serializers.DateField()
