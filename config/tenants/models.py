"""Who owns and who may act: users, organizations, memberships, API keys."""

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.functional import cached_property

from config.kit.ids import uuid7


class UserManager(BaseUserManager["User"]):
    """Users are known by their e-mail address, without case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user; without a password nobody can sign in as them."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create one who may do everything."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find by e-mail, without case."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in: staff of one organization or several."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_is_lower")]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        """Return the name, for Django's and Unfold's pages."""
        return self.name

    @cached_property
    def roles(self) -> dict[UUID, str]:
        """What they may be, by organization; asked once, of a row that lives as long as its request."""
        return dict(self.memberships.values_list("organization_id", "role"))


# Addresses of ours at the root: no organization may take such a name.
RESERVED_SLUGS = (
    "admin", "api", "bookings", "calendar", "checkout", "embed", "events", "health", "livez", "metrics", "octo",
    "pay", "readyz", "resume", "staff", "static", "waitlist", "ws",
)  # fmt: skip


class Language(models.TextChoices):
    """What customers are written to in; ISO 639-1."""

    ENGLISH = "en", "English"
    GERMAN = "de", "Deutsch"


class Organization(models.Model):
    """The tenant: a school or an operator; owns everything below it."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"

    class OutcomePolicy(models.TextChoices):
        BY_STAFF = "by_staff", "staff say so, one by one"
        COMPLETED = "completed", "who was expected has come"
        NO_SHOW = "no_show", "who was not checked in has not come"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=60, unique=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    currency = models.CharField(max_length=3, default="GBP")  # ISO 4217; what it settles in
    # That it takes besides.
    other_currencies = ArrayField(models.CharField(max_length=3), default=list, db_default=[], blank=True)
    language = models.CharField(max_length=5, choices=Language.choices, default=Language.ENGLISH, db_default="en")
    # Below this age somebody who may must consent; None: nobody is asked.
    consent_under_age = models.PositiveSmallIntegerField(null=True, blank=True)
    # What becomes, at a session's end, of those nobody has said anything about. Switched on by a person, never by us.
    outcome_policy = models.CharField(
        max_length=10, choices=OutcomePolicy.choices, default=OutcomePolicy.BY_STAFF, db_default="by_staff"
    )
    retention_days = models.PositiveIntegerField(default=1095, db_default=1095)  # personal data, after the last session
    reminder_hours = models.PositiveSmallIntegerField(default=24, db_default=24)  # before the start; 0: none
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["active", "suspended"]), name="organization_status_known"
            ),
            models.CheckConstraint(condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="organization_currency_iso"),
            models.CheckConstraint(
                condition=models.Q(slug__regex=r"^[a-z0-9]+(-[a-z0-9]+)*$"), name="organization_slug_form"
            ),
            models.CheckConstraint(condition=~models.Q(slug__in=RESERVED_SLUGS), name="organization_slug_not_reserved"),
            models.CheckConstraint(condition=models.Q(language__in=["en", "de"]), name="organization_language_known"),
            models.CheckConstraint(
                condition=models.Q(outcome_policy__in=["by_staff", "completed", "no_show"]),
                name="organization_outcome_policy_known",
            ),
            models.CheckConstraint(condition=models.Q(retention_days__gte=30), name="organization_retention_sane"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def currencies(self) -> list[str]:
        """The currencies in which it sells, the one that it settles in first."""
        return [self.currency, *(other for other in self.other_currencies if other != self.currency)]

    @property
    def is_active(self) -> bool:
        """May it sell?"""
        return self.status == self.Status.ACTIVE


class TenantModel(models.Model):
    """A row that belongs to an organization; (organization, id) is what its children's composite keys point at."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="%(app_label)s_%(class)s_tenant"),
        ]


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
