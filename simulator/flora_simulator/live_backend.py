"""SimCord's world as a service needs it.

What a simulator for unit tests does differently is changed here: the clock is the wall clock, ids carry
the current time and always grow, histories are bounded, files have addresses that can be fetched, and the
interaction window can be shortened.
"""

from __future__ import annotations

import datetime as dt
import mimetypes
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import quote

from flora_simulator.simcord_port import (
    Backend,
    CdnStore,
    Clock,
    Interaction,
    Message,
    sticker_url,
)

DISCORD_EPOCH_MS: Final = 1_420_070_400_000
TOKEN_SECONDS: Final = 15 * 60
"""How long an interaction's token works (Discord: 15 minutes)."""
_TRANSCRIPT: Final = 200
_EDITS: Final = 20
"""Earlier versions kept of one message."""
_EDITED_MESSAGES: Final = 10_000
_CDN_BYTES: Final = 256 << 20


class WallClock(Clock):
    """The current time, never going back."""

    def __init__(self) -> None:
        super().__init__()
        self._last = dt.datetime.now(dt.UTC)

    def now(self) -> dt.datetime:
        self._last = max(self._last, dt.datetime.now(dt.UTC))
        return self._last


class LocalCdn(CdnStore):
    """Attachments and stickers under an address of the simulator, the oldest dropped above 256 MiB."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self._files: dict[str, tuple[bytes, str]] = {}
        self._size = 0

    def store_attachment(
        self, attachment_id: int, channel_id: int, filename: str, data: bytes, description: str | None
    ) -> dict[str, Any]:
        content_type = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        url = self._keep(f"attachments/{channel_id}/{attachment_id}/{filename}", data, content_type)
        return {
            "id": str(attachment_id),
            "filename": filename,
            "description": description,
            "size": len(data),
            "url": url,
            "proxy_url": url,
            "content_type": content_type,
        }

    def store_sticker(self, sticker_id: int, format_type: int, data: bytes) -> str:
        name = sticker_url(sticker_id, format_type).rpartition("/")[2]
        content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return self._keep(f"stickers/{name}", data, content_type)

    def file(self, path: str) -> tuple[bytes, str] | None:
        """The content and content type of the file at ``path``."""
        return self._files.get(path)

    def _keep(self, path: str, data: bytes, content_type: str) -> str:
        self._files[path] = (data, content_type)
        self._size += len(data)
        while self._size > _CDN_BYTES and len(self._files) > 1:
            oldest = next(iter(self._files))
            self._size -= len(self._files.pop(oldest)[0])
        return f"{self.base}/{quote(path)}"


@dataclass(slots=True)
class Edit:
    """What a message said before one of its edits."""

    content: str
    embeds: list[dict[str, Any]]
    at: str


class LiveBackend(Backend):
    """SimCord's world on the wall clock."""

    def __init__(self, *, messages_per_channel: int = 2_000, interaction_window: float = 3.0) -> None:
        self._last_id = 0
        self._given_id: int | None = None
        self._messages_per_channel = messages_per_channel
        self._interaction_window = interaction_window
        self.edits: dict[int, deque[Edit]] = {}
        self.nonce: str | int | None = None
        """Nonce of the message that the running REST call creates; it goes into MESSAGE_CREATE."""
        super().__init__(clock=WallClock())
        self.cdn = self.files = LocalCdn()
        # SimCord keeps every call and event for ever, which a test may and a service may not.
        self.transcript = cast("list[Any]", deque(maxlen=_TRANSCRIPT))
        self.http_requests = cast("list[Any]", deque(maxlen=_TRANSCRIPT))

    def snowflake(self) -> int:
        """An id of now: it sorts after every earlier one and encodes the current time."""
        if self._given_id is not None:
            given, self._given_id = self._given_id, None
            return self.reserve_id(given)
        milliseconds = int(self.clock.now().timestamp() * 1000) - DISCORD_EPOCH_MS
        self._last_id = max(self._last_id + 1, milliseconds << 22)
        return self._last_id

    @contextmanager
    def with_id(self, value: int | None) -> Iterator[None]:
        """Give the next thing that is created the id ``value``; None leaves it to chance."""
        self._given_id = value
        try:
            yield
        finally:
            self._given_id = None

    @contextmanager
    def silently(self) -> Iterator[None]:
        """Change the world without telling the gateway."""
        subscribers, self.subscribers = self.subscribers, []
        try:
            yield
        finally:
            self.subscribers = subscribers

    def emit(self, event: str, payload: Mapping[str, Any]) -> None:
        if event == "MESSAGE_CREATE" and self.nonce is not None:
            payload = {**payload, "nonce": self.nonce}
        super().emit(event, payload)

    def commit_message(self, message: Message, *, broadcast: bool = True) -> Message:
        committed = super().commit_message(message, broadcast=broadcast)
        history = self.messages[message.channel_id]
        if len(history) > self._messages_per_channel:
            oldest = next(iter(history))
            del history[oldest]
            self.edits.pop(oldest, None)
        return committed

    def edit_message(self, channel_id: int, message_id: int, fields: dict[str, Any]) -> Message:
        before = self.get_message(channel_id, message_id)
        edit = Edit(before.content, list(before.embeds), before.edited_timestamp or before.timestamp)
        after = super().edit_message(channel_id, message_id, fields)
        self.edits.setdefault(message_id, deque(maxlen=_EDITS)).append(edit)
        if len(self.edits) > _EDITED_MESSAGES:
            del self.edits[next(iter(self.edits))]
        return after

    def delete_message(self, channel_id: int, message_id: int) -> None:
        super().delete_message(channel_id, message_id)
        self.edits.pop(message_id, None)

    def new_interaction(self, type: int, channel_id: int, user_id: int, guild_id: int | None) -> Interaction:  # noqa: A002
        self._forget_old_interactions()
        record = super().new_interaction(type, channel_id, user_id, guild_id)
        record.initial_response_deadline = self.iso_after(self._interaction_window)
        return record

    def _forget_old_interactions(self) -> None:
        horizon = self.iso_after(-TOKEN_SECONDS)
        while self.interactions:
            oldest = next(iter(self.interactions.values()))
            if oldest.expires_at is None or oldest.expires_at > horizon:
                return
            del self.interactions[oldest.id]
            self.interaction_tokens.pop(oldest.token, None)
