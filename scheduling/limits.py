"""Against hoarding: how much one visitor may hold at once, how soon again, and for how long in all.

    who                        places at once   of them in one session
    an e-mail address                 40                 30
    a basket                          60                 30
    a visitor (network, browser)      60                 40
    a network (/24, /48)             500                200

The first hold of anybody is never too large. Whoever let holds of a session lapse waits before the next one there,
longer each time, and may hold places of it for an hour in all without buying; a day of quiet forgets it. Networks have
caps alone: many honest people share one. Programs with a key and staff are exempt.

The counts are in Redis, in one round trip; with Redis away everybody is let in. They decide about visitors, never about
places: nothing here can oversell.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from config.kit.counting import ask_counts, wait_in_words
from config.kit.mailboxes import normalised
from config.kit.refusals import Refusal
from config.kit.tokens import keyed_digest
from config.kit.visitors import client_address, prefix_of

COUNTED_MS = 13 * 60_000  # a hold and its extension; one that is neither bought nor given back by then has lapsed
FIRST_DELAY_MS, LONGEST_DELAY_MS = 60_000, 3_600_000  # after the second lapse, and at most
LONGEST_MS = 60 * 60_000  # of one session, without buying
QUIET_MS = 24 * 3_600_000


class TooManyHolds(Refusal):
    """Too much at once, or too soon again: `retry_after_seconds` says when."""

    code, title, status = "too_many_holds", "You hold as many places as one visitor may just now", 429


class Caps(NamedTuple):
    """Places at once, of them in one session, and whether lapses are remembered."""

    at_once: int
    in_session: int
    remembers: bool


CAPS = {
    "email": Caps(40, 30, remembers=True),
    "basket": Caps(60, 30, remembers=True),
    "visitor": Caps(60, 40, remembers=True),
    "network": Caps(500, 200, remembers=False),
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where somebody comes from, as far as it is known."""

    network: str
    agent: str


def visitor_of(request: HttpRequest) -> Visitor:
    """Return whoever sent this."""
    address = client_address(request)
    return Visitor(prefix_of(address) if address else "", request.headers.get("User-Agent", ""))


class Counted(NamedTuple):
    """A hold as it is counted: of a session, for so many people."""

    reservation_id: UUID
    session_id: UUID
    people: int


def let_go_on_commit(reservation_ids: Sequence[UUID], *, is_bought: bool) -> None:
    """Stop counting these holds once what ended them is committed."""
    if settings.LIMITS:
        transaction.on_commit(partial(let_go, reservation_ids, is_bought=is_bought), robust=True)


def let_go(reservation_ids: Sequence[UUID], *, is_bought: bool) -> None:
    """Stop counting these holds; how long they were kept counts unless they were bought."""
    if reservation_ids and settings.LIMITS:
        keys = [f"hoard:r:{reservation_id}" for reservation_id in reservation_ids]
        ask_counts(LET_GO, keys, [now_ms(), int(is_bought), QUIET_MS])


# Counting ---------------------------------------------------------------------------------------------------------


def count_holds(holds: Sequence[Counted], visitor: Visitor, *, email: str, basket: UUID | None) -> None:
    """Count these holds for their visitor, or count nothing and raise TooManyHolds."""
    subjects = _subjects(visitor, email, basket)
    values: list[Any] = [now_ms(), COUNTED_MS, QUIET_MS, FIRST_DELAY_MS, LONGEST_DELAY_MS, LONGEST_MS, len(holds)]
    for hold in holds:
        values += [str(hold.reservation_id), str(hold.session_id), hold.people]
    for caps in subjects.values():
        values += [caps.at_once, caps.in_session, int(caps.remembers)]
    wait_ms = ask_counts(COUNT, list(subjects), values)
    if wait_ms:
        seconds = ceil(int(wait_ms) / 1000)
        raise TooManyHolds(
            f"You hold as many places as one visitor may just now. Book them or give them back, or try again in"
            f" {wait_in_words(seconds)}.",
            extra={"retry_after_seconds": seconds},
        )


def _subjects(visitor: Visitor, email: str, basket: UUID | None) -> dict[str, Caps]:
    """Return the keys under which this is counted, with their caps; nothing personal can be read from them."""
    told = {
        "email": normalised(email) if email else "",
        "basket": str(basket or ""),
        "visitor": f"{visitor.network} {visitor.agent}" if visitor.network else "",
        "network": visitor.network,
    }
    return {
        f"hoard:{kind}:{keyed_digest(text, purpose='hoard')[:32]}": CAPS[kind] for kind, text in told.items() if text
    }


