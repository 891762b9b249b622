"""What a script may ask of Discord: one row for each op, and a row is all it takes to add one.

What no row names cannot be called: nothing that reaches other guilds (following their channels, their
invites by code, direct messages, the bot's own account), and nothing that ends the bot's being there.
"""

from __future__ import annotations

from typing import Any, Final

from flora_gateway.rest.routes import (
    CALLBACK_SECONDS,
    TOKEN_SECONDS,
    BodyKind,
    Files,
    Method,
    Repeat,
    Route,
    ScopeRule,
)

_GET, _POST, _PUT, _PATCH, _DELETE = Method.GET, Method.POST, Method.PUT, Method.PATCH, Method.DELETE
_OBJECT, _ARRAY = BodyKind.OBJECT, BodyKind.ARRAY
_MEMBER: Final = "/members/{user}"
_MESSAGE: Final = "/messages/{message}"
_REACTIONS: Final = _MESSAGE + "/reactions"


def _in_channel(name: str, method: Method, rest: str = "", **more: Any) -> Route:
    """On a channel or thread of the guild, or on a message in it."""
    path = "/channels/{channel}" + rest
    return Route(name=name, method=method, path=path, scope=ScopeRule.CHANNEL, major="channel", **more)


def _in_guild(name: str, method: Method, rest: str = "", **more: Any) -> Route:
    """On the guild, or on a member, role or ban of it."""
    path = "/guilds/{guild}" + rest
    return Route(name=name, method=method, path=path, scope=ScopeRule.GUILD, major="guild", **more)


def _command(name: str, method: Method, rest: str = "", **more: Any) -> Route:
    """On the guild's slash commands."""
    path = "/applications/{application}/guilds/{guild}/commands" + rest
    return Route(name=name, method=method, path=path, scope=ScopeRule.GUILD, major="guild", **more)


def _webhook(name: str, method: Method, rest: str = "", **more: Any) -> Route:
    """On a webhook of the guild, with the bot's token or, where ``rest`` begins with it, the webhook's."""
    path = "/webhooks/{webhook}" + rest
    return Route(name=name, method=method, path=path, scope=ScopeRule.WEBHOOK, major="webhook", **more)


def _callback(name: str, **more: Any) -> Route:
    """The first response to an interaction; what kind of response it is stands in the body's ``type``."""
    return Route(
        name=name,
        method=_POST,
        path="/interactions/{interaction}/{token}/callback",
        scope=ScopeRule.INTERACTION,
        major="token",
        body=_OBJECT,
        query=frozenset(("with_response",)),
        lifetime=CALLBACK_SECONDS,
        **more,
    )


def _followup(name: str, method: Method, rest: str, **more: Any) -> Route:
    """What follows the first response, on the webhook that the interaction's token is."""
    return Route(
        name=name,
        method=method,
        path="/webhooks/{application}/{token}" + rest,
        scope=ScopeRule.INTERACTION,
        major="token",
        query=frozenset(("thread_id", "with_components")),
        lifetime=TOKEN_SECONDS,
        **more,
    )


def _query(*names: str) -> frozenset[str]:
    return frozenset(names)


_COMMAND_BODY: Final[dict[str, Any]] = {"body": _OBJECT, "changes_commands": True}
_WITH_FILES: Final[dict[str, Any]] = {"body": _OBJECT, "files": Files.BODY}
_WEBHOOK_QUERY: Final = _query("wait", "thread_id", "with_components")

