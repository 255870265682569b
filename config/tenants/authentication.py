"""Programs sign in with `Authorization: Bearer hf_<prefix>_<secret>`."""

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from config.kit.clock import database_now
from config.kit.refusals import Refusal
from config.tenants.models import ApiKey

SCHEME = "Bearer "
PARTS = 3  # hf, prefix, secret


class UnknownApiKey(Refusal):
    """No such key, or no longer."""

    code, title, status = "unknown_api_key", "This API key is not known, or no longer valid", 401


class ScopeMissing(Refusal):
    """The key is good, but not for this."""

    code, title, status = "scope_missing", "This API key may not do this", 403


def api_key_of(request: HttpRequest | Request, *, scope: ApiKey.Scope | None = None) -> ApiKey | None:
    """Return the caller's key, None when the caller is the public; or raise UnknownApiKey or ScopeMissing."""
    header = request.headers.get("Authorization", "")
    if not header.startswith(SCHEME):
        return None
    parts = header.removeprefix(SCHEME).strip().split("_", PARTS - 1)
    if len(parts) != PARTS or parts[0] != "hf":
        raise UnknownApiKey
    key = ApiKey.objects.valid(at=database_now()).select_related("organization").filter(prefix=parts[1]).first()
    if key is None or not key.opens_with(parts[2]):
        raise UnknownApiKey
    if scope and not key.allows(scope):
        raise ScopeMissing(f"This API key lacks the scope {scope!r}.")
    return key


class ApiKeyRequired(Refusal):
    """This is for programs of an organization."""

    code, title, status = "api_key_required", "Send an API key of the organization", 401


def require_api_key(request: HttpRequest | Request, *, scope: ApiKey.Scope) -> ApiKey:
    """Return the caller's key; the public, and a key without the scope, are refused."""
    key = api_key_of(request, scope=scope)
    if key is None:
        raise ApiKeyRequired
    return key


class ApiKeyAuthentication(BaseAuthentication):
    """The same for the REST framework: `request.auth` is the key; no user stands behind a program."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        """Return the key, or None for the public."""
        key = api_key_of(request)
        return (None, key) if key else None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 the framework's signature
        """Name the scheme, so that a refusal is a 401."""
        return SCHEME.strip()
