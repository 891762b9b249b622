"""What the author sees: scripts' logs, mapped errors, the bot's answers, the state of each guild.

Colour only on a terminal (rich decides, and honours NO_COLOR). With ``--json`` every line is one object,
for scripts: ``{"event": "log" | "answer" | "cron" | "kv" | "status" | "error" | "ready", …}``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from flora_cli import show
from flora_core.ids import GuildId, PodName
from flora_core.toolchain import Diagnostic, render_all
from flora_core.wire.control import LogLine, ScriptError
from flora_dev import answers_view
from flora_dev.asks import JobRun, KvPage
from flora_dev.controller import POD, Condition, GuildStatus
from flora_dev.logbook import KeptLine
from flora_dev.talk import Exchange
from flora_simulator.wire import Action

SourceLine = Callable[[GuildId, str, int], str | None]

_PLACE = re.compile(r"\(?(?P<file>[^\s()]+):(?P<line>\d+):(?P<column>\d+)\)?$")


class View:
    """Writes to standard output; implements ``flora_dev.controller.Audience``."""

    def __init__(self, *, as_json: bool, many_guilds: bool) -> None:
        self._json = as_json
        self._many = many_guilds
        self._console = show.console()
        self.source_line: SourceLine = lambda _guild, _file, _line: None
        """Where lines of the author's come from, for the frame under an error."""

    # ---------------------------------------------------------------- Audience

    def on_status(self, status: GuildStatus) -> None:
        if self._json:
            self._emit("status", guild=status.guild, reason=status.reason, revision=status.revision)
        elif status.reason is Condition.LOADED and status.loaded is not None:
            events = ", ".join(status.loaded.events) or "no events"
            count = status.loaded.commands
            commands = f", {count} slash command{'s' * (count != 1)}" if count else ""
            self._line(
                "green",
                f"● {status.name} is live (revision {status.revision}, {status.loaded.milliseconds:.0f} ms)"
                f" — {events}{commands}",
            )
        elif status.reason is Condition.QUARANTINED:
            self._line("bold red", f"✗ {status.name} is {status.message}")

    def on_error(self, status: GuildStatus, error: ScriptError) -> None:
        if self._json:
            self._emit("error", guild=status.guild, message=error.message, stack=error.stack)
            return
        runs_on = "what ran before still runs" if status.loaded else "nothing runs yet"
        self._line("bold red", f"✗ {status.name} is not deployed; {runs_on}")
        self._line("red", error.message)
        self._stack(status.guild, error.stack)

    def on_diagnostics(self, guild: GuildId, diagnostics: Sequence[Diagnostic]) -> None:
        if self._json:
            self._emit("diagnostics", guild=guild, diagnostics=list(diagnostics))
            return
        errors = sum(diagnostic.severity == "error" for diagnostic in diagnostics)
        if errors:
            self._line("yellow", f"! {errors} type error{'s' * (errors != 1)}; the script runs all the same")
        self._line("yellow", render_all(diagnostics))

    def on_log(self, pod: PodName, line: LogLine) -> None:
        del pod
        if self._json:
            fields = {name: value for name, value in msgspec.structs.asdict(line).items() if value}
            self._emit("log", **{"handling" if name == "event" else name: fields[name] for name in fields})
            return
        self._console.print(show.log_line(line, guild=self._many))
        self._stack(GuildId(line.guild), line.stack)

    # ---------------------------------------------------------------- the session

    def say(self, text: str, *, style: str = "dim") -> None:
        """A remark of flora's own."""
        if not self._json:
            self._line(style, text)

    def ready(self, seconds: float, **facts: Any) -> None:
        """Everything is up."""
        if self._json:
            self._emit("ready", seconds=round(seconds, 2), **facts)
        else:
            self._line("dim", f"ready in {seconds:.1f} s")

    def api(self, url: str, *, seconds: float) -> None:
        """The API is there."""
        if self._json:
            self._emit("api", url=url, seconds=round(seconds, 2))
        else:
            self._line(
                "dim",
                f"the API is at {url} after {seconds:.1f} s: flora deploy, logs, kv, secret, … reach it",
            )

    def no_api(self, why: str) -> None:
        """It is not, or not any more."""
        if self._json:
            self._emit("api", url=None, message=why)
        else:
            self._line("yellow", f"! there is no API: {why}")
            self._line("yellow", "  the bot goes on; flora deploy, logs, kv, secret, … do not reach it")

    def exchange(self, exchange: Exchange, *, timeout: float) -> None:
        """What was said and what came back."""
        if self._json:
            answers = [_plain(action) for action in exchange.answers]
            self._emit("answer", said=exchange.said, answers=answers, refused=exchange.refused or None)
            return
        if exchange.refused:
            self._line("red", f"✗ {exchange.refused}")
        elif not exchange.answers:
            self._line("yellow", f"✗ {exchange.said}: no answer within {timeout:g} s")
        for action in exchange.answers:
            for line in _readable(action):
                self._line("cyan", line)

    def job(self, run: JobRun) -> None:
        """A job that was run on demand, and what it did."""
        if self._json:
            answers = [_plain(action) for action in run.answers]
            self._emit("cron", **answers_view.job_fields(run), answers=answers)
            return
        for action in run.answers:
            for line in _readable(action):
                self._line("cyan", line)
        self._show(answers_view.job(run))

    def kv(self, page: KvPage) -> None:
        """Storage."""
        if self._json:
            self._emit("kv", **answers_view.kv_fields(page))
        else:
            self._show(answers_view.kv(page))

    def logs(self, lines: Sequence[KeptLine]) -> None:
        """Log lines from before."""
        if self._json:
            self._emit("logs", **answers_view.log_fields(lines))
        else:
            self._show(answers_view.logs(lines))

    def refused(self, what: str, why: str) -> None:
        """Something that was asked for could not be done."""
        if self._json:
            self._emit("refused", asked=what, message=why)
        else:
            self._line("red", f"✗ {why}")

    def table(self, statuses: Iterable[GuildStatus]) -> None:
        """The guilds, as ``kubectl get gd`` shows them."""
        if self._json:
            for status in statuses:
                self._emit(
                    "guild",
                    name=status.name,
                    guild=status.guild,
                    ready=status.ready,
                    reason=status.reason,
                    message=status.message,
                    revision=status.revision,
                )
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("NAME", "GUILD", "READY", "REASON", "POD", "REVISION", "AGE"):
            table.add_column(column)
        for status in statuses:
            age = f"{time.time() - status.since:.0f}s"
            pod = POD if status.loaded else ""
            ready = str(status.ready)
            table.add_row(status.name, status.guild, ready, status.reason, pod, str(status.revision), age)
        self._console.print(table)

    def _stack(self, guild: GuildId, stack: str) -> None:
        """A mapped stack, and the line that its first frame in the author's own files is about."""
        shown = False
        for frame in stack.splitlines():
            self._line("red", f"    {frame.strip()}")
            place = _PLACE.search(frame)
            if place is None or shown:
                continue
            line, column = int(place["line"]), int(place["column"])
            source = self.source_line(guild, place["file"], line)
            if source is not None:
                shown = True
                self._line("default", f"      {line} | {source}")
                self._line("red", f"      {' ' * len(str(line))} | {' ' * (column - 1)}^")

    def _show(self, parts: Iterable[RenderableType]) -> None:
        for part in parts:
            self._console.print(part)

    def _line(self, style: str, text: str) -> None:
        self._console.print(Text(text, style=style))

    def _emit(self, event: str, **fields: Any) -> None:
        self._console.file.write(msgspec.json.encode({"event": event, **fields}).decode() + "\n")
        self._console.file.flush()


