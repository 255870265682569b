"""What each kind of change is asked for with: its JSON form, read strictly, everything wrong named at once. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any
from uuid import UUID

from rest_framework import serializers

from config.kit.api import StrictSerializer, WholeNumberField
from config.kit.problems import field_errors
from config.kit.refusals import InvalidRequest

LARGEST_NUMBER = 2_147_483_647  # the database's integer; services refuse far less, in words of their own
TIMES = ("%H:%M", "%H:%M:%S")
SELECTION = ("sessions", "first_date", "last_date", "weekdays", "from_time", "to_time")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which sessions to come are meant: by id, or by dates, weekdays (0 = Monday) and times of the venue's clock."""

    sessions: tuple[UUID, ...] | None = None
    first_date: date | None = None
    last_date: date | None = None
    weekdays: tuple[int, ...] = ()
    from_time: time | None = None
    to_time: time | None = None


class _Timetable(StrictSerializer):
    rules = serializers.JSONField()
    effective_from = serializers.DateField()
    effective_to = serializers.DateField(required=False, allow_null=True, default=None)


class _Exception(StrictSerializer):
    first_date = serializers.DateField()
    last_date = serializers.DateField()
    from_time = serializers.TimeField(required=False, allow_null=True, default=None, input_formats=TIMES)
    to_time = serializers.TimeField(required=False, allow_null=True, default=None, input_formats=TIMES)
    capacity = WholeNumberField(required=False, allow_null=True, default=None, max_value=LARGEST_NUMBER)
    reason = serializers.CharField(allow_blank=True)


class _Lift(StrictSerializer):
    exception = serializers.UUIDField()


class _Selection(StrictSerializer):
    """By id, or by time; one of the two, so that nobody changes everything by leaving a form empty."""

    sessions = serializers.ListField(child=serializers.UUIDField(), required=False, allow_empty=False)
    first_date = serializers.DateField(required=False)
    last_date = serializers.DateField(required=False)
    weekdays = serializers.ListField(child=WholeNumberField(min_value=0, max_value=6), required=False)
    from_time = serializers.TimeField(required=False, allow_null=True, input_formats=TIMES)
    to_time = serializers.TimeField(required=False, allow_null=True, input_formats=TIMES)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Dates in order, and both of them unless sessions are named."""
        if "sessions" in attrs:
            return attrs
        missing = {name: ["Choose a date."] for name in ("first_date", "last_date") if name not in attrs}
        if missing:
            raise serializers.ValidationError(missing, code="required")
        if attrs["last_date"] < attrs["first_date"]:
            raise serializers.ValidationError({"last_date": ["The last day is before the first."]}, code="before_first")
        return attrs


class _Capacity(_Selection):
    capacity = WholeNumberField(min_value=0, max_value=LARGEST_NUMBER)


class _SessionPrice(_Selection):
    price_minor = WholeNumberField(min_value=0, max_value=LARGEST_NUMBER, allow_null=True)


class _Close(_Selection):
    reason = serializers.CharField(max_length=200)  # in words for those who booked


class _UnitPrices(StrictSerializer):
    units = serializers.DictField(child=WholeNumberField(max_value=LARGEST_NUMBER), allow_empty=False)


class _Rule(StrictSerializer):
    rule = serializers.DictField()


class _EndRule(StrictSerializer):
    end_rule = serializers.UUIDField()


class _Nothing(StrictSerializer):
    pass


PRICE_FORMS: Mapping[str, type[StrictSerializer]] = {
    "units": _UnitPrices, "rule": _Rule, "end_rule": _EndRule, "price_minor": _SessionPrice,
}  # fmt: skip
FORMS: Mapping[str, type[StrictSerializer]] = {
    "timetable": _Timetable, "closure": _Exception, "opening": _Exception, "lift": _Lift, "capacity": _Capacity,
    "discontinue": _Nothing, "close": _Close,
}  # fmt: skip


def read_parameters(kind: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a kind of change, or raise InvalidRequest with everything that is wrong.

    Where sessions are chosen, `selection` stands for the fields that choose them.
    """
    form = _price_form(parameters) if kind == "price" else FORMS[kind]
    bound = form(data=dict(parameters))
    if not bound.is_valid():
        raise InvalidRequest("Something in this change needs to be put right.", errors=list(field_errors(bound.errors)))
    values: dict[str, Any] = dict(bound.validated_data)
    if issubclass(form, _Selection):
        chosen = {name: values.pop(name) for name in SELECTION if name in values}
        for name in ("sessions", "weekdays"):
            if name in chosen:
                chosen[name] = tuple(chosen[name])
        values["selection"] = Selection(**chosen)
    return values


def _price_form(parameters: Mapping[str, Any]) -> type[StrictSerializer]:
    """A change of prices is one of four things; which, its own field says."""
    return next((form for name, form in PRICE_FORMS.items() if name in parameters), _UnitPrices)
