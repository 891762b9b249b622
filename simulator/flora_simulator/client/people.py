"""What people do, and waiting for what the bot does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flora_simulator import wire
from flora_simulator.client.calls import Calls, quoted
from flora_simulator.errors import NothingHappened
from flora_simulator.wire import (
    Acted,
    Action,
    ActionKind,
    Actions,
    Attachment,
    InteractionState,
    TranscriptMessage,
)


class PeopleCalls(Calls):
    """``post``, ``slash``, ``click`` … return at once; ``next_action`` waits for the answer."""

    async def sit_at_browser(self, user: str | None = None, *, refuses: bool = False) -> None:
        """Who answers when an application asks for permission over OAuth2, and whether they refuse."""
        await self._call("PUT", "/oauth/person", None, wire.OAuthPerson(user, refuses))

    async def expire_oauth(self) -> None:
        """Let every access token of a person be too old."""
        await self._call("POST", "/oauth/expire", None)

    async def revoke_oauth(self) -> None:
        """Let everybody take back what they allowed the application."""
        await self._call("POST", "/oauth/revoke", None)

    async def oauth(self) -> wire.OAuthState:
        """How many tokens there are."""
        return await self._call("GET", "/oauth", wire.OAuthState)

    async def post(
        self,
        content: str = "",
        *,
        channel: str = "general",
        user: str | None = None,
        attachments: Sequence[Attachment] = (),
        reply_to: str | None = None,
    ) -> Acted:
        """Write a message."""
        order = wire.PostMessage(channel, content, user, list(attachments), reply_to)
        return await self._call("POST", "/messages", Acted, order)

    async def post_in(
        self, guild: str, content: str, *, channel: str | None = None, user: str | None = None
    ) -> Acted:
        """Write a message in a guild: into its first text channel, as its owner, unless told otherwise."""
        order = wire.PostInGuild(content, channel, user)
        return await self._call("POST", f"/guilds/{quoted(guild)}/messages", Acted, order)

    async def answers(
        self, guild: str, *, after: int = 0, count: int = 1, longest: float = 0.0
    ) -> wire.Answers:
        """What the bot wrote in a guild ``after`` a position; waits up to ``longest`` seconds (at most 60)
        until there are ``count`` of them."""
        query = {"after": str(after), "count": str(count), "timeout": str(longest)}
        path = f"/guilds/{quoted(guild)}/answers"
        return await self._call("GET", path, wire.Answers, query=query, patience=longest)

    async def edit(self, channel: str, message: str, content: str, *, user: str | None = None) -> Acted:
        """Change a message of ``user``."""
        path = f"/channels/{quoted(channel)}/messages/{quoted(message)}"
        return await self._call("PATCH", path, Acted, wire.EditMessage(content, user))

    async def delete(self, channel: str, message: str, *, user: str | None = None) -> Acted:
        """Delete a message."""
        return await self._call(
            "DELETE", f"/channels/{quoted(channel)}/messages/{quoted(message)}", Acted, query={"user": user}
        )

    async def react(
        self, channel: str, message: str, emoji: str, *, user: str | None = None, remove: bool = False
    ) -> Acted:
        """Add a reaction, or take it back."""
        path = f"/channels/{quoted(channel)}/messages/{quoted(message)}/reactions"
        return await self._call("DELETE" if remove else "PUT", path, Acted, wire.Reaction(emoji, user))

    async def transcript(
        self, channel: str = "general", *, user: str | None = None, limit: int = 50
    ) -> list[TranscriptMessage]:
        """The newest messages, oldest first; with ``user``, only what that user sees."""
        query = {"user": user, "limit": str(limit)}
        return await self._call(
            "GET", f"/channels/{quoted(channel)}/transcript", list[TranscriptMessage], query=query
        )

    async def slash(
        self,
        text: str,
        *,
        channel: str = "general",
        user: str | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> Acted:
        """Run a slash command, as in ``/echo text:"two words"``."""
        order = wire.Slash(channel, text, user, list(attachments))
        return await self._call("POST", "/slash", Acted, order)

    async def autocomplete(
        self, text: str, focused: str, *, channel: str = "general", user: str | None = None
    ) -> Acted:
        """Type in option ``focused`` of a command; the bot's answer is an action of kind choices."""
        return await self._call("POST", "/slash", Acted, wire.Slash(channel, text, user, [], focused))

    async def context_menu(
        self,
        name: str,
        *,
        target_user: str | None = None,
        target_message: str | None = None,
        channel: str = "general",
        user: str | None = None,
    ) -> Acted:
        """Run a user or message command."""
        order = wire.ContextMenu(channel, name, user, target_user, target_message)
        return await self._call("POST", "/context-menu", Acted, order)

    async def click(
        self, custom_id: str, *, channel: str = "general", user: str | None = None, message: str | None = None
    ) -> Acted:
        """Press a button, on ``message`` or on the latest one that has it."""
        return await self._call("POST", "/click", Acted, wire.Click(channel, custom_id, user, message))

    async def select(
        self,
        custom_id: str,
        values: Sequence[str],
        *,
        channel: str = "general",
        user: str | None = None,
        message: str | None = None,
    ) -> Acted:
        """Choose in a select menu."""
        order = wire.Select(channel, custom_id, list(values), user, message)
        return await self._call("POST", "/select", Acted, order)

    async def submit_modal(
        self,
        fields: Mapping[str, str | bool | list[str]],
        *,
        user: str | None = None,
        custom_id: str | None = None,
    ) -> Acted:
        """Send the modal that the bot last opened to ``user``."""
        order = wire.SubmitModal(dict(fields), user, custom_id)
        return await self._call("POST", "/modal", Acted, order)

    async def interaction(self, interaction: str) -> InteractionState:
        """How far the bot is with an interaction."""
        return await self._call("GET", f"/interactions/{quoted(interaction)}", InteractionState)

    async def commands(self, *, guild: str | None = None) -> list[str]:
        """How the slash commands of a guild, or the global ones, are typed."""
        return await self._call("GET", "/commands", list[str], query={"guild": guild})

    async def wait(
        self,
        after: int,
        *,
        kinds: Iterable[ActionKind] | None = None,
        channel: str | None = None,
        longest: float = 5.0,
    ) -> Actions:
        """What the bot did after position ``after``, waiting up to ``longest`` seconds for the first."""
        query = {
            "after": str(after),
            "timeout": str(longest),
            "kind": ",".join(kinds) if kinds is not None else None,
            "channel": channel,
        }
        return await self._call("GET", "/wait", Actions, query=query, patience=longest)

    async def next_action(
        self,
        after: int,
        *,
        kinds: Iterable[ActionKind] | None = None,
        channel: str | None = None,
        longest: float = 5.0,
    ) -> Action:
        """The first thing the bot did after ``after``; raises NothingHappened."""
        found = await self.wait(after, kinds=kinds, channel=channel, longest=longest)
        if not found.actions:
            raise NothingHappened(f"the bot did nothing of the kind in {longest:g} s")
        return found.actions[0]
