"""``flora top``: what a guild's script uses, live."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from flora_cli import show
from flora_cli.client import segment
from flora_cli.errors import Unavailable
from flora_cli.options import ApiUrl, AsJson, Env, Guild, connect, one_guild
from flora_cli.output import print_json


def top(
    *,
    interval: Annotated[float, typer.Option(help="Seconds between looks.", min=1, max=60)] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Look once.")] = False,
    guild: Guild = None,
    api: ApiUrl = None,
    env: Env = None,
    json: AsJson = False,
) -> None:
    """Show what a guild's script uses: events, CPU, calls, storage. Live on a terminal.

    Example: flora top --guild 123456789012345678
    """
    with connect(api, env) as known:
        path = f"/usage/{segment(one_guild(known, guild))}"

        def look() -> dict[str, Any]:
            return known.get(path, dict[str, Any])

        if json:
            print_json(look())
        elif once or not sys.stdout.isatty():
            show.console().print(usage_view(look(), None, 0.0))
        else:
            _live(look, interval)


def _live(look: Any, interval: float) -> None:
    from rich.live import Live  # noqa: PLC0415  only here

    before, at = look(), time.monotonic()
    try:
        with Live(usage_view(before, None, 0.0), console=show.console(), auto_refresh=False) as live:
            while True:
                time.sleep(interval)
                try:
                    usage, now = look(), time.monotonic()
                except Unavailable as error:
                    live.update(
                        Group(usage_view(before, None, 0.0), Text(show.plain(str(error)), "yellow")),
                        refresh=True,
                    )
                    continue
                live.update(usage_view(usage, before, now - at), refresh=True)
                before, at = usage, now
    except KeyboardInterrupt:
        return


def usage_view(usage: dict[str, Any], before: dict[str, Any] | None, seconds: float) -> RenderableType:
    """One look; with the one ``before`` it, ``seconds`` ago, also how fast things grow."""
    made = show.table("", "SINCE LOADED", "NOW")
    for name, value in _counters(usage).items():
        rate = ""
        if before is not None and seconds > 0:
            grown = value - _counters(before).get(name, 0)
            rate = f"{grown / seconds:,.1f}/s" if grown >= 0 else "started anew"
        made.add_row(*show.cells([name, f"{value:,.0f}", rate]))
    made.add_row(*show.cells(["storage", _storage(usage.get("kv")), ""]))
    return Group(_headline(usage), made)


def _storage(kv: dict[str, int] | None) -> str:
    if kv is None:
        return "cannot be read now"
    return f"{show.size(kv['bytes'])} of {show.size(kv['limit_bytes'])}, {kv['keys']:,} keys"


def _headline(usage: dict[str, Any]) -> Text:
    if usage.get("quarantined"):
        why = show.plain(str(usage.get("quarantine_reason") or ""))
        return Text(f"{usage.get('guild_id')} quarantined: {why}; a new deploy lifts it", style="red")
    if usage.get("suspended_calls_until"):
        until = usage["suspended_calls_until"]
        return Text(f"{usage.get('guild_id')} calls to Discord are suspended until {until}", style="yellow")
    state = "awake" if usage.get("awake") else "asleep until its next event"
    return Text(f"{usage.get('guild_id')} {state}, loaded {usage.get('since') or '?'}", style="bold")


def _counters(usage: dict[str, Any]) -> dict[str, float]:
    events: dict[str, float] = usage.get("events") or {}
    outcomes: dict[str, float] = usage.get("outcomes") or {}
    return {
        "events": sum(events.values()),
        **{f"  {name}": count for name, count in sorted(events.items(), key=lambda each: -each[1])[:10]},
        **{f"ended {name}": count for name, count in sorted(outcomes.items())},
        "CPU ms": usage.get("cpu_milliseconds") or 0,
        "calls to Discord": usage.get("discord_calls") or 0,
        "fetches": usage.get("fetches") or 0,
        "log lines": usage.get("log_lines") or 0,
    }