def _plain(action: Action) -> dict[str, Any]:
    """An answer for scripts: what matters first, the whole message behind it."""
    message = action.message or {}
    return {
        "kind": action.kind,
        "content": message.get("content"),
        "ephemeral": action.ephemeral,
        "message": message or None,
        "data": action.data or None,
    }


def _readable(action: Action) -> list[str]:
    """An answer for a person."""
    message = action.message or {}
    if action.kind == "modal":
        return [
            f"🤖 opened the modal {action.data.get('title', '')!r} (custom_id {action.data.get('custom_id')})"
        ]
    if action.kind == "choices":
        return [f"🤖 suggests {_choices(action.data.get('choices') or [])}"]
    if action.kind in ("reaction", "delete"):
        return [f"🤖 {action.kind}: {action.data.get('emoji') or action.data or ''}"]
    mark = (
        "🤖 " + ("(edited) " if action.kind == "edit" else "") + ("(only you) " if action.ephemeral else "")
    )
    lines = [mark + str(message.get("content") or "")]
    for embed in message.get("embeds") or []:
        lines.append(f"   ▌ {embed.get('title') or ''} {embed.get('description') or ''}".rstrip())
        lines += [f"   ▌ {field['name']}: {field['value']}" for field in embed.get("fields") or []]
    lines += [f"   {line}" for part in message.get("components") or [] for line in _component(part)]
    return lines


def _choices(choices: list[dict[str, Any]]) -> str:
    """Suggestions as they are shown, with their values where those are something else."""
    shown = [
        str(name) if name == value else f"{name} ({value})"
        for name, value in ((choice.get("name"), choice.get("value")) for choice in choices)
    ]
    return ", ".join(shown) or "nothing"


def _component(part: dict[str, Any]) -> list[str]:
    """Buttons, selects and texts of a component tree, one line each."""
    kind = part.get("type")
    inner = [*(part.get("components") or []), *([part["accessory"]] if part.get("accessory") else [])]
    lines: list[str] = []
    if kind == 2:
        lines.append(f"[{part.get('label') or '·'}]  ({part.get('custom_id') or part.get('url') or ''})")
    elif kind in (3, 5, 6, 7, 8):
        choices = ", ".join(str(option["value"]) for option in part.get("options") or [])
        lines.append(f"▾ {part.get('placeholder') or 'choose'}  ({part.get('custom_id')}: {choices})")
    elif kind == 10:
        lines.append(str(part.get("content", "")))
    for child in inner:
        lines += _component(child)
    return lines