_MESSAGES: Final = (
    _in_channel("sendMessage", _POST, "/messages", repeat=Repeat.WITH_NONCE, **_WITH_FILES),
    _in_channel("editMessage", _PATCH, _MESSAGE, **_WITH_FILES),
    _in_channel("deleteMessage", _DELETE, _MESSAGE),
    _in_channel("bulkDeleteMessages", _POST, "/messages/bulk-delete", body=_OBJECT),
    _in_channel("pinMessage", _PUT, "/messages/pins/{message}"),
    _in_channel("unpinMessage", _DELETE, "/messages/pins/{message}"),
    _in_channel("listPins", _GET, "/messages/pins", query=_query("before", "limit")),
    _in_channel("crosspostMessage", _POST, _MESSAGE + "/crosspost"),
    _in_channel("fetchMessage", _GET, _MESSAGE),
    _in_channel("fetchMessages", _GET, "/messages", query=_query("limit", "before", "after", "around")),
    _in_channel("addReaction", _PUT, _REACTIONS + "/{emoji}/@me"),
    _in_channel("removeOwnReaction", _DELETE, _REACTIONS + "/{emoji}/@me"),
    _in_channel("removeReaction", _DELETE, _REACTIONS + "/{emoji}/{user}"),
    _in_channel("listReactions", _GET, _REACTIONS + "/{emoji}", query=_query("after", "limit", "type")),
    _in_channel("clearReactions", _DELETE, _REACTIONS),
    _in_channel("clearReactionsOfEmoji", _DELETE, _REACTIONS + "/{emoji}"),
)

_INTERACTIONS: Final = (
    _callback("sendInteractionResponse", files=Files.DATA),
    _callback("deferInteractionResponse"),
    _callback("updateInteractionResponse", files=Files.DATA),
    _callback("openModal"),
    _callback("sendAutocompleteResult"),
    _followup("getOriginalInteractionResponse", _GET, "/messages/@original"),
    _followup("editOriginalInteractionResponse", _PATCH, "/messages/@original", **_WITH_FILES),
    _followup("deleteOriginalInteractionResponse", _DELETE, "/messages/@original"),
    # Without ``wait`` Discord answers a webhook's message with 204; a script wants the message.
    _followup("createFollowupMessage", _POST, "?wait=true", **_WITH_FILES),
    _followup("editFollowupMessage", _PATCH, _MESSAGE, **_WITH_FILES),
    _followup("deleteFollowupMessage", _DELETE, _MESSAGE),
)

_COMMANDS: Final = (
    _command("upsertGuildCommands", _PUT, body=_ARRAY),
    _command("createGuildCommand", _POST, **_COMMAND_BODY),
    _command("editGuildCommand", _PATCH, "/{command}", **_COMMAND_BODY),
    _command("deleteGuildCommand", _DELETE, "/{command}", changes_commands=True),
    _command("getGuildCommands", _GET, query=_query("with_localizations")),
    _command("getGuildCommand", _GET, "/{command}"),
    _command("editGuildCommandPermissions", _PUT, "/{command}/permissions", body=_OBJECT),
    _command("getGuildCommandsPermissions", _GET, "/permissions"),
    _command("getGuildCommandPermissions", _GET, "/{command}/permissions"),
)

_MEMBERS: Final = (
    _in_guild("fetchMember", _GET, _MEMBER),
    _in_guild("listMembers", _GET, "/members", query=_query("limit", "after")),
    _in_guild("searchMembers", _GET, "/members/search", query=_query("query", "limit")),
    _in_guild("kickMember", _DELETE, _MEMBER),
    _in_guild("banMember", _PUT, "/bans/{user}", body=_OBJECT),
    _in_guild("unbanMember", _DELETE, "/bans/{user}"),
    _in_guild("fetchBan", _GET, "/bans/{user}"),
    _in_guild("listBans", _GET, "/bans", query=_query("limit", "before", "after")),
    _in_guild("addMemberRole", _PUT, _MEMBER + "/roles/{role}"),
    _in_guild("removeMemberRole", _DELETE, _MEMBER + "/roles/{role}"),
    _in_guild("editMember", _PATCH, _MEMBER, body=_OBJECT),
    _in_guild("editCurrentMember", _PATCH, "/members/@me", body=_OBJECT),
)

_GUILD: Final = (
    _in_guild("fetchGuild", _GET, query=_query("with_counts")),
    _in_guild("editGuild", _PATCH, body=_OBJECT),
    _in_guild("listChannels", _GET, "/channels"),
    _in_guild("listActiveThreads", _GET, "/threads/active"),
    _in_guild("listRoles", _GET, "/roles"),
    _in_guild("createRole", _POST, "/roles", body=_OBJECT),
    _in_guild("editRole", _PATCH, "/roles/{role}", body=_OBJECT),
    _in_guild("editRolePositions", _PATCH, "/roles", body=_ARRAY),
    _in_guild("deleteRole", _DELETE, "/roles/{role}"),
    _in_guild("listGuildWebhooks", _GET, "/webhooks"),
    _in_guild("listInvites", _GET, "/invites"),
    _in_guild(
        "fetchAuditLog",
        _GET,
        "/audit-logs",
        query=_query("user_id", "action_type", "before", "after", "limit"),
    ),
)

