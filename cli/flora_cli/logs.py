"""``flora logs``: what a guild's script printed, and what flora has to say about it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Final, Literal

import msgspec
import typer
from rich.console import Console

from flora_cli import show
from flora_cli.access import GuildAccess, RunningDev, Unreachable, choose_guild
from flora_cli.kv import AsJson, Guild, ProjectFolder
from flora_cli.moments import parse_moment
from flora_core.running import NothingRuns
from flora_core.wire.guilds import KeptLine, Still

Level = Literal["debug", "info", "warn", "error"]
PAUSE_SECONDS: Final = 0.5
"""Between attempts to reach again what is followed."""


def logs(
    *,
    number: Annotated[int, typer.Option("-n", "--limit", help="How many lines.", min=0, max=1000)] = 100,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes.")] = False,
    level: Annotated[Level, typer.Option(help="This level and the more serious ones.")] = "debug",
    grep: Annotated[str, typer.Option(help="Only lines with this text, in any case.")] = "",
    since: Annotated[str | None, typer.Option(help="10m, 2h, or a time as 2026-01-31T09:00.")] = None,
    guild: Guild = None,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """Show the newest lines of a guild's log (with `flora dev` running).

    With --follow it goes on, and finds a `flora dev` that was started anew.

    Example: flora logs -f --level warn
    """
    query = {"limit": str(number), "level": level, "grep": grep}
    if since is not None:
        query["since"] = str(max(0, int(parse_moment(since, now=time.time(), option="--since") * 1000)))
    printed = _Printer(json=json)

    def reach() -> tuple[GuildAccess, str]:
        access = RunningDev.find(project)
        return access, choose_guild(access.guilds(), guild)

    access, chosen = reach()
    if not follow:
        printed.all(access.logs(chosen, query))
        return
    try:
        _follow(reach, access, chosen, query, printed)
    except KeyboardInterrupt:
        return


class _Printer:
    """Prints lines, and remembers the last one's id."""

    def __init__(self, *, json: bool) -> None:
        self.last = 0
        self._json = json
        self._console: Console = show.console()

    def all(self, lines: Iterator[KeptLine | Still]) -> None:
        for line in lines:
            if isinstance(line, KeptLine):
                self._print(line)
                self.last = line.id

    def _print(self, line: KeptLine) -> None:
        if self._json:
            fields = {name: value for name, value in msgspec.structs.asdict(line).items() if value}
            self._console.file.write(msgspec.json.encode(fields).decode() + "\n")
            self._console.file.flush()
            return
        self._console.print(show.log_line(line, date=True))
        for frame in show.stack_lines(line.stack):
            self._console.print(frame)


def _follow(
    reach: Callable[[], tuple[GuildAccess, str]],
    access: GuildAccess,
    guild: str,
    query: dict[str, str],
    printed: _Printer,
) -> None:
    """Print for ever; what was printed is not asked for again after a break."""
    query = {**query, "follow": "1"}
    remarks = show.console(stderr=True)
    while True:
        with contextlib.suppress(Unreachable):
            printed.all(access.logs(guild, query))
        remarks.print("… the log ended; waiting for `flora dev` to come back", style="dim")
        access, guild = _reach_again(reach)
        if printed.last:
            query = {**query, "after": str(printed.last), "limit": "1000"}


def _reach_again(reach: Callable[[], tuple[GuildAccess, str]]) -> tuple[GuildAccess, str]:
    while True:
        time.sleep(PAUSE_SECONDS)
        try:
            return reach()
        except (Unreachable, NothingRuns):
            continue
