"""What Discord accepts as an application command (interactions/application-commands).

SimCord stores whatever it gets; scripts are written by people, so the simulator says what Discord would.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from flora_simulator.discord_errors import form_error
from flora_simulator.simcord_port import AppCommandType, BackendError, OptionType

Json = dict[str, Any]
Complaint = tuple[str, str, str]
"""Path of a field, Discord's code, its text."""

MOST: Final = {AppCommandType.CHAT_INPUT: 100, AppCommandType.USER: 15, AppCommandType.MESSAGE: 15}
_MOST_OPTIONS: Final = 25
_NESTING: Final = {OptionType.SUBCOMMAND, OptionType.SUBCOMMAND_GROUP}
_REQUIRED: Final = ("BASE_TYPE_REQUIRED", "This field is required")


def check(commands: list[Any]) -> None:
    """Raise Discord's 50035 for the first command that is wrong, or 30032 for too many."""
    for index, command in enumerate(commands):
        complaints = _object(command) if isinstance(command, dict) else iter([("", "DICT_TYPE_CONVERT", "")])
        for path, code, text in complaints:
            raise form_error(f"{index}.{path}", code, text)
    names = Counter((command.get("type", 1), command["name"]) for command in commands)
    if repeated := [name for (_, name), count in names.items() if count > 1]:
        text = "Application command names must be unique"
        raise form_error(repeated[0], "APPLICATION_COMMANDS_DUPLICATE_NAME", text)
    for kind, most in MOST.items():
        if sum(1 for command in commands if command.get("type", 1) == kind) > most:
            raise BackendError(400, 30032, f"Maximum number of application commands reached ({most}).")


def _object(command: Json) -> Iterator[Complaint]:
    kind = command.get("type", 1)
    if kind not in set(AppCommandType):
        yield "type", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3}."
    elif kind == AppCommandType.CHAT_INPUT:
        yield from _name(command)
        yield from _description(command)
        yield from _options(command.get("options") or [])
    elif not 1 <= len(str(command.get("name") or "")) <= 32:
        yield "name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 32 in length."


def _name(thing: Json) -> Iterator[Complaint]:
    name = thing.get("name")
    if not isinstance(name, str) or not name:
        yield "name", *_REQUIRED
    elif len(name) > 32:
        yield "name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 32 in length."
    elif name != name.lower() or not all(_belongs_in_a_name(char) for char in name):
        text = f"Command name is invalid: {name!r} (lower-case letters, digits, - and _, no spaces)"
        yield "name", "APPLICATION_COMMAND_INVALID_NAME", text


def _belongs_in_a_name(char: str) -> bool:
    return char in "-_'" or unicodedata.category(char)[0] in "LNM"


def _description(thing: Json) -> Iterator[Complaint]:
    description = thing.get("description")
    if not description:
        yield "description", *_REQUIRED
    elif not isinstance(description, str) or len(description) > 100:
        yield "description", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length."


def _options(options: list[Json]) -> Iterator[Complaint]:
    if len(options) > _MOST_OPTIONS:
        yield "options", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length."
    optional_seen = False
    for index, option in enumerate(options):
        path = f"options.{index}"
        for inner, code, text in _option(option):
            yield f"{path}.{inner}", code, text
        if option.get("required") and optional_seen:
            text = "Required options must be placed before non-required options"
            yield path, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text
        optional_seen = optional_seen or not option.get("required")
    if len({option.get("name") for option in options}) < len(options):
        text = "Option names must be unique"
        yield "options", "APPLICATION_COMMAND_OPTIONS_NAME_NOT_UNIQUE", text


def _option(option: Json) -> Iterator[Complaint]:
    if option.get("type") not in set(OptionType):
        yield "type", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}."
        return
    yield from _name(option)
    yield from _description(option)
    if len(option.get("choices") or []) > _MOST_OPTIONS:
        yield "choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length."
    if option["type"] in _NESTING:
        yield from _options(option.get("options") or [])
