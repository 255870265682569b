"""REST: wait for a full session, look how it stands, accept, leave. Parse, one call, answer."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from bookings.api.bookings import actor_of
from bookings.models import WaitlistEntry
from bookings.serializers import WaitlistSerializer
from bookings.services import waitlist
from bookings.services.checkout import Contact
from bookings.services.waitlist import Wish
from bookings.waiting import Choice, Wait, wait_of
from config.kit.api import answer, api_view, checked, instant, local_time, money, read_json
from config.kit.idempotency import claim_of
from config.kit.refusals import NotFound
from config.kit.tokens import is_valid_token
from config.tenants.authentication import api_key_of
from config.tenants.models import ApiKey
from scheduling.api import reservation_json


def _join(request: HttpRequest) -> HttpResponse:
    """POST waitlist"""
    data = checked(WaitlistSerializer, read_json(request))
    key = api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
    units = tuple((unit["unit"], unit["count"]) for unit in data.get("units", ()))
    entry = waitlist.join_waitlist(
        wish=Wish(tuple(data["sessions"]), data.get("party_size"), units),
        contact=Contact(data["email"], data["name"], data["phone"]),
        actor=actor_of(request, key),
        language=data["language"],
        organization_id=key.organization_id if key else None,
        claim=claim_of(request, caller=str(key.id) if key else "public", route="POST waitlist"),
    )
    return answer(wait_json(wait_of(entry.id)), status=201)


def _show(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """GET waitlist/{id}"""
    require_own(request, entry_id)
    return answer(wait_json(wait_of(entry_id)))


def _accept(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """POST waitlist/{id}/accept: the places that are offered, with the tokens that book them."""
    require_own(request, entry_id)
    return answer(reservation_json(waitlist.accept_offer(entry_id=entry_id)))


def _leave(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """DELETE waitlist/{id}: what was offered goes to the next; again is harmless."""
    key = require_own(request, entry_id)
    waitlist.leave_waitlist(entry_id=entry_id, actor=actor_of(request, key))
    return HttpResponse(status=204)


def require_own(request: HttpRequest, entry_id: UUID) -> ApiKey | None:
    """Raise NotFound unless the caller has the entry's token, or a key of its organization, which is returned."""
    entry = WaitlistEntry.objects.filter(id=entry_id).first()
    if entry is None:
        raise NotFound
    token = request.headers.get("Waitlist-Token")
    if is_valid_token(token, purpose="waitlist", subject=entry_id, version=entry.token_version):
        return None
    key = api_key_of(request, scope=ApiKey.Scope.BOOKINGS)
    if key is None or key.organization_id != entry.organization_id:
        raise NotFound
    return key


def wait_json(wait: Wait) -> dict[str, Any]:
    """Write a wait, with its token: the answer goes to whoever waits, or to their organization."""
    entry, offer = wait.entry, wait.offer
    return {
        "id": entry.id,
        "token": entry.token,
        "status": "lapsed" if wait.state == "over" else entry.status,
        "kind": entry.kind,
        "activity": entry.activity_id,
        "party_size": entry.party_size,
        "joined_at": instant(entry.joined_at),
        "passed_over": entry.skips,
        "sessions": [_choice_json(choice, wait) for choice in wait.choices],
        "offer": offer
        and {
            "reservation": offer.id,
            "token": offer.token,
            "session": offer.session_id,
            "expires_at": instant(offer.expires_at),
            "expires_in_seconds": wait.seconds_left,
            "price": {**money(offer.amount_minor, offer.currency), "lines": offer.quote},
        },
        "booking": entry.booking_id,
    }


def _choice_json(choice: Choice, wait: Wait) -> dict[str, Any]:
    session = choice.session
    return {
        "session": session.id,
        "starts_at": instant(session.starts_at),
        "starts_at_local": local_time(session.starts_at, wait.activity.venue.timezone),
        "timezone": wait.activity.venue.timezone,
        "position": choice.position,
        "free": choice.free,
        "earliest_lapse": choice.held_until and instant(choice.held_until),
    }


wait_list = api_view(POST=_join)
wait_detail = api_view(GET=_show, DELETE=_leave)
wait_accept = api_view(POST=_accept)
