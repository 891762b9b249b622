"""``POST /v1/say``: other commands speak to the bot through a running ``flora dev``.

A line as it could be typed at the prompt; the answer is what was said and what came back (``talk.Exchange``).
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec
from aiohttp import web
from msgspec import Struct

from flora_core.errors import InvalidInput
from flora_core.identity import Identities, Role, require
from flora_core.wire import UNREADABLE
from flora_core.wire.gateway import OpError
from flora_core.wire.guilds import status_of
from flora_dev.talk import Exchange, Said, parse_prompt

PATH: Final = "/v1/say"
LONGEST_SECONDS: Final = 50.0
"""For an answer; who asks gives up a little later."""


class Say(Struct, frozen=True):
    """What is to be said."""

    line: str
    channel: str = "general"
    timeout: float = 10.0
    """Seconds to wait for the first answer."""


class Speaker(Protocol):
    """Speaks as the members of a simulated Discord."""

    last_message: str | None
    """Id of the bot's newest message."""

    async def exchange(self, said: Said, *, channel: str, longest: float) -> Exchange:
        """Say it, and wait ``longest`` seconds for what comes back."""
        ...


class SayRoute:
    """Adds its route to ``app``; ``speaker`` is set once there is one."""

    def __init__(self, app: web.Application, identities: Identities) -> None:
        self._identities = identities
        self.speaker: Speaker | None = None
        app.router.add_post(PATH, self._say)

    async def _say(self, request: web.Request) -> web.Response:
        await require(request, self._identities, role=Role.API)
        speaker = self.speaker
        if speaker is None:
            return _refusal("this `flora dev` has no simulated Discord: nobody can be spoken for")
        try:
            asked = msgspec.json.decode(await request.read(), type=Say)
            said = parse_prompt(asked.line, lambda: speaker.last_message)
            longest = min(max(asked.timeout, 0.0), LONGEST_SECONDS)
            exchange = await speaker.exchange(said, channel=asked.channel, longest=longest)
        except UNREADABLE as error:
            return _refusal(f"the request cannot be read: {error}")
        except InvalidInput as error:
            return _refusal(str(error))
        return web.Response(body=msgspec.json.encode(exchange), content_type="application/json")


def _refusal(text: str) -> web.Response:
    error = OpError("INVALID_INPUT", text)
    return web.Response(
        body=msgspec.json.encode(error), status=status_of(error), content_type="application/json"
    )