def now_ms() -> int:
    """Return the time by this machine: it decides about visitors alone."""
    return int(time.time() * 1000)


# Redis ------------------------------------------------------------------------------------------------------------

# Each subject has a sorted set of holds by their end ("reservation session places"), and a hash of sums: places ("all",
# "p:session"), lapses ("l:"), milliseconds held without buying ("t:") and when the next hold may be ("w:").
COUNT = """
local now, counted, quiet, first, longest, most, n =
    tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]),
    tonumber(ARGV[7])
local caps, wait, mine = 7 + 3 * n, 0, 0
local in_session = {}
for i = 0, n - 1 do
    local session, places = ARGV[9 + 3 * i], tonumber(ARGV[10 + 3 * i])
    mine = mine + places
    in_session[session] = (in_session[session] or 0) + places
end
for i, key in ipairs(KEYS) do
    local sums, at = key .. ':n', caps + 3 * (i - 1)
    local at_once, of_session, remembers = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), ARGV[at + 3] == '1'
    local gone = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'WITHSCORES')
    for j = 1, #gone, 2 do
        local session, places = string.match(gone[j], '^%S+ (%S+) (%d+)$')
        redis.call('HINCRBY', sums, 'all', -places)
        redis.call('HINCRBY', sums, 'p:' .. session, -places)
        if remembers then
            local lapses = redis.call('HINCRBY', sums, 'l:' .. session, 1)
            redis.call('HINCRBY', sums, 't:' .. session, counted)
            if lapses > 1 then
                local delay = math.min(first * 2 ^ (lapses - 2), longest)
                redis.call('HSET', sums, 'w:' .. session, string.format('%.0f', tonumber(gone[j + 1]) + delay))
            end
        end
    end
    if #gone > 0 then redis.call('ZREMRANGEBYSCORE', key, '-inf', now) end
    local function sum(name) return tonumber(redis.call('HGET', sums, name) or '0') end
    local function until_one_ends()
        local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
        wait = math.max(wait, (tonumber(oldest[2]) or now + 1000) - now)
    end
    local all = sum('all')
    if all > 0 and all + mine > at_once then until_one_ends() end
    for session, places in pairs(in_session) do
        local there = sum('p:' .. session)
        if there > 0 and there + places > of_session then until_one_ends() end
        if remembers then
            wait = math.max(wait, sum('w:' .. session) - now)
            if sum('t:' .. session) >= most then wait = math.max(wait, longest) end
        end
    end
end
if wait > 0 then return string.format('%.0f', math.max(wait, 1)) end
for i, key in ipairs(KEYS) do
    local sums = key .. ':n'
    for j = 0, n - 1 do
        local id, session, places = ARGV[8 + 3 * j], ARGV[9 + 3 * j], ARGV[10 + 3 * j]
        redis.call('ZADD', key, now + counted, id .. ' ' .. session .. ' ' .. places)
        redis.call('HINCRBY', sums, 'all', places)
        redis.call('HINCRBY', sums, 'p:' .. session, places)
    end
    redis.call('PEXPIRE', key, quiet)
    redis.call('PEXPIRE', sums, quiet)
end
for j = 0, n - 1 do
    local id, session, places = ARGV[8 + 3 * j], ARGV[9 + 3 * j], ARGV[10 + 3 * j]
    redis.call('SET', 'hoard:r:' .. id, table.concat({id, session, places, now, unpack(KEYS)}, ' '), 'PX', counted)
end
return false
"""
LET_GO = """
local now, bought, quiet = tonumber(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3])
for _, name in ipairs(KEYS) do
    local found = redis.call('GET', name)
    if found then
        local parts = {}
        for part in string.gmatch(found, '%S+') do parts[#parts + 1] = part end
        local id, session, places, since = parts[1], parts[2], parts[3], tonumber(parts[4])
        for i = 5, #parts do
            local sums = parts[i] .. ':n'
            if redis.call('ZREM', parts[i], id .. ' ' .. session .. ' ' .. places) == 1 then
                redis.call('HINCRBY', sums, 'all', -places)
                redis.call('HINCRBY', sums, 'p:' .. session, -places)
                if not bought then redis.call('HINCRBY', sums, 't:' .. session, now - since) end
                redis.call('PEXPIRE', sums, quiet)
            end
        end
        redis.call('DEL', name)
    end
end
return false
"""
