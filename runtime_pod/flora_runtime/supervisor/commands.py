"""Slash commands after a load: pushed when they differ from the last ones, one push of a guild at a time.

The gateway compares what it gets with what the guild has on Discord; here it is only kept from being asked
for the same again, and from having two pushes of a guild under way, of which the older could win.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Push = Callable[[str, bytes], None]
"""Sends a guild's commands (Discord's JSON list) towards Discord; its outcome comes as ``pushed``."""


class CommandPushes:
    """What each guild should have, and what is under way."""

    def __init__(self, push: Push) -> None:
        self._push: Final = push
        self._wanted: dict[str, bytes] = {}
        self._under_way: dict[str, bytes] = {}

    def want(self, guild: str, commands: bytes) -> None:
        """A script was loaded and says its commands; JSON's null for none."""
        wanted = b"[]" if commands == b"null" else commands
        if self._wanted.get(guild) == wanted:
            return
        self._wanted[guild] = wanted
        if guild not in self._under_way:
            self._begin(guild)

    def pushed(self, guild: str, *, ok: bool) -> bool:
        """A push has ended; whether it failed for good: what it brought is still wanted."""
        brought = self._under_way.pop(guild, None)
        if brought is None:
            return False
        if self._wanted.get(guild) not in (brought, None):
            self._begin(guild)
            return False
        if not ok:
            self._wanted.pop(guild, None)  # so that the next load tries again
        return not ok

    def forget(self, guild: str) -> None:
        """The guild is no longer this pod's."""
        self._wanted.pop(guild, None)
        self._under_way.pop(guild, None)

    def _begin(self, guild: str) -> None:
        commands = self._under_way[guild] = self._wanted[guild]
        self._push(guild, commands)
