"""Slash commands as people type them: ``/name sub opt:value opt2:"two words"``.

Reading needs the registered commands: a word is a subcommand where the command has some, and ``x:`` starts
an option only where ``x`` is one, so that ``text:see http://example.org now`` needs no quotes. Errors say
what would have been right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flora_simulator.errors import ActRefused
from flora_simulator.simcord_port import OptionType

Json = dict[str, Any]

_NESTING: Final = {OptionType.SUBCOMMAND, OptionType.SUBCOMMAND_GROUP}
_WORD: Final = re.compile(r"""(?:[^\s"]|"(?:\\.|[^"\\])*"?)+""")
_QUOTED: Final = re.compile(r'"((?:\\.|[^"\\])*)"')


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command found, and what was typed for its options."""

    command: Json
    path: list[str]
    """Names below the command: group, subcommand."""
    leaf: Json
    values: dict[str, str]

    @property
    def name(self) -> str:
        """As in ``/admin ban``."""
        return " ".join(["/" + self.command["name"], *self.path])


def read(text: str, commands: Sequence[Json]) -> Invocation:
    """The invocation that ``text`` is; raises ActRefused. Required options are not checked here."""
    words = _WORD.findall(text)
    if not words or not words[0].startswith("/"):
        raise ActRefused(f"{text!r} is no slash command; it starts with /")
    name, rest = words[0][1:], words[1:]
    command = next((command for command in commands if command["name"] == name), None)
    if command is None:
        known = ", ".join(usages(commands)) or "none are registered"
        raise ActRefused(f"there is no command /{name}; there are: {known}")
    leaf, path, rest = _descend(command, rest)
    invocation = Invocation(command, path, leaf, {})
    _read_options(invocation, rest)
    return invocation


def usages(commands: Iterable[Json]) -> list[str]:
    """How each command is typed, subcommands apart."""
    return [usage for command in commands for usage in _usages(f"/{command['name']}", command)]


def usage(name: str, leaf: Json) -> str:
    """As in ``/echo text:<string> [times:<integer>]``."""
    parts = [name]
    for option in leaf.get("options") or []:
        shown = f"{option['name']}:<{OptionType(option['type']).name.lower()}>"
        parts.append(shown if option.get("required") else f"[{shown}]")
    return " ".join(parts)


def _usages(name: str, node: Json) -> list[str]:
    children = _children(node)
    if not children:
        return [usage(name, node)]
    return [line for child in children for line in _usages(f"{name} {child['name']}", child)]


def _children(node: Json) -> list[Json]:
    return [option for option in node.get("options") or [] if option["type"] in _NESTING]


def _descend(command: Json, words: list[str]) -> tuple[Json, list[str], list[str]]:
    node, path = command, []
    while children := _children(node):
        name = " ".join(["/" + command["name"], *path])
        known = ", ".join(child["name"] for child in children)
        if not words:
            raise ActRefused(f"{name} needs a subcommand: {known}")
        child = next((child for child in children if child["name"] == words[0]), None)
        if child is None:
            raise ActRefused(f"{name} has no subcommand {words[0]}; it has: {known}")
        node, path, words = child, [*path, words[0]], words[1:]
    return node, path, words


def _read_options(invocation: Invocation, words: list[str]) -> None:
    declared = {option["name"] for option in invocation.leaf.get("options") or []}
    values = invocation.values
    current: str | None = None
    for word in words:
        name, colon, value = word.partition(":")
        if colon and name in declared:
            if name in values:
                raise ActRefused(f"{invocation.name}: option {name} is given twice")
            current = name
            values[name] = _unquoted(value)
        elif current is not None:
            values[current] += f" {_unquoted(word)}"
        else:
            wanted = usage(invocation.name, invocation.leaf)
            what = f"has no option {name}" if colon else f"does not understand {word!r}"
            raise ActRefused(f"{invocation.name} {what}; usage: {wanted}")


def _unquoted(text: str) -> str:
    return _QUOTED.sub(lambda match: re.sub(r"\\(.)", r"\1", match[1]), text)
