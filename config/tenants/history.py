"""The one writer of facts about an organization as a whole."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from config.kit.facts import Actor, append_fact
from config.tenants.models import OrganizationEvent, OrganizationEventDetail


def record_organization_event(
    *, organization_id: UUID, kind: str, actor: Actor, before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> OrganizationEvent:  # fmt: skip
    """Append a fact to an organization's chain, in the transaction of what it says: ids, numbers, codes, settings.

    The chain's head is the organization's row; it is locked last.
    """
    return append_fact(
        OrganizationEvent, OrganizationEventDetail, organization_id=organization_id, actor=actor, kind=kind,
        before=before, after=after,
    )  # fmt: skip
