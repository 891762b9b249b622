"""What ``flora test`` prints."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable

import msgspec
from rich.console import Console
from rich.text import Text

from flora_cli import show
from flora_core.toolchain import Diagnostic, render, render_all
from flora_dev.testing.runner import Result

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("-", "dim")}
CONTEXT_LINES = 3


class Report:
    """Prints results as they come, and what they come to."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._console: Console = show.console()
        self._file = ""
        self._counts: Counter[str] = Counter()

    @property
    def failed(self) -> bool:
        return bool(self._counts["failed"])

    def add(self, result: Result) -> None:
        """One result."""
        self._counts[result.outcome] += 1
        if self._json:
            self._print_json({"event": "test", **msgspec.to_builtins(result)})
            return
        if result.file != self._file:
            self._console.print(Text(show.plain(result.file), style="bold"))
            self._file = result.file
        mark, style = MARKS[result.outcome]
        name = show.plain(result.name) or "the file cannot be run"
        line = Text(f"  {mark} ", style=style) + Text(name, style="dim" if style == "dim" else "default")
        if result.outcome == "passed":
            line += Text(f"  {result.milliseconds:.0f} ms", style="dim")
        self._console.print(line)
        for detail in details(result):
            self._console.print(detail)

    def finish(self, seconds: float) -> None:
        """The end."""
        counts = {name: self._counts[name] for name in ("passed", "failed", "skipped")}
        if self._json:
            self._print_json({"event": "done", **counts, "seconds": round(seconds, 3)})
            return
        parts = [f"{count} {name}" for name, count in counts.items() if count] or ["no test has such a name"]
        style = "red" if self.failed else "green" if counts["passed"] else "yellow"
        self._console.print(Text(f"\n{', '.join(parts)} in {seconds:.1f} s", style=style))

    def _print_json(self, value: object) -> None:
        self._console.file.write(msgspec.json.encode(value).decode() + "\n")
        self._console.file.flush()


def details(result: Result) -> Iterable[Text]:
    """Why a test failed: the message, the difference, the place, the frames, the log."""
    if result.diagnostics:
        yield _indented(render_all(result.diagnostics))
        return
    error = result.error
    if error is None:
        return
    yield _indented(show.plain(error.message), "red")
    if result.expected is not None and result.actual is not None:
        yield from difference(result.expected, result.actual)
    if result.frame is not None:
        yield _indented(code_frame(result))
    for frame in show.stack_lines(error.stack):
        yield Text("  ") + frame
    for level, text in result.logs:
        yield _indented(show.plain(f"{level}: {text}"), show.LEVEL_STYLES.get(level, "default"))


def code_frame(result: Result) -> str:
    """The author's line with a caret, as the bundler and the checker show theirs."""
    frame = result.frame
    assert frame is not None
    shown = render(
        Diagnostic(
            text="",
            file=frame.file,
            line=frame.line,
            column=frame.column,
            source_line=frame.source,
            caret=max(0, frame.column - 1),
        )
    )
    place = f"{frame.file}:{frame.line}:{frame.column}"
    return "\n".join([place, *shown.splitlines()[1:]])


def difference(expected: str, actual: str) -> list[Text]:
    """Both texts line by line: ``-`` is what should be, ``+`` what is."""
    lines = list(
        difflib.unified_diff(expected.splitlines(), actual.splitlines(), lineterm="", n=CONTEXT_LINES)
    )
    shown = [line for line in lines[2:] if not line.startswith("@@")]
    styles = {"-": "green", "+": "red"}
    head = Text("    - expected", style="green") + Text("  + actual", style="red")
    return [head, *(Text(f"    {show.plain(line)}", style=styles.get(line[:1], "dim")) for line in shown)]


def _indented(text: str, style: str = "default") -> Text:
    return Text("\n".join(f"    {line}" for line in text.splitlines()), style=style)
