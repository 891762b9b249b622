"""The command line of ``flora send``."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from flora_cli.dev_access import RunningDev
from flora_cli.errors import CliError
from flora_cli.options import AsJson, ProjectFolder
from flora_core.errors import InvalidInput
from flora_core.wire import UNREADABLE
from flora_dev.say_route import LONGEST_SECONDS, PATH, Say
from flora_dev.talk import Exchange
from flora_dev.view import View


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
    body = msgspec.json.encode(Say(line, channel, timeout))
    answer = RunningDev.find(project).ask("POST", PATH, body)
    try:
        exchange = msgspec.json.decode(answer, type=Exchange)
    except UNREADABLE as error:
        raise CliError(f"`flora dev` answers in another way than expected: {error}; start it anew") from None
    View(as_json=json, many_guilds=False).exchange(exchange, timeout=timeout)
    raise typer.Exit(0 if exchange.answered else 1)
