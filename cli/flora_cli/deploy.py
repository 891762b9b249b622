"""``flora deploy``: a project's script to one guild or several."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from msgspec import Struct
from rich.text import Text

from flora_cli import completion, output, show
from flora_cli.client import Api, segment
from flora_cli.deployable import deployable, what_goes
from flora_cli.deploying import SOURCE, Deployed, Ready, Step, explained, follow
from flora_cli.errors import CliError
from flora_cli.options import ApiUrl, AsJson, Env, connect, several_guilds
from flora_cli.output import note, print_json, warn
from flora_core.errors import BundleFailed, FloraError, InvalidInput
from flora_core.toolchain import Diagnostic, Project, Toolchain, render_all

BUNDLE_MAP: Final = "bundle.js.map"

Folder = Annotated[Path, typer.Argument(help="The project's folder.")]
Guilds = Annotated[
    list[str] | None,
    typer.Option(
        "--guild", "-g", help="A guild's id; may be given several times.", autocompletion=completion.guilds
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Take it over from whoever manages it in the cluster, as kubectl.")
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the script runs.")]


class Checked(Struct, frozen=True):
    """What a dry run is answered."""

    ok: bool = True
    warnings: list[Diagnostic] = []
    bytes: int = 0


def deploy(
    folder: Folder = Path(),
    *,
    guild: Guilds = None,
    env: Env = None,
    entrypoint: Annotated[
        str | None, typer.Option(help="The script's first file, when it is not src/main.ts.")
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What is new, for the history.")] = "",
    expected_revision: Annotated[
        str | None,
        typer.Option(help="Deploy only when this revision is the newest.", metavar="ID"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and bundle; change nothing.")] = False,
    wait: Wait = True,
    force: Force = False,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Deploy a project to a guild, or to several.

    Tests (*.test.ts) and what .gitignore and .floraignore name stay here. npm packages of the project are
    bundled here, everything else by the API. With several guilds each is tried; the exit code is 1 when one
    of them failed.

    Example: flora deploy my-bot --guild 123456789012345678 -m "greets newcomers"
    """
    project = deployable(folder, entrypoint)
    note(what_goes(project))
    with connect(api, env, folder=folder) as known:
        guilds = several_guilds(known, guild)
        if expected_revision is not None and len(guilds) > 1:
            raise InvalidInput("--expected-revision: revisions belong to one guild; deploy to one at a time")
        request = {
            "entry": project.entrypoint,
            **_sources(project),
            **({"message": message} if message else {}),
            **({"expected_revision": expected_revision} if expected_revision else {}),
        }
        body = msgspec.json.encode(request)
        query = {"dry_run": dry_run, "force": force}
        failures: list[FloraError] = []
        for each in guilds:
            try:
                _deploy(known, each, body, query, wait=wait, json=json)
            except FloraError as error:
                if len(guilds) == 1:
                    raise
                failures.append(error)
                output.error(f"{each}: error: {error}")
                if json:
                    print_json({"guild_id": each, "ok": False, "error": str(error)})
    if failures:
        raise CliError(f"{len(failures)} of {len(guilds)} guilds failed")


def _deploy(api: Api, guild: str, body: bytes, query: Mapping[str, bool], *, wait: bool, json: bool) -> None:
    headers = {**SOURCE, "Content-Type": "application/json"}
    path = f"/deployments/{segment(guild)}"
    try:
        if query["dry_run"]:
            checked = api.call("POST", path, Checked, body=body, headers=headers, query=query)
            _tell_checked(guild, checked, json=json)
            return
        deployed = api.call("POST", path, Deployed, body=body, headers=headers, query=query)
    except FloraError as error:
        raise explained(error) from None
    finish(api, deployed, wait=wait, json=json)


def finish(api: Api, deployed: Deployed, *, wait: bool, json: bool) -> None:
    """Follow a deploy that was accepted, and tell how it ended; raises as ``follow``."""
    guild = deployed.guild_id
    ready: Ready | None = None
    if wait:
        ready = follow(api, deployed, say=lambda step: _say(guild, step))
    if json:
        facts: dict[str, Any] = {"guild_id": guild, "ok": True, "revision_id": deployed.revision_id}
        if ready is not None:
            facts |= {"pod": ready.pod, "milliseconds": ready.milliseconds}
        print_json(facts)
        return
    state = "deployed" if ready is None else "ready"
    where = f" on {ready.pod}" if ready is not None and ready.pod else ""
    took = f" in {ready.milliseconds / 1000:.1f} s" if ready is not None and ready.milliseconds else ""
    show.console().print(Text(f"{guild} {state}{where}{took}, revision {deployed.revision_id}"))
    if ready is None:
        note(f"how it goes on: flora status --guild {guild}")


def _sources(project: Project) -> dict[str, Any]:
    """The project as a deploy has it: with npm packages also bundled, because the API has none of these."""
    sources: dict[str, Any] = {
        "files": [{"path": path, "contents": text} for path, text in project.files.items()]
    }
    if not project.dependencies:
        return sources
    built = asyncio.run(_bundle(project))
    if built.warnings:
        warn(render_all(built.warnings))
    sources["bundle"] = built.bundle.code
    if built.bundle.source_map:
        sources["source_map"] = {"path": BUNDLE_MAP, "contents": built.bundle.source_map}
    return sources


async def _bundle(project: Project) -> Any:
    note("bundling the project with its npm packages …")
    try:
        async with Toolchain() as toolchain:
            return await toolchain.bundle(project)
    except BundleFailed as error:
        raise CliError(str(error)) from None


def _tell_checked(guild: str, checked: Checked, *, json: bool) -> None:
    if json:
        print_json(
            {"guild_id": guild, "ok": checked.ok, "warnings": checked.warnings, "bytes": checked.bytes}
        )
        return
    if checked.warnings:
        warn(render_all(checked.warnings))
    show.console().print(Text(f"{guild} can be deployed: {checked.bytes:,} bytes; nothing was changed"))


def _say(guild: str, step: Step) -> None:
    note(f"{guild}  {step.step:<9} {step.message}".rstrip())
