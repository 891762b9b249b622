"""The interactive prompt: a line is said to the bot; what scripts log appears above it."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator

from prompt_toolkit import PromptSession
from prompt_toolkit.patch_stdout import patch_stdout

from flora_core.errors import InvalidInput
from flora_dev.asks import parse_ask
from flora_dev.session import DevSession
from flora_dev.talk import OTHER_WORDS, parse_prompt
from flora_dev.view import View

HELP = (
    "Write a message, /command option:value, :complete /command option:text, :click ID, :select ID=VALUE, "
    ":modal FIELD=VALUE, :react 👍, " + ", ".join(OTHER_WORDS)
)


async def prompt(session: DevSession, view: View) -> None:
    """Say every line to the bot until the input ends or ``:quit``.

    Without a terminal the lines come from standard input, so that ``echo '!ping' | flora dev …`` works.
    """
    view.say(HELP)
    lines = _typed() if sys.stdin.isatty() else _piped()
    async for line in lines:
        if line in (":quit", ":q"):
            return
        if line == ":guilds":
            view.table(session.controller.statuses)
        elif line:
            await _say(session, view, line)


async def _say(session: DevSession, view: View, line: str) -> None:
    try:
        await session.do(parse_ask(line) or parse_prompt(line, lambda: session.last_message))
    except InvalidInput as error:
        view.say(str(error), style="yellow")


async def _typed() -> AsyncIterator[str]:
    keyboard: PromptSession[str] = PromptSession("> ")
    with patch_stdout(raw=True):
        while True:
            try:
                yield (await keyboard.prompt_async()).strip()
            except (EOFError, KeyboardInterrupt):
                return


async def _piped() -> AsyncIterator[str]:
    """Lines of a pipe or a file. A reading thread would keep the process alive until the pipe is closed."""
    if not stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        for line in sys.stdin:
            yield line.strip()
        return
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode(errors="replace").strip()
