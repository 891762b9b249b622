"""The command line of ``flora send``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import httpx
import msgspec
import typer

from flora_cli.errors import CliError, Unavailable
from flora_cli.options import AsJson, ProjectFolder
from flora_core.errors import InvalidInput
from flora_core.running import Running, all_running, choose
from flora_core.wire import UNREADABLE
from flora_core.wire.gateway import OpError
from flora_dev.say_route import LONGEST_SECONDS, PATH, Say
from flora_dev.talk import Exchange
from flora_dev.view import View

AFTERWARDS_SECONDS: Final = 10.0
"""Whoever waits for an answer gives up so much later than who looks for it."""


def send(
    line: Annotated[str, typer.Argument(help="A message, '/command option:value', ':click ID' …")],
    *,
    channel: Annotated[str, typer.Option(help="Where it is said: a channel's name or id.")] = "general",
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for an answer.", min=0.1, max=LONGEST_SECONDS)
    ] = 10.0,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """Say something to the bot of a running `flora dev`, and show what comes back.

    What can be typed at the prompt of `flora dev` can be sent: a message, a slash command, :click, :select,
    :modal, :complete, :react. Exits with 1 when nothing comes back.

    Example: flora send '/hello name:Ada'
    """
    if not line.strip():
        raise InvalidInput("there is nothing to send: write a message, or a command as '/hello name:Ada'")
    session = choose(all_running(), here=Path.cwd(), wanted=project)
    answer = _ask(session, Say(line, channel, timeout))
    try:
        exchange = msgspec.json.decode(answer, type=Exchange)
    except UNREADABLE as error:
        raise CliError(f"`flora dev` answers in another way than expected: {error}; start it anew") from None
    View(as_json=json, many_guilds=False).exchange(exchange, timeout=timeout)
    raise typer.Exit(0 if exchange.answered else 1)


def _ask(session: Running, say: Say) -> bytes:
    """The answer; raises InvalidInput or Unavailable."""
    try:
        response = httpx.post(
            f"{session.control}{PATH}",
            content=msgspec.json.encode(say),
            headers={"Authorization": f"Bearer {session.control_token}"},
            timeout=LONGEST_SECONDS + AFTERWARDS_SECONDS,
            trust_env=False,
        )
    except httpx.HTTPError as error:
        raise Unavailable(f"`flora dev` does not answer ({error}); is it still running?") from None
    if response.is_success:
        return response.content
    try:
        raise InvalidInput(msgspec.json.decode(response.content, type=OpError).message)
    except UNREADABLE:
        raise Unavailable(f"`flora dev` answered {response.status_code}; start it anew") from None
