"""The attacks, read from ``snippets/*.js``.

A file is a family. An attack begins with a line ``//? name: outcome | outcome {options}`` and goes on to the
next such line: the body of an async ``messageCreate`` handler, with its ``ctx``. Options:

``script``    the code is the whole script, not a handler
``events=N``  so many messages are sent to the attacker; 1 without it
``linger=S``  seconds to look on after its events have settled, for what it left behind
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).with_name("snippets")
_HEAD: Final = re.compile(r"//\? (?P<name>[^:]+): (?P<outcomes>[\w |]+?)(?: \{(?P<options>[^}]*)\})?")

OUTCOMES: Final = (
    "ok",
    "exception",
    "canceled",
    "exceededCpu",
    "exceededMemory",
    "killed",
    "quarantined",
)
"""From harmless to worst: of several, the last one counts."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """One attack, and what may become of the guild that runs it."""

    family: str
    name: str
    code: str = field(repr=False)
    expected: frozenset[str]
    whole_script: bool = False
    events: int = 1
    linger: float = 0.1

    @property
    def id(self) -> str:
        return f"{self.family}: {self.name}"

    @property
    def allowed(self) -> frozenset[str]:
        """``expected``; on a busy machine a limit on waiting may come before one on CPU time or memory."""
        greedy = self.expected & {"exceededCpu", "exceededMemory"}
        return self.expected | {"canceled"} if greedy else self.expected

    @property
    def script(self) -> str:
        """What is deployed."""
        if self.whole_script:
            return self.code
        return f"on('messageCreate', async (ctx) => {{\n{self.code}\n}});"


class BadHead(ValueError):
    """A line that begins an attack and does not read like one."""


def read(folder: Path = FOLDER) -> list[Snippet]:
    """All attacks, in the order of their files; raises BadHead."""
    return [snippet for file in sorted(folder.glob("*.js")) for snippet in _family(file)]


def _family(file: Path) -> list[Snippet]:
    _, *pieces = re.split(r"^(?=//\?)", file.read_text(), flags=re.MULTILINE)
    return [_snippet(file.stem, *piece.partition("\n")[::2]) for piece in pieces]


def _snippet(family: str, head: str, code: str) -> Snippet:
    found = _HEAD.fullmatch(head)
    outcomes = frozenset(found["outcomes"].split(" | ")) if found else frozenset[str]()
    if found is None or not outcomes <= set(OUTCOMES):
        raise BadHead(f"{family}.js: {head!r} should be '//? name: outcome | outcome {{options}}'")
    options = dict(option.partition("=")[::2] for option in (found["options"] or "").split())
    return Snippet(
        family,
        found["name"],
        code.strip(),
        outcomes,
        whole_script="script" in options,
        events=int(options.get("events", 1)),
        linger=float(options.get("linger", 0.1)),
    )
