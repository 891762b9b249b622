"""What a ``.gitignore`` keeps out of a project, so that generated files and secrets stay at home.

Git's own rules (gitignore(5)), for the one file at the top of the folder; those further down,
``.git/info/exclude`` and the user's global one are not read.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    ignores: bool
    folders_only: bool


class Ignore:
    """The rules of one ``.gitignore``."""

    def __init__(self, text: str = "") -> None:
        self._rules = [rule for line in text.splitlines() if (rule := _rule(line)) is not None]

    def ignores(self, path: str, *, folder: bool) -> bool:
        """Whether ``path``, relative to the ``.gitignore``, is left out. The last rule that matches decides.

        As in git, nothing below an ignored folder can be brought back: whoever walks must not enter it.
        """
        for rule in reversed(self._rules):
            if (folder or not rule.folders_only) and rule.pattern.fullmatch(path):
                return rule.ignores
        return False


def _rule(line: str) -> _Rule | None:
    pattern = re.sub(r"(?<!\\)\s+$", "", line)
    if not pattern or pattern.startswith("#"):
        return None
    ignores = not pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    folders_only = pattern.endswith("/")
    pattern = pattern.rstrip("/")
    anchored = "/" in pattern
    try:
        compiled = re.compile(("" if anchored else "(?:.*/)?") + _regex(pattern.removeprefix("/")))
    except re.error:
        return None  # git, too, passes over a pattern that makes no sense
    return _Rule(compiled, ignores, folders_only)


_TOKEN = re.compile(
    r"(?P<tree>^\*\*/|/\*\*/|/\*\*$)|(?P<stars>\*+)|(?P<one>\?)"
    r"|(?P<set>\[[!^]?(?:\]|\\.|[^]\\])(?:\\.|[^]\\])*\])|\\(.)|(.)"
)


def _regex(pattern: str) -> str:
    return "".join(_translated(token) for token in _TOKEN.finditer(pattern))


def _translated(token: re.Match[str]) -> str:
    if token["tree"]:
        return {"**/": "(?:.*/)?", "/**/": "/(?:.*/)?", "/**": "/.*"}[token["tree"]]
    if token["stars"]:
        return "[^/]*"
    if token["one"]:
        return "[^/]"
    if token["set"]:
        return _translated_set(token["set"][1:-1])
    if token[6] == "[":
        raise re.error("a set without end")
    return re.escape(token[5] or token[6])


def _translated_set(inner: str) -> str:
    """``inner`` of ``[inner]``. As in git, a range that runs backwards is its first character."""
    negated = inner[0] in "!^"
    items: list[str] = []
    rest = inner[1:] if negated else inner
    while rest:
        first, rest = (rest[1], rest[2:]) if rest[0] == "\\" and len(rest) > 1 else (rest[0], rest[1:])
        items.append(re.escape(first))
        if len(rest) > 1 and rest[0] == "-":
            last, rest = rest[1], rest[2:]
            if first < last:
                items.append(f"{re.escape(first)}-{re.escape(last)}")
    return f"(?!/)[{'^' if negated else ''}{''.join(items)}]"
