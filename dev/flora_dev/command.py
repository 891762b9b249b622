"""The command line of ``flora dev``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from flora_cli.project_file import entrypoint_of
from flora_core.errors import InvalidInput
from flora_core.ids import GuildId, parse_guild_id
from flora_dev import talk
from flora_dev.asks import Ask, RunJob, parse_kv
from flora_dev.prompt import prompt
from flora_dev.session import DevSession, Options, RealDiscord
from flora_dev.sources import FolderSource, ManifestSource
from flora_dev.state import KEPT
from flora_dev.talk import Said
from flora_dev.view import View
from flora_simulator.world_spec import DEV_GUILD

DISCORD: Final = "https://discord.com/api/v10"

GIVEN_DATABASES: Final = {
    "FLORA_DEV_POSTGRES_URL": "API_DATABASE_URL",
    "FLORA_DEV_REDIS_URL": "API_REDIS_URL",
}
"""Databases to be used instead of ones of its own. They have passwords: no arguments."""

SAYS: Final[dict[str, Callable[[str], Said | Ask]]] = {
    "--send": talk.message,
    "--slash": talk.slash,
    "--click": talk.click,
    "--select": talk.select,
    "--modal": talk.modal,
    "--cron": RunJob,
    "--kv": parse_kv,
    "--autocomplete": talk.autocomplete,
}


def dev(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with the script, as made by `flora init`.")
    ] = None,
    *,
    deployments: Annotated[
        Path | None,
        typer.Option(
            help="Folder of GuildDeployment YAML files instead: any number of guilds.", metavar="DIR"
        ),
    ] = None,
    send: Annotated[list[str] | None, typer.Option(help="Write a message; show the answer.")] = None,
    slash: Annotated[
        list[str] | None, typer.Option(help="Run a slash command: '/name option:value'.")
    ] = None,
    click: Annotated[list[str] | None, typer.Option(help="Press a button.", metavar="CUSTOM_ID")] = None,
    select: Annotated[
        list[str] | None, typer.Option(help="Choose in a select.", metavar="CUSTOM_ID=VALUE")
    ] = None,
    modal: Annotated[
        list[str] | None, typer.Option(help="Submit the open modal.", metavar="'FIELD=VALUE …'")
    ] = None,
    cron: Annotated[
        list[str] | None, typer.Option(help="Run a job by the clock now.", metavar="NAME")
    ] = None,
    kv: Annotated[
        list[str] | None, typer.Option(help="Show what is in a store.", metavar="STORE[/PREFIX]")
    ] = None,
    persist: Annotated[
        bool, typer.Option("--persist", help="Keep storage between runs, in the folder's .flora/dev.")
    ] = False,
    autocomplete: Annotated[
        list[str] | None,
        typer.Option(help="Type in a slash command's last option.", metavar="'/NAME OPTION:TEXT'"),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for each answer.", min=0.1)] = 10.0,
    guild: Annotated[
        str | None, typer.Option(help="The guild to serve; with --deployments the one to ask.")
    ] = None,
    entrypoint: Annotated[str | None, typer.Option(help="The script's first file.")] = None,
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1, max=64)] = 1,
    secret: Annotated[
        list[str] | None,
        typer.Option(help="Take a secret from the environment, or ask for it.", metavar="NAME"),
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Keep storage in this folder; the parts' logs are there too.")
    ] = None,
    api: Annotated[
        bool,
        typer.Option(
            "--api/--no-api", help="Have an API that other commands of flora reach.", envvar="FLORA_DEV_API"
        ),
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for scripts.")] = False,
) -> None:
    """Run a script on this machine: simulated Discord, gateway, runtime pod.

    Saving a file deploys it again. With DISCORD_TOKEN set, joins the Discord at DISCORD_API_URL (by default
    Discord's own) instead of simulating one. With --send, --slash, --click, --select, --modal or
    --autocomplete (repeatable, in order) says that, with --cron and --kv runs a job or shows storage, and
    exits: 0 when all was answered and ran well, 1 when something was not.

    Example: flora dev examples/basic --send '!ping'
    """
    del send, slash, click, select, modal, autocomplete, cron, kv  # ``ordered_says`` takes them in order
    token = os.environ.get("DISCORD_TOKEN", "")
    if (folder is None) == (deployments is None):
        raise InvalidInput("name a folder with a script (flora dev my-bot), or use --deployments DIR")
    if token and deployments is None and guild is None:
        raise InvalidInput("DISCORD_TOKEN is set, so this joins a real Discord: say where with --guild ID")
    if persist and state_dir is not None:
        raise InvalidInput("--persist names the folder itself; use it or --state-dir")
    says = ordered_says(sys.argv[1:])
    if token and any(isinstance(said, Said) for said in says):
        raise InvalidInput("only in a simulated Discord can flora speak as a member; unset DISCORD_TOKEN")
    guild_id = parse_guild_id(guild, field="--guild") if guild else GuildId(DEV_GUILD)
    if deployments is not None and secret:
        raise InvalidInput(f"--secret is for one folder; write the values into {deployments}/.env")
    given = {name: _value_of(name) for name in secret or ()}
    if deployments is not None:
        source = ManifestSource(deployments)
    else:
        assert folder is not None
        start = entrypoint_of(folder, entrypoint)
        source = FolderSource(folder, guild_id, entrypoint=start, secrets=given)
    if persist:
        state_dir = source.folder / KEPT
    options = Options(
        source=source,
        guild=guild_id if guild else None,
        real=RealDiscord(token, os.environ.get("DISCORD_API_URL", DISCORD)) if token else None,
        says=says,
        timeout=timeout,
        workers=workers,
        state_dir=state_dir,
        fetch_allow=os.environ.get("RUNTIME_FETCH_ALLOW", ""),
        api=api,
        log=True,
        databases={
            name: os.environ[given] for given, name in GIVEN_DATABASES.items() if os.environ.get(given)
        },
    )
    view = View(as_json=json, many_guilds=deployments is not None)
    raise typer.Exit(asyncio.run(_run(options, view)))


def _value_of(secret: str) -> str:
    """From the environment, or typed in: never an argument, which everybody on the machine could read."""
    if not secret.isidentifier():
        raise InvalidInput(
            "--secret takes a name alone; its value comes from the environment, or is asked for"
        )
    value = os.environ.get(secret, "")
    if not value and sys.stdin.isatty():
        value = str(typer.prompt(secret, hide_input=True, err=True))
    if not value:
        raise InvalidInput(
            f"--secret {secret}: there is no such variable in the environment, and nobody to ask"
        )
    return value


async def _run(options: Options, view: View) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    working = asyncio.create_task(_serve(options, view))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    working.cancel() if stop.is_set() else None
    with contextlib.suppress(asyncio.CancelledError):
        return await working
    return 0 if not options.says else 130


async def _serve(options: Options, view: View) -> int:
    async with DevSession.start(options, view) as session:
        if options.says:
            return await _say_all(session, options.says)
        if options.source.__class__ is ManifestSource:
            view.table(session.controller.statuses)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(session.watch())
            if session.people is not None:
                await prompt(session, view)
                watching.cancel()
        return 0


async def _say_all(session: DevSession, says: Sequence[Said | Ask]) -> int:
    answered = [await session.do(said) for said in says] if session.any_ready else [False]
    await session.finish_checks()
    return 0 if all(answered) else 1


def ordered_says(arguments: Sequence[str]) -> list[Said | Ask]:
    """What to say and do, in the order of the command line, which Typer loses: it gathers options by name."""
    says: list[Said | Ask] = []
    words = iter(arguments)
    for word in words:
        name, separator, value = word.partition("=")
        if name in SAYS:
            says.append(SAYS[name](value if separator else next(words, "")))
    return says
