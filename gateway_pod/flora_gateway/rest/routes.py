"""What a script may ask of Discord: one row for each op.

A row is all it takes to add an op. The path's parameters say what the op's ``args.path`` must hold:
``{application}`` is filled by the gateway, ``{guild}`` is the guild that asks, ``{token}`` and ``{emoji}``
are text, every other one is a snowflake. ``{name}`` in ``major`` is the parameter that Discord counts
rate limits by, beside the bucket (topics/rate-limits: channel, guild, webhook id and token).
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
    """The path's ``{guild}`` is the guild that asks."""
    CHANNEL = "channel"
    """The path's ``{channel}`` belongs to the guild that asks."""
    INTERACTION = "interaction"
    """The path's ``{token}`` came with an interaction in the guild that asks."""
    NONE = "none"


class BodyKind(StrEnum):
    NONE = "no body"
    OBJECT = "an object"
    ARRAY = "an array"


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
        """Whether the path's token stands for the bot's: no Authorization, no global limit."""
        return self.lifetime > 0


_CALLBACK: Final = "/interactions/{interaction}/{token}/callback"
_MESSAGES: Final = "/channels/{channel}/messages"
_FOLLOWUP: Final = "/webhooks/{application}/{token}"
_FOLLOWUP_QUERY: Final = frozenset(("thread_id", "with_components"))


def _callback(name: str) -> Route:
    """The first response to an interaction; what kind of response it is stands in the body's ``type``."""
    return Route(
        name=name,
        method=Method.POST,
        path=_CALLBACK,
        scope=ScopeRule.INTERACTION,
        major="token",
        body=BodyKind.OBJECT,
        query=frozenset(("with_response",)),
        lifetime=CALLBACK_SECONDS,
    )


def _followup(name: str, method: Method, rest: str, *, body: BodyKind = BodyKind.NONE) -> Route:
    """What follows the first response, on the webhook that the interaction's token is."""
    return Route(
        name=name,
        method=method,
        path=_FOLLOWUP + rest,
        scope=ScopeRule.INTERACTION,
        major="token",
        body=body,
        query=_FOLLOWUP_QUERY,
        lifetime=TOKEN_SECONDS,
    )


_ROWS: Final = (
    Route(
        name="sendMessage",
        method=Method.POST,
        path=_MESSAGES,
        scope=ScopeRule.CHANNEL,
        major="channel",
        body=BodyKind.OBJECT,
        repeat=Repeat.WITH_NONCE,
    ),
    Route(
        name="editMessage",
        method=Method.PATCH,
        path=_MESSAGES + "/{message}",
        scope=ScopeRule.CHANNEL,
        major="channel",
        body=BodyKind.OBJECT,
    ),
    Route(
        name="deleteMessage",
        method=Method.DELETE,
        path=_MESSAGES + "/{message}",
        scope=ScopeRule.CHANNEL,
        major="channel",
    ),
    Route(
        name="addReaction",
        method=Method.PUT,
        path=_MESSAGES + "/{message}/reactions/{emoji}/@me",
        scope=ScopeRule.CHANNEL,
        major="channel",
    ),
    _callback("sendInteractionResponse"),
    _callback("deferInteractionResponse"),
    _callback("updateInteractionResponse"),
    _callback("openModal"),
    _callback("sendAutocompleteResult"),
    _followup("getOriginalInteractionResponse", Method.GET, "/messages/@original"),
    _followup("editOriginalInteractionResponse", Method.PATCH, "/messages/@original", body=BodyKind.OBJECT),
    _followup("deleteOriginalInteractionResponse", Method.DELETE, "/messages/@original"),
    # Without ``wait`` Discord answers a webhook's message with 204; a script wants the message.
    _followup("createFollowupMessage", Method.POST, "?wait=true", body=BodyKind.OBJECT),
    _followup("editFollowupMessage", Method.PATCH, "/messages/{message}", body=BodyKind.OBJECT),
    _followup("deleteFollowupMessage", Method.DELETE, "/messages/{message}"),
    Route(
        name="upsertGuildCommands",
        method=Method.PUT,
        path="/applications/{application}/guilds/{guild}/commands",
        scope=ScopeRule.GUILD,
        major="guild",
        body=BodyKind.ARRAY,
    ),
)

ROUTES: Final = {route.name: route for route in _ROWS}
"""The ops that scripts may use, by name."""

GET_CHANNEL: Final = Route(
    name="getChannel", method=Method.GET, path="/channels/{channel}", scope=ScopeRule.NONE, major="channel"
)
"""For the gateway itself: whose is this channel?"""

GET_GUILD_COMMANDS: Final = Route(
    name="getGuildCommands",
    method=Method.GET,
    path="/applications/{application}/guilds/{guild}/commands?with_localizations=true",
    scope=ScopeRule.GUILD,
    major="guild",
)
"""For the gateway itself: what does the guild have, before it is overwritten?"""
