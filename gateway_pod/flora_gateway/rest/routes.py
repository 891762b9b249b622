"""What a row of the route table says; the rows are in ``route_table``.

The path's parameters say what the op's ``args.path`` must hold: ``{application}`` is filled by the gateway,
``{guild}`` is the guild that asks, ``{token}`` and ``{emoji}`` are text, every other one is a snowflake.
``{name}`` in ``major`` is the parameter that Discord counts rate limits by, beside the bucket
(topics/rate-limits: channel, guild, webhook id and token).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Method(StrEnum):
    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


class ScopeRule(StrEnum):
    """How a call is kept inside the guild that makes it."""

    GUILD = "guild"
    """The path's ``{guild}`` is the guild that asks. Discord itself looks for members, roles, bans and
    commands below it, so theirs need no rule of their own."""
    CHANNEL = "channel"
    """The path's ``{channel}``, or thread, belongs to the guild that asks; so do the messages in it."""
    WEBHOOK = "webhook"
    """The path's ``{webhook}`` belongs to the guild that asks."""
    INTERACTION = "interaction"
    """The path's ``{token}`` came with an interaction in the guild that asks."""
    NONE = "none"


class BodyKind(StrEnum):
    NONE = "no body"
    OBJECT = "an object"
    ARRAY = "an array"


class Files(StrEnum):
    """Where in a call's body Discord looks for ``attachments``."""

    NOWHERE = "nowhere"
    BODY = ""
    DATA = "data"
    """An interaction's callback wraps its message."""
    MESSAGE = "message"
    """A forum's post is a thread with a message."""


class Repeat(StrEnum):
    """Whether a call that may have reached Discord may be made again."""

    ALWAYS = "always"
    NEVER = "never"
    WITH_NONCE = "with nonce"
    """When the body has ``nonce`` and ``enforce_nonce``: Discord then answers with the first message."""


CALLBACK_SECONDS: Final = 3.0
"""Discord: the first response to an interaction must come within 3 s."""
TOKEN_SECONDS: Final = 15 * 60.0
"""Discord: an interaction's token is valid for 15 minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row. ``name`` is the op's name, and the route in texts and metrics."""

    name: str
    method: Method
    path: str
    scope: ScopeRule
    major: str = ""
    body: BodyKind = BodyKind.NONE
    query: frozenset[str] = frozenset()
    """Query parameters that a script may give."""
    repeat: Repeat | None = None
    """None for what HTTP says of the method: POST never, PATCH and the others always."""
    files: Files = Files.NOWHERE
    """Whether files may come with the call."""
    changes_commands: bool = False
    """It changes the guild's slash commands one by one."""
    lifetime: float = 0.0
    """Seconds after the interaction in which the call makes sense; 0 for no such limit. Such calls need no
    bot token and do not count against its global limit."""

    @property
    def repeatable(self) -> Repeat:
        return self.repeat or (Repeat.NEVER if self.method is Method.POST else Repeat.ALWAYS)

    @property
    def acknowledges(self) -> bool:
        """Whether this is the first response to an interaction, of which Discord takes only one."""
        return self.lifetime == CALLBACK_SECONDS

    @property
    def tokenised(self) -> bool:
        """Whether the path's token is an interaction's: no Authorization, no global limit."""
        return self.lifetime > 0

    @property
    def anonymous(self) -> bool:
        """Whether the path's own token, an interaction's or a webhook's, stands for the bot's."""
        return "{token}" in self.path
