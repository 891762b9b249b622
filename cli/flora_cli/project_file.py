"""``flora.toml``: what a project says of itself. Everything in it is optional.

name = "my-bot"
entrypoint = "src/main.ts"

[env.production]
guilds = ["123456789012345678"]
api = "https://flora.example.com"

[secrets.API_KEY]
allowed_hosts = ["api.example.com"]
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from flora_core.allowed_hosts import parse_allowed_hosts
from flora_core.errors import InvalidInput
from flora_core.ids import parse_guild_id

CONFIG: Final = "flora.toml"


class Environment(Struct, frozen=True, forbid_unknown_fields=True):
    """Guilds that go together, and the API that has them."""

    guilds: list[str] = []
    api: str = ""


class SecretEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A secret of the script. Its value is never in this file."""

    allowed_hosts: list[str] = []
    env: str = ""
    """Its name in ``.env``, when that is another."""


class ProjectFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    name: str = ""
    entrypoint: str = ""
    env: dict[str, Environment] = {}
    secrets: dict[str, SecretEntry] = {}


def read_project_file(folder: Path) -> ProjectFile:
    """That of ``folder``, empty when there is none; raises InvalidInput naming what is wrong."""
    path = folder / CONFIG
    try:
        file = msgspec.convert(tomllib.loads(path.read_text()), ProjectFile)
    except (FileNotFoundError, NotADirectoryError):
        return ProjectFile()
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidInput(f"{CONFIG}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{CONFIG}: cannot be read: {type(error).__name__}") from None
    for name, entry in file.secrets.items():
        try:
            parse_allowed_hosts(entry.allowed_hosts)
        except InvalidInput as error:
            raise InvalidInput(f"{CONFIG}: secrets.{name}.allowed_hosts: {error}") from None
    return file


def entrypoint_of(folder: Path, given: str | None) -> str | None:
    """The script's first file as it was given, or as ``flora.toml`` has it; None for the usual one."""
    return given or read_project_file(folder).entrypoint or None


def guilds_of(file: ProjectFile, guilds: list[str], env: str | None) -> list[str]:
    """The guilds that are meant: those that were named, or those of ``[env.NAME]``; raises InvalidInput."""
    if guilds and env is not None:
        raise InvalidInput("--guild and --env both say which guilds; use one")
    if env is not None:
        if env not in file.env:
            there = ", ".join(file.env) or "none"
            raise InvalidInput(f"--env: there is no [env.{env}] in {CONFIG}; there are: {there}")
        guilds = file.env[env].guilds
        if not guilds:
            raise InvalidInput(f'--env: [env.{env}] in {CONFIG} names no guilds; write guilds = ["…"]')
    if not guilds:
        hint = f", or --env {next(iter(file.env))}" if file.env else ""
        raise InvalidInput(f"which guild? Name it with --guild ID{hint}")
    field = "--guild" if env is None else f"{CONFIG}: env.{env}.guilds"
    return list(dict.fromkeys(parse_guild_id(guild, field=field) for guild in guilds))
