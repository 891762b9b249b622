"""Commands for a project on this machine: init, check, bundle. None of them needs Node, or flora running."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from flora_cli.deployable import deployable
from flora_cli.options import AsJson
from flora_cli.output import print_json
from flora_cli.project_file import entrypoint_of
from flora_cli.scaffold import create_project, write_text, write_types
from flora_core.errors import InvalidInput
from flora_core.toolchain import Built, Diagnostic, Project, Toolchain, render_all

Folder = Annotated[Path, typer.Argument(help="The project's folder.")]
Entrypoint = Annotated[str | None, typer.Option(help="The script's first file, when it is not src/main.ts.")]
Template = Literal["basic", "components", "cron", "fetch", "kv", "moderation"]


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make.", metavar="NAME")],
    *,
    template: Annotated[Template, typer.Option("--template", "-t", help="What to begin with.")] = "basic",
) -> None:
    """Make a new project, with types for your editor.

    Templates: basic answers !ping and /hello; components has selects and forms; cron reminds people, by a
    job by the clock; fetch asks a service with a secret key; kv counts for good; moderation warns, bans and
    tidies.

    Example: flora init my-bot --template moderation && flora dev my-bot
    """
    for path in create_project(folder, template):
        typer.echo(f"  {folder / path}")
    typer.echo(f"\nNow: flora dev {folder}; or: flora test {folder}")


def check(folder: Folder = Path(), *, entrypoint: Entrypoint = None, json: AsJson = False) -> None:
    """Type check a project. Exits with 1 when there are errors.

    Example: flora check my-bot
    """
    project = Project.from_folder(folder, entrypoint=entrypoint_of(folder, entrypoint))
    diagnostics = asyncio.run(_check(project))
    if json:
        print_json(diagnostics)
    elif diagnostics:
        typer.echo(render_all(diagnostics, shown=50), err=True)
    errors = sum(diagnostic.severity == "error" for diagnostic in diagnostics)
    if not json:
        typer.echo(f"{errors} error{'s' * (errors != 1)} in {len(project.files)} files", err=bool(errors))
    raise typer.Exit(1 if errors else 0)


def bundle(
    folder: Folder = Path(),
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the code goes; its map beside it.")],
    entrypoint: Entrypoint = None,
    json: AsJson = False,
) -> None:
    """Bundle a project into the one script that an isolate runs.

    Example: flora bundle my-bot -o my-bot.js
    """
    if output.is_dir() or not output.parent.is_dir():
        raise InvalidInput(f"{output}: name a file in a folder that exists")
    built = asyncio.run(_bundle(deployable(folder, entrypoint)))
    code, source_map = output, output.with_name(f"{output.name}.map")
    write_text(code, built.bundle.code)
    write_text(source_map, built.bundle.source_map)
    size = code.stat().st_size
    if json:
        print_json({"sha256": built.bundle.sha256, "bytes": size, "warnings": built.warnings})
        return
    if built.warnings:
        typer.echo(render_all(built.warnings), err=True)
    typer.echo(f"{code}  {size:,} bytes  sha256 {built.bundle.sha256[:12]}")


def types(folder: Folder = Path()) -> None:
    """Write this flora's types into a project, for editors.

    Example: flora types my-bot
    """
    if not folder.is_dir():
        raise InvalidInput(f"there is no folder {folder}")
    typer.echo(folder / write_types(folder))


async def _check(project: Project) -> list[Diagnostic]:
    async with Toolchain() as toolchain:
        return await toolchain.check(project)


async def _bundle(project: Project) -> Built:
    async with Toolchain() as toolchain:
        return await toolchain.bundle(project)
