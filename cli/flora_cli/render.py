"""``flora render``: a project as GuildDeployment documents, for those who deploy by Git.

A GuildDeployment has the project's files and no npm packages: the operator bundles what is in it. So a
project with dependencies is rendered with ``--bundle``: bundled here, it becomes one file that needs nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import typer

from flora_cli.deployable import deployable, what_goes
from flora_cli.output import note
from flora_cli.project_file import ProjectFile, guilds_of, read_project_file
from flora_cli.scaffold import write_text
from flora_core.errors import InvalidInput
from flora_core.manifest import API_VERSION, KIND, parse_manifest

BUNDLED: Final = "bundle.js"
_BREAKS: Final = re.compile("[\r\x85\u2028\u2029\ufeff]")
"""What YAML takes for a line's end, or for nothing, unless it is escaped."""
SERVER_SIDE_BYTES: Final = 256 << 10
"""Above this plain ``kubectl apply`` has no room for the copy that it keeps beside the object."""


def render(
    folder: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    *,
    guild: Annotated[
        list[str] | None, typer.Option("-g", "--guild", help="For this guild; repeatable.")
    ] = None,
    env: Annotated[str | None, typer.Option(help="For the guilds of [env.NAME] in flora.toml.")] = None,
    bundle: Annotated[bool, typer.Option("--bundle", help="Bundle it here, npm packages included.")] = False,
    secret: Annotated[
        str | None, typer.Option("--secret", help="The Kubernetes Secret that has the secrets' values.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="Written into the documents.")
    ] = None,
    entrypoint: Annotated[str | None, typer.Option(help="The script's first file.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file instead of standard output.")
    ] = None,
    format: Annotated[Literal["yaml", "json"], typer.Option(help="How to write them.")] = "yaml",  # noqa: A002
) -> None:
    """Write GuildDeployment documents for a project, to be applied by kubectl or from Git.

    The files themselves are in them; with --bundle the one script that they make, which is what projects with
    npm packages need. Secrets are named, never written: --secret says which Kubernetes Secret has them.

    Example: flora render my-bot --env production -o guilds.yaml
    """
    file = read_project_file(folder)
    guilds = guilds_of(file, guild or [], env)
    source = _source(folder, entrypoint, bundle=bundle)
    secrets = _secrets(file, secret)
    documents = [document(one, source, secrets, namespace=namespace) for one in guilds]
    for one in documents:
        parse_manifest(one)
    text = as_yaml(documents) if format == "yaml" else as_json(documents)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)
    if sum(map(len, source["files"].values())) > SERVER_SIDE_BYTES:
        typer.echo("note: this is large; apply it with: kubectl apply --server-side -f …", err=True)


def document(
    guild: str, source: Mapping[str, Any], secrets: list[dict[str, Any]], *, namespace: str | None
) -> dict[str, Any]:
    """The GuildDeployment of one guild."""
    metadata: dict[str, Any] = {"name": f"guild-{guild}"}
    if namespace is not None:
        metadata["namespace"] = namespace
    spec: dict[str, Any] = {"guildId": guild, "source": dict(source)}
    if secrets:
        spec["secrets"] = secrets
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def as_json(documents: list[dict[str, Any]]) -> str:
    """One document, or a List of several."""
    whole = documents[0] if len(documents) == 1 else {"apiVersion": "v1", "kind": "List", "items": documents}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


def as_yaml(documents: list[dict[str, Any]]) -> str:
    """Documents one behind another; texts of several lines stay readable."""
    import yaml  # noqa: PLC0415  other commands do not need it

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as blocks."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = '"' if _BREAKS.search(value) else "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    def plain(_dumper: yaml.SafeDumper, _data: Any) -> bool:
        return True  # the same list in two documents is written twice: no anchors

    Dumper.add_representer(str, text)
    Dumper.ignore_aliases = plain  # pyright: ignore[reportAttributeAccessIssue]
    return yaml.dump_all(
        documents,
        Dumper=Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=10_000,
        explicit_start=len(documents) > 1,
    )


def _source(folder: Path, entrypoint: str | None, *, bundle: bool) -> dict[str, Any]:
    project = deployable(folder, entrypoint)
    note(what_goes(project))
    if bundle:
        return {"entrypoint": BUNDLED, "files": {BUNDLED: asyncio.run(_bundled(project))}}
    if project.dependencies:
        raise InvalidInput(
            "this project has npm packages, for which a GuildDeployment has no room: "
            "use --bundle, or flora deploy"
        )
    return {"entrypoint": project.entrypoint, "files": dict(project.files)}


async def _bundled(project: Any) -> str:
    """The bundle as a module. It is a promise of its own, which loading has to wait for."""
    from flora_core.toolchain import Toolchain  # noqa: PLC0415
    from flora_core.toolchain.paths import MAX_BYTES  # noqa: PLC0415

    async with Toolchain() as toolchain:
        code = (await toolchain.bundle(project)).bundle.code
    text = f"await {code.rstrip().removesuffix('//# sourceURL=bundle.js').rstrip()}\n"
    if len(text.encode()) > MAX_BYTES:
        raise InvalidInput(
            f"the bundle has {len(text.encode()):,} bytes and a GuildDeployment may have {MAX_BYTES:,}: "
            "use flora deploy, which stores it elsewhere"
        )
    return text


def _secrets(file: ProjectFile, secret: str | None) -> list[dict[str, Any]]:
    if not file.secrets:
        return []
    if secret is None:
        names = ", ".join(file.secrets)
        raise InvalidInput(
            f"flora.toml names secrets ({names}): say with --secret which Kubernetes Secret has their "
            "values, one key each"
        )
    return [
        {
            "name": name,
            "secretKeyRef": {"name": secret, "key": name},
            **({"allowedHosts": entry.allowed_hosts} if entry.allowed_hosts else {}),
        }
        for name, entry in file.secrets.items()
    ]
