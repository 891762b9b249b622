"""Saying something to the bot, and waiting for what it does about it.

An answer is the first visible thing that the bot does after we spoke: a message, an edit, a modal, a
reaction. Short pauses after it catch the rest of what belongs to it (a follow-up, a second message).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from flora_core.errors import InvalidInput
from flora_simulator.client import SimulatorClient
from flora_simulator.errors import SimulatorRefused
from flora_simulator.wire import Acted, Action, ActionKind

ANSWERS: Final[tuple[ActionKind, ...]] = ("message", "edit", "delete", "reaction", "modal", "choices")
LINGER_SECONDS: Final = 0.15
_FAR: Final = 1 << 53
"""A position that no journal reaches."""
_OPTION: Final = re.compile(r"\s([\w-]+):")


@dataclass(slots=True, frozen=True)
class Said:
    """Something to say, as typed."""

    text: str
    act: Callable[[SimulatorClient, str], Awaitable[Acted]]
    """Does it, in a channel."""


@dataclass(slots=True)
class Exchange:
    """What was said, and what came back."""

    said: str
    answers: list[Action] = field(default_factory=list[Action])
    refused: str = ""
    """Why it could not be said at all: an unknown command, a button that is not there."""

    @property
    def answered(self) -> bool:
        return bool(self.answers)


def message(text: str) -> Said:
    """An ordinary message."""
    return Said(text, lambda people, channel: people.post(text, channel=channel))


def slash(text: str) -> Said:
    """A slash command, ``/name option:value``."""
    line = text if text.startswith("/") else f"/{text}"
    return Said(line, lambda people, channel: people.slash(line, channel=channel))


def autocomplete(text: str) -> Said:
    """Typing in the last option of a slash command, ``/name option:par``; raises InvalidInput."""
    line = text if text.startswith("/") else f"/{text}"
    options = _OPTION.findall(line)
    if not options:
        raise InvalidInput(f"--autocomplete {text!r}: write '/command option:text'; the last option is typed")
    return Said(
        f"[{line}…]",
        lambda people, channel: people.autocomplete(line, options[-1], channel=channel),
    )


def click(custom_id: str) -> Said:
    """A press on a button."""
    return Said(f"[{custom_id}]", lambda people, channel: people.click(custom_id, channel=channel))


def select(text: str) -> Said:
    """A choice in a select menu, ``custom_id=value,value``; raises InvalidInput."""
    custom_id, separator, values = text.partition("=")
    if not separator:
        raise InvalidInput(f"--select {text!r}: write CUSTOM_ID=VALUE, or several values with commas")
    chosen = [value for value in values.split(",") if value]
    return Said(
        f"[{custom_id}: {', '.join(chosen)}]",
        lambda people, channel: people.select(custom_id, chosen, channel=channel),
    )


def modal(text: str) -> Said:
    """The open modal's fields, ``field=value field="two words"``; raises InvalidInput."""
    fields: dict[str, Any] = {}
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidInput(f"--modal {text!r}: {error}") from None
    for word in words:
        name, separator, value = word.partition("=")
        if not separator:
            raise InvalidInput(f'--modal {text!r}: write FIELD=VALUE, or FIELD="two words"')
        fields[name] = value
    return Said(f"(modal {text})", lambda people, _channel: people.submit_modal(fields))


def react(text: str, last_message: Callable[[], str | None]) -> Said:
    """A reaction to the newest message of the bot."""

    async def act(people: SimulatorClient, channel: str) -> Acted:
        message_id = last_message()
        if message_id is None:
            raise InvalidInput("there is no message of the bot to react to yet")
        return await people.react(channel, message_id, text)

    return Said(f"({text})", act)


PROMPT_WORDS: Final = {
    ":click": click,
    ":select": select,
    ":modal": modal,
    ":complete": autocomplete,
}
OTHER_WORDS: Final = (":cron NAME", ":kv [STORE [PREFIX]]", ":logs [N]", ":guilds", ":quit")
"""What else the prompt takes; nothing of it is said to the bot."""


def parse_prompt(line: str, last_message: Callable[[], str | None]) -> Said:
    """What a line at the prompt says; raises InvalidInput."""
    line = line.strip()
    if line.startswith("/"):
        return slash(line)
    if not line.startswith(":"):
        return message(line)
    word, _, rest = line.partition(" ")
    if word == ":react" and rest:
        return react(rest.strip(), last_message)
    parse = PROMPT_WORDS.get(word)
    if parse is None or not rest.strip():
        known = ", ".join(["/command", *(f"{name} …" for name in PROMPT_WORDS), ":react …", *OTHER_WORDS])
        raise InvalidInput(f"{word}: write a message, or one of {known}")
    return parse(rest.strip())


async def speak(people: SimulatorClient, said: Said, *, channel: str, longest: float) -> Exchange:
    """Say it and collect the answers that come within ``longest`` seconds."""
    exchange = Exchange(said.text)
    try:
        acted = await said.act(people, channel)
    except SimulatorRefused as error:
        exchange.refused = str(error)
        return exchange
    exchange.answers += await collect(people, acted.position, longest=longest)
    return exchange


async def collect(people: SimulatorClient, position: int, *, longest: float) -> list[Action]:
    """What the bot does after ``position``: first within ``longest`` seconds, then what follows it."""
    actions: list[Action] = []
    while True:
        found = await people.wait(position, kinds=ANSWERS, longest=longest)
        if not found.actions:
            return actions
        actions += found.actions
        position, longest = found.actions[-1].position, LINGER_SECONDS


async def position_now(people: SimulatorClient) -> int:
    """The position of the last thing that the bot did."""
    return (await people.wait(_FAR, kinds=ANSWERS, longest=0.0)).position