_CHANNELS: Final = (
    _in_guild("createChannel", _POST, "/channels", body=_OBJECT),
    _in_channel("fetchChannel", _GET),
    _in_channel("editChannel", _PATCH, body=_OBJECT),
    _in_channel("deleteChannel", _DELETE),
    _in_channel("editChannelPermissions", _PUT, "/permissions/{target}", body=_OBJECT),
    _in_channel("deleteChannelPermissions", _DELETE, "/permissions/{target}"),
    _in_channel("triggerTyping", _POST, "/typing"),
    _in_channel("createInvite", _POST, "/invites", body=_OBJECT),
    _in_channel("listChannelInvites", _GET, "/invites"),
    _in_channel("createThread", _POST, "/threads", body=_OBJECT, files=Files.MESSAGE),
    _in_channel("createThreadFromMessage", _POST, _MESSAGE + "/threads", body=_OBJECT),
    _in_channel("joinThread", _PUT, "/thread-members/@me"),
    _in_channel("leaveThread", _DELETE, "/thread-members/@me"),
    _in_channel("addThreadMember", _PUT, "/thread-members/{user}"),
    _in_channel("removeThreadMember", _DELETE, "/thread-members/{user}"),
    _in_channel("listThreadMembers", _GET, "/thread-members", query=_query("with_member", "after", "limit")),
)

_WEBHOOKS: Final = (
    _in_channel("createWebhook", _POST, "/webhooks", body=_OBJECT),
    _in_channel("listChannelWebhooks", _GET, "/webhooks"),
    _webhook("executeWebhook", _POST, "/{token}", query=_WEBHOOK_QUERY, **_WITH_FILES),
    _webhook("editWebhook", _PATCH, body=_OBJECT),
    _webhook("editWebhookWithToken", _PATCH, "/{token}", body=_OBJECT),
    _webhook("deleteWebhook", _DELETE),
    _webhook("deleteWebhookWithToken", _DELETE, "/{token}"),
    _webhook(
        "editWebhookMessage",
        _PATCH,
        "/{token}" + _MESSAGE,
        query=_query("thread_id", "with_components"),
        **_WITH_FILES,
    ),
    _webhook("deleteWebhookMessage", _DELETE, "/{token}" + _MESSAGE, query=_query("thread_id")),
)

_ROWS: Final = (
    *_MESSAGES,
    *_INTERACTIONS,
    *_COMMANDS,
    *_MEMBERS,
    *_GUILD,
    *_CHANNELS,
    *_WEBHOOKS,
)

ROUTES: Final = {route.name: route for route in _ROWS}
"""The ops that scripts may use, by name."""


def _own(name: str, path: str, major: str) -> Route:
    """For the gateway itself: whose is this?"""
    return Route(name=name, method=_GET, path=path, scope=ScopeRule.NONE, major=major)


GET_CHANNEL: Final = _own("getChannel", "/channels/{channel}", "channel")
GET_WEBHOOK: Final = _own("getWebhook", "/webhooks/{webhook}", "webhook")
GET_WEBHOOK_WITH_TOKEN: Final = _own("getWebhookWithToken", "/webhooks/{webhook}/{token}", "webhook")

LOOK_UP_GUILD: Final = _own("lookUpGuild", "/guilds/{guild}", "guild")
LOOK_UP_MEMBER: Final = _own("lookUpMember", "/guilds/{guild}/members/{user}", "guild")

GET_GUILD_COMMANDS: Final = Route(
    name="lookUpGuildCommands",
    method=_GET,
    path="/applications/{application}/guilds/{guild}/commands?with_localizations=true",
    scope=ScopeRule.GUILD,
    major="guild",
)
"""For the gateway itself: what does the guild have, before it is overwritten?"""
