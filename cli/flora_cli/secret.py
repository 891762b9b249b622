"""``flora secret``: keys and passwords of a guild's script. A value is no argument, and is never shown."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from flora_cli import show
from flora_cli.client import Api, segment
from flora_cli.config import find_project
from flora_cli.dotenv import read_values
from flora_cli.errors import NotThere
from flora_cli.options import ApiUrl, AsJson, Env, Guild, connect, one_guild
from flora_cli.output import note, print_json, standard_input, warn
from flora_cli.project_file import CONFIG, ProjectFile, read_project_file
from flora_core.allowed_hosts import parse_allowed_hosts
from flora_core.errors import InvalidInput

app: Final = typer.Typer(
    name="secret", help="Set a guild's secrets; their values are never shown.", no_args_is_help=True
)

Names = Annotated[list[str] | None, typer.Argument(help="The secret's name, as WEATHER_KEY.")]
Hosts = Annotated[
    list[str] | None,
    typer.Option("--host", help="A host that may see it; may be given several times.", metavar="HOST"),
]


@app.command()
def put(
    names: Names = None,
    *,
    host: Hosts = None,
    from_dotenv: Annotated[
        Path | None,
        typer.Option(help="Take values from NAME=value lines: of NAMES, else of those in flora.toml."),
    ] = None,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Set a secret: its value is asked for, or read from standard input. A deploy is not needed.

    Without --host, the hosts are those of flora.toml, else those it has.

    Example: flora secret put WEATHER_KEY --host api.example.com < key.txt
    """
    parse_allowed_hosts(host or ())
    project = _project()
    if from_dotenv is not None:
        values = _from_dotenv(from_dotenv, names, project)
    elif names is None or len(names) != 1:
        raise InvalidInput("name one secret, or take several with --from-dotenv .env")
    else:
        values = None
    with connect(api, env) as known:
        chosen = one_guild(known, guild)
        if values is None and names is not None:
            values = {names[0]: _asked_for_value(names[0])}
        assert values is not None
        hosts = _hosts(known, chosen, list(values), host, project)
        secrets = [
            {"name": name, "value": value, "allowed_hosts": hosts[name]} for name, value in values.items()
        ]
        if len(secrets) == 1:
            body = {name: secrets[0][name] for name in ("value", "allowed_hosts")}
            path = f"/secrets/{segment(chosen)}/{segment(str(secrets[0]['name']))}"
            answer = [known.call("PUT", path, dict[str, Any], body=body)]
        else:
            path = f"/secrets/{segment(chosen)}/bulk"
            answer = known.call("POST", path, list[dict[str, Any]], body={"secrets": secrets})
    for name in values:
        if not hosts[name]:
            warn(f"{name} may go nowhere yet: give it hosts with --host, or allowed_hosts in {CONFIG}")
    if json:
        print_json(answer)
    else:
        note(f"{', '.join(values)} set in guild {chosen}")


@app.command(name="list")
def list_secrets(*, guild: Guild = None, env: Env = None, api: ApiUrl = None, json: AsJson = False) -> None:
    """List the secrets and the hosts that may see them; values are never shown.

    Example: flora secret list
    """
    with connect(api, env) as known:
        found = known.get(f"/secrets/{segment(one_guild(known, guild))}", list[dict[str, Any]])
    if json:
        print_json(found)
    elif not found:
        note("there are none: flora secret put NAME --host api.example.com")
    else:
        rows = [
            (row["name"], row.get("source"), show.when(row.get("updated_at")), _hosts_of(row))
            for row in found
        ]
        show.print_rows(("NAME", "FROM", "CHANGED", "HOSTS"), rows)


@app.command()
def delete(
    name: Annotated[str, typer.Argument(help="The secret's name.")],
    *,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Delete a secret. Exits with 4 when there is none.

    Example: flora secret delete WEATHER_KEY
    """
    with connect(api, env) as known:
        path = f"/secrets/{segment(one_guild(known, guild))}/{segment(name)}"
        answer = known.call("DELETE", path, dict[str, Any])
    if not answer.get("deleted"):
        raise NotThere(f"there is no secret {name!r}; see: flora secret list")
    if json:
        print_json(answer)


def _hosts_of(row: Mapping[str, Any]) -> str:
    return ", ".join(row.get("allowed_hosts") or ()) or "none"


def _asked_for_value(name: str) -> str:
    """The value, from somebody or from standard input without its last newline."""
    if sys.stdin.isatty():
        return typer.prompt(f"Value of {name}", hide_input=True, err=True)
    value = standard_input()
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise InvalidInput(f"standard input should have the value of {name}, and is empty")
    return value


def _from_dotenv(file: Path, names: Sequence[str] | None, project: ProjectFile) -> dict[str, str]:
    """Values by the secrets' names; raises InvalidInput for one that is not there."""
    if not file.is_file():
        raise InvalidInput(f"--from-dotenv: there is no file {file}")
    wanted = list(names or project.secrets)
    if not wanted:
        raise InvalidInput(
            f"--from-dotenv: which of its values are secrets? Name them, or list them in {CONFIG} as "
            "[secrets.NAME]"
        )
    values = read_values(file)
    written = {name: project.secrets[name].env if name in project.secrets else "" for name in wanted}
    found = {name: values.get(written[name] or name, "") for name in wanted}
    missing = [written[name] or name for name in wanted if not found[name]]
    if missing:
        raise InvalidInput(f"{file.name} has no value for {', '.join(missing)}")
    return found


def _hosts(
    api: Api, guild: str, names: Sequence[str], given: Sequence[str] | None, project: ProjectFile
) -> dict[str, list[str]]:
    """Who may see each: what was said, else what the project says, else as it is."""
    said = {name: list(given) for name in names} if given else {}
    said = {
        **{name: secret.allowed_hosts for name, secret in project.secrets.items() if secret.allowed_hosts},
        **said,
    }
    if all(name in said for name in names):
        return said
    present = {
        row["name"]: row.get("allowed_hosts") or []
        for row in api.get(f"/secrets/{segment(guild)}", list[dict[str, Any]])
        if row.get("source") != "kubernetes"
    }
    return {name: said.get(name) or present.get(name, []) for name in names}


def _project() -> ProjectFile:
    folder = find_project(Path.cwd())
    return read_project_file(folder) if folder is not None else ProjectFile()
