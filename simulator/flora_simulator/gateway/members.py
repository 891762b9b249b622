"""Op 8: a client asks for a guild's members, and gets them in chunks of 1,000.

Discord wants the members intent for the full list, the presences intent for presences, at most 100 users
for anything but the full list, and since August 2025 answers a second full list of the same guild within
30 s with RATE_LIMITED.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from flora_simulator.gateway.hub import Hub
from flora_simulator.gateway.session import Session
from flora_simulator.gateway.visibility import MEMBERS, PRESENCES
from flora_simulator.live_backend import LiveBackend
from flora_simulator.simcord_port import Guild, Member, serializers

_CHUNK: Final = 1000
_MOST_NAMED: Final = 100
_SECONDS_BETWEEN: Final = 30.0


class MemberRequests:
    """The member requests of one connection."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._full_lists: dict[int, float] = {}

    def answer(self, session: Session, order: Mapping[str, Any]) -> None:
        """Send the chunks, or nothing when the intents do not allow it."""
        guild = self._hub.backend.guilds.get(_id(order.get("guild_id")))
        everyone = order.get("query") == "" and not order.get("limit") and not order.get("user_ids")
        if everyone and not session.intents & MEMBERS:
            return
        if order.get("presences") and not session.intents & PRESENCES:
            return
        if guild is None:
            return
        if everyone and (wait := self._wait(guild.id)) > 0:
            meta = {"guild_id": str(guild.id), "nonce": order.get("nonce")}
            limited = {"opcode": 8, "retry_after": round(wait, 3), "meta": meta}
            self._hub.tell_session(session, "RATE_LIMITED", limited)
            return
        for chunk in _chunks(self._hub.backend, guild, order, everyone=everyone):
            self._hub.tell_session(session, "GUILD_MEMBERS_CHUNK", chunk)

    def _wait(self, guild: int) -> float:
        now = time.monotonic()
        left = self._full_lists.get(guild, 0.0) - now
        if left <= 0:
            self._full_lists[guild] = now + _SECONDS_BETWEEN
        return left


def _chunks(
    backend: LiveBackend, guild: Guild, order: Mapping[str, Any], *, everyone: bool
) -> list[dict[str, Any]]:
    members, missing = _select(backend, guild, order)
    if not everyone:
        members = members[: min(_id(order.get("limit")) or _MOST_NAMED, _MOST_NAMED)]
    parts = [members[start : start + _CHUNK] for start in range(0, len(members), _CHUNK)] or [[]]
    chunks: list[dict[str, Any]] = []
    for index, part in enumerate(parts):
        chunk: dict[str, Any] = {
            "guild_id": str(guild.id),
            "members": [serializers.member_payload(backend, guild, member) for member in part],
            "chunk_index": index,
            "chunk_count": len(parts),
        }
        if missing and index == 0:
            chunk["not_found"] = missing
        if order.get("presences"):
            chunk["presences"] = [_offline(guild, member) for member in part]
        if order.get("nonce"):
            chunk["nonce"] = order["nonce"]
        chunks.append(chunk)
    return chunks


def _select(backend: LiveBackend, guild: Guild, order: Mapping[str, Any]) -> tuple[list[Member], list[str]]:
    wanted = order.get("user_ids")
    if wanted:
        ids = [_id(user) for user in (wanted if isinstance(wanted, list) else [wanted])]
        found = [guild.members[user] for user in ids if user in guild.members]
        return found, [str(user) for user in ids if user not in guild.members]
    prefix = str(order.get("query") or "").lower()
    return [m for m in guild.members.values() if _matches(backend, m, prefix)], []


def _matches(backend: LiveBackend, member: Member, prefix: str) -> bool:
    names = (backend.users[member.user_id].name, member.nick or "")
    return any(name.lower().startswith(prefix) for name in names)


def _offline(guild: Guild, member: Member) -> dict[str, Any]:
    user = {"id": str(member.user_id)}
    return {
        "user": user,
        "guild_id": str(guild.id),
        "status": "offline",
        "activities": [],
        "client_status": {},
    }


def _id(value: object) -> int:
    text = str(value)
    return int(text) if text.isdecimal() else 0
