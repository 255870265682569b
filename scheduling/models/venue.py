"""A place with its own clock."""

from typing import Self
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models

from config.kit.ids import uuid7
from config.tenants.models import Organization, TenantModel
from scheduling.schedule_rules import ScheduleProblem
from scheduling.timetable import load_zone


def validate_timezone(name: str) -> None:
    """Refuse what is not an IANA zone."""
    try:
        load_zone(name)
    except ScheduleProblem as problem:
        raise ValidationError(str(problem), code="unknown_timezone") from problem


def new_embed_key() -> str:
    """Return a fresh public key for a venue's widget: 32 hexadecimal digits."""
    return uuid7().hex[::-1]


class VenueQuerySet(models.QuerySet["Venue"]):
    """Venues by what they allow."""

    def framed_by(self, origin: str) -> Self:
        """Those of active organizations that name this origin in their list."""
        return self.filter(allowed_embed_origins__contains=[origin], organization__status=Organization.Status.ACTIVE)


class Venue(TenantModel):
    """A place with an IANA zone, an embed key and allowed embed origins."""

    name = models.CharField(max_length=200)
    timezone = models.CharField(max_length=64, validators=[validate_timezone])
    embed_key = models.CharField(max_length=32, unique=True, default=new_embed_key, editable=False)
    allowed_embed_origins = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    feed_version = models.PositiveSmallIntegerField(default=1, db_default=1, editable=False)  # raised: old ones end
    generated_on = models.DateField(null=True, editable=False)  # the venue's own date when its 30 days were last filled

    objects = VenueQuerySet.as_manager()

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            # The second guard: PostgreSQL itself refuses a zone that it cannot tell the time in.
            models.CheckConstraint(
                condition=models.expressions.RawSQL(
                    "(timestamptz '2000-01-01 00:00:00+00' AT TIME ZONE timezone) IS NOT NULL",
                    (),
                    models.BooleanField(),
                ),
                name="venue_timezone_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        """The venue's zone."""
        return load_zone(self.timezone)
