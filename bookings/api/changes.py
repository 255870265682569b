"""REST: cancel, reschedule, more or fewer, who comes, hand over. Parse, one call, answer.

Each takes the booking's token or a key of its organization, `If-Match` (or `version`), an `Idempotency-Key`, and
`dry_run`, which answers what it would come to and changes nothing.
"""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from bookings.api.bookings import actor_of, booking_json, own_booking, with_version
from bookings.models import Booking
from bookings.orders import Contact, Person
from bookings.policies import Consequence
from bookings.serializers import (
    ActSerializer,
    CancelSerializer,
    ParticipantsSerializer,
    PartyChangeSerializer,
    RescheduleSerializer,
    TransferSerializer,
)
from bookings.services import amendments, cancellation, changes, lifecycle, line_rows, party_changes, people, transfers
from config.kit.api import answer, api_view, checked, instant, read_json
from config.kit.facts import Actor
from config.kit.idempotency import Claim, claim_of
from scheduling.parties import Counts

ETAG = re.compile(r'^(?:W/)?"(\d{1,9})"$')


class Asked:
    """One request to change a booking: whose it is, what was sent, and which version the caller saw."""

    def __init__(self, request: HttpRequest, booking_id: UUID, serializer: type[ActSerializer], verb: str) -> None:
        self.booking, self.key = own_booking(request, booking_id)
        self.data = checked(serializer, read_json(request) if request.body else {})
        self.actor: Actor = amendments.with_note(actor_of(request, self.key), self.data["reason"])
        self.claim: Claim | None = claim_of(request, caller=str(booking_id), route=f"POST {verb}")
        self.version = version_of(request, self.data)

    @property
    def is_dry(self) -> bool:
        """Is it only asked what it would come to?"""
        return bool(self.data["dry_run"])

    @property
    def line(self) -> UUID:
        """Return the line that is meant."""
        return line_rows.only_line(self.booking, self.data.get("line"))

    @property
    def common(self) -> dict[str, Any]:
        """Return what every act takes."""
        return {"actor": self.actor, "version": self.version, "claim": self.claim}

    @property
    def fee(self) -> dict[str, Any]:
        """Return whether the venue waives what the terms would keep."""
        return {"waive_fee": bool(self.data["waive_fee"])}

    @property
    def money(self) -> dict[str, Any]:
        """Return what an act takes that costs something."""
        return {**self.fee, "expected_total": self.data.get("expected_total")}

    def answer(self, preview: Callable[[], Consequence], act: Callable[[], Booking]) -> HttpResponse:
        """Say what it would come to, or do it and say what it came to."""
        if self.is_dry:
            lifecycle.check_version(self.booking, self.version)
            amendments.require_reason(self.actor, "", **self.fee)
            consequence = preview()
            amendments.require_allowed(consequence)
            return answer({"dry_run": True, "consequence": _told(consequence)})
        return self.answer_done(act())

    def answer_done(self, booking: Booking, **changed: Any) -> HttpResponse:
        """Write the booking as it is now, and what this act came to."""
        event = amendments.last_act(booking, self.claim)
        nothing = Consequence(booking.currency, booking.total_minor, booking.total_minor)
        told = event.after["consequence"] if event else _told(nothing)
        return with_version(answer({**booking_json(booking), "consequence": told, **changed}), booking)


def version_of(request: HttpRequest, data: dict[str, Any]) -> int | None:
    """Return the version that the caller saw, by header or body; a header that names none of ours matches nothing."""
    header = request.headers.get("If-Match", "*").strip()
    if header == "*":
        return data.get("version")
    match = ETAG.match(header)
    return int(match[1]) if match else 0


def _told(consequence: Consequence) -> dict[str, int | str]:
    return consequence.document()


def _cancel(request: HttpRequest, booking_id: UUID) -> HttpResponse:
    """POST bookings/{id}/cancel {reason?, lines?}"""
    asked = Asked(request, booking_id, CancelSerializer, "cancel")
    lines = asked.data.get("lines")
    return asked.answer(
        lambda: cancellation.preview_cancellation(asked.booking, asked.actor, lines, **asked.fee),
        lambda: cancellation.cancel_booking(booking_id=booking_id, lines=lines, **asked.common, **asked.money),
    )


def _reschedule(request: HttpRequest, booking_id: UUID) -> HttpResponse:
    """POST bookings/{id}/reschedule {session, line?}"""
    asked = Asked(request, booking_id, RescheduleSerializer, "reschedule")
    line, session = asked.line, asked.data["session"]
    return asked.answer(
        lambda: changes.preview_move(asked.booking, line, session, asked.actor, **asked.fee),
        lambda: changes.move_line(
            line_id=line, session_id=session, confirm_duplicate=asked.data["confirm_duplicate"], **asked.common,
            **asked.money,
        ),
    )  # fmt: skip


def _party_size(request: HttpRequest, booking_id: UUID) -> HttpResponse:
    """POST bookings/{id}/party-size {party_size or units, line?}"""
    asked = Asked(request, booking_id, PartyChangeSerializer, "party-size")
    line, size = asked.line, asked.data.get("party_size")
    units: Counts = tuple((unit["unit"], unit["count"]) for unit in asked.data.get("units", ()))
    return asked.answer(
        lambda: party_changes.preview_party(
            asked.booking, line, asked.actor, party_size=size, units=units, **asked.fee
        ),
        lambda: party_changes.change_party(line_id=line, party_size=size, units=units, **asked.common, **asked.money),
    )


def _participants(request: HttpRequest, booking_id: UUID) -> HttpResponse:
    """POST bookings/{id}/participants {participants, line?}"""
    asked = Asked(request, booking_id, ParticipantsSerializer, "participants")
    line, named = asked.line, [Person(**person) for person in asked.data["participants"]]
    return asked.answer(
        lambda: people.preview_participants(asked.booking, line, asked.actor),
        lambda: people.change_participants(
            line_id=line, participants=named, confirm_duplicate=asked.data["confirm_duplicate"], **asked.common
        ),
    )


def _transfer(request: HttpRequest, booking_id: UUID) -> HttpResponse:
    """POST bookings/{id}/transfer {email, name}: at once by a key; by the booking's token it is offered, 202."""
    asked = Asked(request, booking_id, TransferSerializer, "transfer")
    data = asked.data
    contact = Contact(email=data["email"], name=data["name"], phone=data["phone"])
    if asked.key or asked.is_dry:
        return asked.answer(
            lambda: people.preview_transfer(asked.booking, asked.actor),
            lambda: people.transfer_booking(booking_id=booking_id, contact=contact, **asked.common),
        )
    fact = transfers.offer_transfer(booking_id=booking_id, contact=contact, **asked.common)
    return answer({"transfer": "offered", "expires_at": instant(transfers.ends_at(fact))}, status=202)


booking_cancel = api_view(POST=_cancel)
booking_reschedule = api_view(POST=_reschedule)
booking_party_size = api_view(POST=_party_size)
booking_participants = api_view(POST=_participants)
booking_transfer = api_view(POST=_transfer)
