"""What a script finds around it in a test: Discord, storage and other servers.

Discord takes everything that changes something and remembers it; what a script asks of it must have been
said by the test. Storage is the pods' own, in a folder that lives as long as the process. Other servers are
what the test says they answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from flora_core.errors import InvalidInput
from flora_core.ids import GuildId
from flora_core.wire.gateway import OpError
from flora_runtime.fetch.calls import Response, parse_fetch
from flora_runtime.kv import calls as kv_calls
from flora_runtime.kv.database import Database, Job
from flora_runtime.kv.operations import KvRefused

GUILD: Final = "100000000000000001"
CHANNEL: Final = "100000000000000002"

_FIRST_ID: Final = 300_000_000_000_000_000
_RESPONSES: Final = frozenset({"sendInteractionResponse", "updateInteractionResponse"})
_MESSAGES: Final = frozenset(
    {
        *("sendMessage", "editMessage", "executeWebhook", "editWebhookMessage", "crosspostMessage"),
        *("createFollowupMessage", "editFollowupMessage"),
        *("editOriginalInteractionResponse", "getOriginalInteractionResponse"),
    }
)
_QUESTIONS: Final = ("fetch", "list", "get", "search")
"""What the names of calls that only ask begin with."""


class Refused(Exception):
    """The answer to a call is no."""

    def __init__(self, error: OpError) -> None:
        super().__init__(error.message)
        self.error = error


class _Arguments(Struct):
    """What goes with a call to Discord."""

    path: dict[str, str] = {}
    query: dict[str, str] = {}
    body: Any = None
    reason: str | None = None


class Call(Struct):
    """A call that the script made."""

    name: str
    path: dict[str, str]
    query: dict[str, str]
    body: Any
    reason: str | None
    result: Any = None


class PlayedDiscord:
    """Discord, in one test."""

    def __init__(self, bot: str = "100000000000000009") -> None:
        self.calls: Final[list[Call]] = []
        self.replies: Final[dict[str, Any]] = {}
        self.refusals: Final[dict[str, OpError]] = {}
        self._bot = bot
        self._last = _FIRST_ID
        self._messages: dict[str, dict[str, Any]] = {}

    def call(self, name: str, args: Raw, *, now: str) -> Any:
        """What Discord answers to the call ``name``; raises Refused. ``now`` is RFC 3339."""
        given = msgspec.json.decode(args, type=_Arguments)
        made = Call(name, given.path, given.query, given.body, given.reason)
        self.calls.append(made)
        if name in self.refusals:
            raise Refused(self.refusals[name])
        made.result = self.replies[name] if name in self.replies else self._answer(made, now)
        return made.result

    def _answer(self, call: Call, now: str) -> Any:
        body: Any = call.body if isinstance(call.body, dict) else {}
        if call.name in _RESPONSES:
            return {"resource": {"message": self._message(call, body.get("data") or {}, now)}}
        if call.name in _MESSAGES:
            return self._message(call, body, now)
        if call.name == "fetchMessage" and call.path.get("message") in self._messages:
            return self._messages[call.path["message"]]
        if call.name.startswith(_QUESTIONS):
            raise Refused(
                OpError(
                    "DISCORD_HTTP_ERROR",
                    f"this test's Discord has no answer to it: await t.discord.reply({call.name!r}, …) first",
                    status=404,
                )
            )
        return self._made(call, body) if call.body is not None else None

    def _message(self, call: Call, body: dict[str, Any], now: str) -> dict[str, Any]:
        known = self._messages.get(call.path.get("message", ""))
        made = {
            "id": known["id"] if known else call.path.get("message") or self._new_id(),
            "channel_id": call.path.get("channel", CHANNEL),
            "type": 0,
            "author": {"id": self._bot, "username": "flora", "discriminator": "0", "bot": True},
            "timestamp": now,
            "edited_timestamp": now if known else None,
            **(known or {"content": ""}),
            **{name: value for name, value in body.items() if name in _SHOWN},
        }
        self._messages[made["id"]] = made
        return made

    def _made(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """A channel, role, member … as it is asked to be."""
        path = call.path
        made: dict[str, Any] = {"guild_id": GUILD, **body}
        if "Member" in call.name:
            user = path.get("user", self._bot)
            return {
                "roles": [],
                **made,
                "user": {"id": user, "username": f"user-{user}", "discriminator": "0"},
            }
        own = "role" if "Role" in call.name else "webhook" if "Webhook" in call.name else "channel"
        made["id"] = path[own] if own in path and not call.name.startswith("create") else self._new_id()
        return {"type": 0, **made}

    def _new_id(self) -> str:
        self._last += 1
        return str(self._last)


_SHOWN: Final = frozenset({"content", "embeds", "components", "flags", "tts", "nonce"})


class Stub(Struct, rename="camel"):
    """What another server answers."""

    url: str
    text: str = ""
    headers: dict[str, str] = {}
    status: int = 200
    method: str = ""
    times: int | None = None


@dataclass(slots=True)
class PlayedServers:
    """Everything that ``fetch`` reaches, in one test. The stub that was given last comes first."""

    stubs: list[Stub] = field(default_factory=list[Stub])
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def fetch(self, args: Raw) -> Response:
        """The answer to a script's request; raises Refused."""
        try:
            call = parse_fetch(args)
        except InvalidInput as error:
            raise Refused(OpError("INVALID_INPUT", f"Invalid input for {error}")) from None
        text = None if call.content is None else call.content.decode(errors="replace")
        seen = {"url": call.url, "method": call.method, "headers": dict(call.headers), "text": text}
        self.requests.append(seen)
        for stub in reversed(self.stubs):
            if stub.times == 0 or not _fits(stub, call.url, call.method):
                continue
            if stub.times is not None:
                stub.times -= 1
            headers = [(name.lower(), value) for name, value in stub.headers.items()]
            return Response(stub.status, "", call.url, headers, text=stub.text)
        raise Refused(
            OpError(
                "FETCH_FAILED",
                f"no server in this test answers {call.method} {call.url}: "
                f"await t.fetch.reply({call.url!r}, …) first",
            )
        )


def _fits(stub: Stub, url: str, method: str) -> bool:
    if stub.method and stub.method.upper() != method.upper():
        return False
    return url.startswith(stub.url[:-1]) if stub.url.endswith("*") else url == stub.url


class PlayedStorage:
    """The pods' storage, with a clock of the test's; each test has a guild of its own."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._database = Database(folder, clock=clock)
        self._tests = 0
        self._guild = GuildId(GUILD)

    def empty(self) -> None:
        """A new test begins."""
        self._tests += 1
        self._guild = GuildId(str(int(GUILD) + self._tests))

    def call(self, name: str, args: Raw) -> Any:
        """What storage answers; raises Refused."""
        try:
            call = kv_calls.parse_call(name, args)
        except InvalidInput as error:
            raise Refused(OpError("INVALID_INPUT", f"Invalid input for {error}")) from None
        outcome: list[tuple[Any, Exception | None]] = []
        answered = threading.Event()

        def done(result: Any, error: Exception | None) -> None:
            outcome.append((result, error))
            answered.set()

        self._database.submit(Job(self._guild, call, done))
        answered.wait()
        ((result, error),) = outcome
        if isinstance(error, KvRefused):
            raise Refused(OpError(error.code, str(error), retry_after=error.retry_after))
        if error is not None:
            raise Refused(OpError("KV_UNAVAILABLE", str(error)))
        return result

    def close(self) -> None:
        self._database.close()
