"""Who may act: members by their role, programs by their key."""

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from config.tenants.models.organization import TenantModel
from config.tenants.models.user import User


class Membership(TenantModel):
    """What a user may do in an organization."""

    class Role(models.TextChoices):
        OWNER = "owner"
        MANAGER = "manager"
        RECEPTION = "reception"
        INSTRUCTOR = "instructor"
        AUDITOR = "auditor"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "manager", "reception", "instructor", "auditor"]),
                name="membership_role_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Which keys open the door."""

    def valid(self, *, at: datetime) -> Self:
        """Neither revoked nor past their end."""
        return self.filter(models.Q(expires_at=None) | models.Q(expires_at__gt=at), revoked_at=None)


class ApiKey(TenantModel):
    """A program's key, stored as a SHA-256 digest (the secret has 256 random bits, so no slow hash is needed)."""

    class Scope(models.TextChoices):
        """What a key may be narrowed to; every key may read what is on sale."""

        BOOKINGS = "bookings"  # hold, book, see reservations and bookings
        ALERTS = "alerts"  # see and acknowledge alerts
        HEALTH = "health"  # see the details of /health

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=8, unique=True)  # hexadecimal; finds the row, shown to people
    digest = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=40), default=list, blank=True)  # of Scope; empty: every one
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return f"{self.name} (hf_{self.prefix}_…)"

    @classmethod
    def issue(cls, *, organization_id: UUID, name: str, scopes: list[str]) -> tuple["ApiKey", str]:
        """Create a key; return it with its text, `hf_<prefix>_<secret>`, which is shown once and never stored."""
        prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        key = cls.objects.create(
            organization_id=organization_id, name=name, prefix=prefix, digest=digest_of(secret), scopes=scopes
        )
        return key, f"hf_{prefix}_{secret}"

    def allows(self, scope: str) -> bool:
        """May it do this? A key without scopes may do everything."""
        return not self.scopes or scope in self.scopes

    def opens_with(self, secret: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.digest, digest_of(secret))


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a key's secret part, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()
