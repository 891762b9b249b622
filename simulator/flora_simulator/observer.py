"""Turns the bot's successful REST calls into journal entries."""

from __future__ import annotations

from typing import Any, Final

from flora_simulator.journal import Journal
from flora_simulator.live_backend import LiveBackend
from flora_simulator.ratelimits import CALLBACK
from flora_simulator.routing import Call
from flora_simulator.simcord_port import EPHEMERAL_FLAG, Message, serializers
from flora_simulator.wire import ActionKind

Json = dict[str, Any]

_MESSAGES: Final = "/channels/{channel_id}/messages"
_WEBHOOK: Final = "/webhooks/{webhook_id}/{token}"
_REACTIONS: Final = f"{_MESSAGES}/{{message_id}}/reactions/{{emoji}}"

_KINDS: Final[dict[tuple[str, str], ActionKind]] = {
    ("POST", _MESSAGES): "message",
    ("POST", _WEBHOOK): "message",
    ("PATCH", f"{_MESSAGES}/{{message_id}}"): "edit",
    ("PATCH", f"{_WEBHOOK}/messages/{{message_id}}"): "edit",
    ("PATCH", f"{_WEBHOOK}/messages/@original"): "edit",
    ("DELETE", f"{_MESSAGES}/{{message_id}}"): "delete",
    ("DELETE", f"{_WEBHOOK}/messages/{{message_id}}"): "delete",
    ("DELETE", f"{_WEBHOOK}/messages/@original"): "delete",
    ("PUT", f"{_REACTIONS}/@me"): "reaction",
    ("DELETE", f"{_REACTIONS}/@me"): "unreaction",
    ("POST", "/channels/{channel_id}/typing"): "typing",
}
_MESSAGE_CALLBACKS: Final = {4: "message", 7: "edit"}
_OTHER_CALLBACKS: Final[dict[int, ActionKind]] = {5: "defer", 6: "defer", 8: "choices", 9: "modal"}


class Observer:
    """Writes the journal. Every call has been done when it gets here."""

    def __init__(self, backend: LiveBackend, journal: Journal) -> None:
        self._backend = backend
        self._journal = journal

    def note(self, template: str, call: Call, answer: Any) -> None:
        """Write down what ``call`` did; reading calls do nothing."""
        kind = _KINDS.get((call.method, template))
        if call.method == "GET":
            return
        if (call.method, template) == CALLBACK:
            self._note_callback(call)
        elif kind in {"message", "edit"} and isinstance(answer, dict):
            # A followup to a deferred answer completes it: that is an edit in all but its route.
            self._note_message("edit" if answer.get("edited_timestamp") else "message", call, answer["id"])
        elif kind is not None:
            self._note_simple(kind, call)
        elif "/commands" in template:
            self._note_commands(call, answer)
        else:
            self._journal.write(
                "rest",
                guild=call.args.get("guild_id"),
                channel=call.args.get("channel_id"),
                data={"method": call.method, "path": call.path},
            )

    def unanswered(self, interaction: int) -> None:
        """The bot let an interaction's time pass."""
        record = self._backend.interactions.get(interaction)
        if record is not None and not record.responded:
            self._journal.write(
                "unanswered",
                guild=str(record.guild_id) if record.guild_id is not None else None,
                channel=str(record.channel_id),
                interaction=str(record.id),
            )

    def _note_callback(self, call: Call) -> None:
        record = self._backend.interactions[int(call.args["interaction_id"])]
        kind = call.body["type"]
        message = self._message(record.channel_id, record.message_id)
        if kind in _MESSAGE_CALLBACKS and message is not None:
            self._write_message(_MESSAGE_CALLBACKS[kind], message, interaction=str(record.id))
        elif kind in _OTHER_CALLBACKS:
            data = {8: {"choices": record.autocomplete_choices}, 9: record.modal}.get(kind) or {}
            self._journal.write(
                _OTHER_CALLBACKS[kind],
                guild=str(record.guild_id) if record.guild_id is not None else None,
                channel=str(record.channel_id),
                message={"id": str(message.id)} if message is not None else None,
                interaction=str(record.id),
                ephemeral=record.ephemeral,
                seen_by=str(record.user_id) if record.ephemeral or kind in {8, 9} else None,
                data=data,
            )

    def _note_message(self, kind: ActionKind, call: Call, message_id: str) -> None:
        channel = self._channel_of(call)
        message = self._message(channel, int(message_id))
        if message is not None:
            self._write_message(kind, message, interaction=self._interaction_of(call))

    def _note_simple(self, kind: ActionKind, call: Call) -> None:
        channel = self._channel_of(call)
        known = self._backend.channels.get(channel)
        message = call.args.get("message_id")
        self._journal.write(
            kind,
            guild=str(known.guild_id) if known is not None and known.guild_id is not None else None,
            channel=str(channel),
            message={"id": message} if message is not None else None,
            interaction=self._interaction_of(call),
            data={"emoji": call.args["emoji"]} if "emoji" in call.args else {},
        )

    def _note_commands(self, call: Call, answer: Any) -> None:
        changed = answer if isinstance(answer, list) else [answer or {"id": call.args.get("command_id")}]
        names = [command.get("name") or command["id"] for command in changed]
        data = {"method": call.method, "names": names}
        self._journal.write("commands", guild=call.args.get("guild_id"), data=data)

    def _write_message(self, kind: Any, message: Message, *, interaction: str | None) -> None:
        payload: Json = dict(serializers.message_payload(self._backend, message))
        metadata = message.interaction_metadata or {}
        ephemeral = bool(message.flags & EPHEMERAL_FLAG)
        self._journal.write(
            kind,
            guild=payload.get("guild_id"),
            channel=str(message.channel_id),
            message=payload,
            interaction=interaction,
            ephemeral=ephemeral,
            seen_by=(metadata.get("user") or {}).get("id") if ephemeral else None,
        )

    def _message(self, channel: int, message: int | None) -> Message | None:
        return self._backend.messages.get(channel, {}).get(message or 0)

    def _channel_of(self, call: Call) -> int:
        """The channel that the call is about; a token stands for its interaction's or webhook's."""
        if "channel_id" in call.args:
            return int(call.args["channel_id"])
        backend, token = self._backend, call.args["token"]
        if token in backend.interaction_tokens:
            return backend.interactions[backend.interaction_tokens[token]].channel_id
        return backend.webhooks[backend.webhook_tokens[token]].channel_id

    def _interaction_of(self, call: Call) -> str | None:
        found = self._backend.interaction_tokens.get(call.args.get("token", ""))
        return str(found) if found is not None else None
