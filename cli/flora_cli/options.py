"""Options that several commands have, and what they lead to: an API, and a guild there."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from flora_cli import completion, config, show
from flora_cli.client import Api
from flora_cli.errors import CliError, NotAllowed
from flora_cli.project_file import CONFIG
from flora_core.errors import InvalidInput
from flora_core.ids import parse_guild_id

Guild = Annotated[
    str | None,
    typer.Option(
        "--guild",
        "-g",
        help="The guild's id, where it is not clear.",
        envvar=config.GUILD,
        autocompletion=completion.guilds,
    ),
]
Env = Annotated[
    str | None,
    typer.Option(
        "--env",
        "-e",
        help="Environment of flora.toml: its guilds and its API.",
        metavar="NAME",
        autocompletion=completion.environments,
    ),
]
ApiUrl = Annotated[
    str | None,
    typer.Option(
        "--api", help="Address of the API, when it is another than usual; dev for `flora dev`.", metavar="URL"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ProjectFolder = Annotated[
    Path | None, typer.Option("--project", help="Folder of the `flora dev` to ask, instead of an API.")
]


class NotConfigured(CliError):
    """No API is configured."""


class GuildChoice(Struct, frozen=True):
    """A guild as ``GET /guilds`` has it."""

    id: str
    name: str = ""


def connect(api: str | None, env: str | None, *, folder: Path | None = None) -> Api:
    """The API that is meant, also by the project of ``folder``; raises NotConfigured, or InvalidInput."""
    target = config.resolve(api=api, env=env, folder=folder)
    if target is None:
        raise NotConfigured(
            f"no API is configured: flora login --api https://flora.example.com, or set {config.API_URL}; "
            "or start one on this machine: flora dev my-bot"
        )
    return Api(target)


def one_guild(api: Api, guild: str | None) -> str:
    """The guild that is meant: the one named, else the environment's, else the only one, else asked for.

    Raises InvalidInput when it is not clear and nobody can be asked.
    """
    if guild is not None:
        return parse_guild_id(guild, field="--guild")
    named = api.target.guilds
    if len(named) > 1:
        raise InvalidInput(f"which guild? Name it with --guild; the environment has {', '.join(named)}")
    if named:
        return parse_guild_id(named[0], field=f"{CONFIG}: guilds")
    try:
        there = api.get("/guilds", list[GuildChoice])
    except NotAllowed as error:
        if error.code != "TOKEN_LIMITED":
            raise
        raise InvalidInput(
            f"which guild? Name it with --guild or {config.GUILD}: this token may not list guilds"
        ) from None
    return _choose(there)


def several_guilds(api: Api, guilds: Sequence[str] | None) -> list[str]:
    """All guilds that are meant, each once; raises InvalidInput as ``one_guild``."""
    chosen = list(guilds or ()) or os.environ.get(config.GUILD, "").split() or list(api.target.guilds)
    if not chosen:
        return [one_guild(api, None)]
    return [parse_guild_id(guild, field="--guild") for guild in dict.fromkeys(chosen)]


def can_ask() -> bool:
    """Whether there is somebody to ask: in CI there is not."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Go on when ``yes`` was said or is said now; raises InvalidInput when nobody can be asked."""
    if yes:
        return
    if not can_ask():
        raise InvalidInput(f"{question} Say --yes when nobody can be asked")
    typer.confirm(question, abort=True, err=True)


def _choose(guilds: list[GuildChoice]) -> str:
    if not guilds:
        raise InvalidInput(
            "which guild? There is none where the bot is and you may deploy; invite it, or name one: --guild"
        )
    if len(guilds) == 1:
        return guilds[0].id
    if not can_ask():
        there = ", ".join(f"{guild.id} ({guild.name})" for guild in guilds[:20])
        raise InvalidInput(f"which guild? Name it with --guild or {config.GUILD}; there are {there}")
    for number, guild in enumerate(guilds, start=1):
        typer.echo(f"  {number}  {show.plain(guild.name)}  {guild.id}", err=True)
    while True:
        text = typer.prompt("Which guild?", err=True).strip()
        if text.isdecimal() and 1 <= int(text) <= len(guilds):
            return guilds[int(text) - 1].id
        typer.echo(f"a number from 1 to {len(guilds)}", err=True)
