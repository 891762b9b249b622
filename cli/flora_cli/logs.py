"""``flora logs``: what a guild's script printed, and what flora has to say about it."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import typer
from rich.console import Console

from flora_cli import show
from flora_cli.access import Asked, reach
from flora_cli.moments import parse_moment
from flora_cli.options import ApiUrl, AsJson, Env, Guild, ProjectFolder
from flora_cli.output import note, print_json
from flora_cli.shapes import Line, LogQuery
from flora_core.errors import InvalidInput
from flora_core.wire.control import LogLine, Outcome

Level = Literal["debug", "info", "warn", "error"]


def logs(
    *,
    number: Annotated[int, typer.Option("-n", "--limit", help="How many lines.", min=0, max=1000)] = 100,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes.")] = False,
    level: Annotated[Level, typer.Option(help="This level and the more serious ones.")] = "debug",
    grep: Annotated[str, typer.Option(help="Only lines with this text, in any case.")] = "",
    since: Annotated[str | None, typer.Option(help="10m, 2h, or a time as 2026-01-31T09:00.")] = None,
    until: Annotated[str | None, typer.Option(help="The same; not with --follow.")] = None,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """Show the newest lines of a guild's log.

    With --follow it goes on, over breaks of the connection too, with each line once.

    Example: flora logs -f --level warn
    """
    if follow and until is not None:
        raise InvalidInput("--until: following has no end; leave out one of them")
    query = LogQuery(
        number, level, grep, _milliseconds(since, option="--since"), _milliseconds(until, option="--until")
    )
    printer = _Printer(json=json)
    with reach(Asked(guild, env, api, project)) as access:
        if not follow:
            for line in access.logs(query):
                printer.show(line)
            return
        try:
            for line in access.follow(query, on_break=lambda why: note(f"… {why}")):
                printer.show(line)
        except KeyboardInterrupt:
            return


class _Printer:
    """Prints lines."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._console: Console = show.console()

    def show(self, line: Line) -> None:
        if self._json:
            print_json(line)
            return
        self._console.print(show.log_line(_as_logged(line), date=True))
        for frame in show.stack_lines(line.stack or ""):
            self._console.print(frame)


def _as_logged(line: Line) -> LogLine:
    outcome = Outcome(line.outcome) if line.outcome in set(Outcome) else None
    return LogLine(line.guild_id, line.timestamp, line.level, line.message, line.target, outcome)


def _milliseconds(text: str | None, *, option: str) -> int | None:
    if text is None:
        return None
    return max(0, int(parse_moment(text, now=time.time(), option=option) * 1000))
