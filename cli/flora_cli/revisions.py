"""What runs in guilds, what ran before, and going back to it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from flora_cli import show
from flora_cli.client import Api, segment
from flora_cli.deploy import Force, Wait, finish
from flora_cli.deployable import deployable
from flora_cli.deploying import SOURCE, Deployed, explained
from flora_cli.errors import NotThere
from flora_cli.options import ApiUrl, AsJson, Env, Guild, Yes, confirm, connect, one_guild
from flora_cli.output import note, print_json
from flora_core.errors import FloraError, InvalidInput

NOT_ROLLED_BACK: Final = "What scripts keep in KV, and secrets, stay as they are now."

_CHANGES: Final = {"added": "green", "removed": "red", "modified": "yellow"}


def list_deployments(*, api: ApiUrl = None, env: Env = None, json: AsJson = False) -> None:
    """List the guilds that have a script.

    Example: flora list
    """
    with connect(api, env) as known:
        rows = known.get("/deployments", list[dict[str, Any]])
    if json:
        print_json(rows)
    elif not rows:
        note("nothing is deployed yet: flora deploy")
    else:
        show.print_rows(("GUILD", "READY", "ENTRY", "UPDATED", "REVISION"), map(_deployment_row, rows))


def status(*, guild: Guild = None, api: ApiUrl = None, env: Env = None, json: AsJson = False) -> None:
    """Show whether a guild's script runs, where, and its last error.

    Example: flora status --guild 123456789012345678
    """
    with connect(api, env) as known:
        found = known.get(f"/deployments/{segment(one_guild(known, guild))}/status", dict[str, Any])
    if json:
        print_json(found)
        return
    console = show.console()
    ready = bool(found.get("ready"))
    console.print(
        Text(f"{'ready' if ready else 'not ready'}", style="green" if ready else "red")
        + Text(
            f"  {show.plain(str(found.get('reason') or ''))}  {show.plain(str(found.get('message') or ''))}"
        )
    )
    facts = show.table("", "")
    facts.show_header = False
    for name in ("guild_id", "revision_id", "pod", "loaded_at", "cron_jobs", "subscribed_events"):
        value = found.get(name)
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        if text not in {None, ""}:
            facts.add_row(*show.cells([name.replace("_", " "), text]))
    console.print(facts)
    error = found.get("last_error")
    if error and error.get("message"):
        console.print(Text(f"last error, {error.get('at', '')}: {show.plain(error['message'])}", style="red"))
        for frame in show.stack_lines(error.get("stack") or ""):
            console.print(frame)


def history(
    *,
    guild: Guild = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many.", min=1, max=100)] = 25,
    cursor: Annotated[str, typer.Option(help="Go on behind this place.")] = "",
    api: ApiUrl = None,
    env: Env = None,
    json: AsJson = False,
) -> None:
    """List the revisions of a guild's script, newest first.

    Example: flora history -n 5
    """
    with connect(api, env) as known:
        path = f"/deployments/{segment(one_guild(known, guild))}/history"
        page = known.get(path, dict[str, Any], limit=limit, cursor=cursor)
    if json:
        print_json(page)
        return
    if page["revisions"]:
        columns = ("REVISION", "STATUS", "DEPLOYED", "BY", "FROM", "MESSAGE")
        show.print_rows(columns, map(_revision_row, page["revisions"]))
    else:
        note("nothing was deployed yet")
    if page.get("cursor"):
        note(f"… and more: --cursor {page['cursor']}")


def diff(
    folder: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    *,
    old: Annotated[str, typer.Option("--from", help="A revision, instead of what runs.", metavar="ID")] = "",
    new: Annotated[str, typer.Option("--to", help="Another, instead of the folder.", metavar="ID")] = "",
    entrypoint: Annotated[str | None, typer.Option(help="The script's first file.")] = None,
    guild: Guild = None,
    api: ApiUrl = None,
    env: Env = None,
    json: AsJson = False,
) -> None:
    """Show what a deploy of this folder would change, or what changed between revisions.

    Example: flora diff my-bot
    """
    with connect(api, env, folder=folder) as known:
        chosen = segment(one_guild(known, guild))
        if new:
            found = known.get(
                f"/deployments/{chosen}/diff", dict[str, Any], **{"from": old or None, "to": new}
            )
            files: list[dict[str, Any]] = found["files"]
        else:
            project = deployable(folder, entrypoint)
            files = list(compare(_deployed_files(known, chosen, old), project.files))
            found = {"from": old, "to": "", "files": files}
    if json:
        print_json(found)
        return
    for each in files:
        _show_change(each)
    if not files:
        note("nothing differs")


def rollback(
    revision: Annotated[
        str, typer.Argument(help="Which to go back to; without it, the last good one before this.")
    ] = "",
    *,
    guild: Guild = None,
    message: Annotated[str, typer.Option("--message", "-m", help="Why, for the history.")] = "",
    yes: Yes = False,
    wait: Wait = True,
    force: Force = False,
    api: ApiUrl = None,
    env: Env = None,
    json: AsJson = False,
) -> None:
    """Go back to an earlier revision. What scripts keep in KV, and secrets, are not rolled back.

    Example: flora rollback --guild 123456789012345678
    """
    with connect(api, env) as known:
        chosen = one_guild(known, guild)
        to = f"revision {revision}" if revision else "the last good revision before the one that runs"
        if yes:
            note(NOT_ROLLED_BACK)
        confirm(f"Roll guild {chosen} back to {to}? {NOT_ROLLED_BACK}", yes=yes)
        path = f"/deployments/{segment(chosen)}/rollback" + (f"/{segment(revision)}" if revision else "")
        try:
            deployed = known.call(
                "POST", path, Deployed, body={"message": message}, headers=SOURCE, query={"force": force}
            )
        except FloraError as error:
            raise explained(error) from None
        finish(known, deployed, wait=wait, json=json)


def undeploy(
    *, guild: Guild = None, yes: Yes = False, api: ApiUrl = None, env: Env = None, json: AsJson = False
) -> None:
    """Take a guild's script away. Its history and what it keeps stay.

    Example: flora undeploy --guild 123456789012345678
    """
    with connect(api, env) as known:
        chosen = one_guild(known, guild)
        confirm(f"Undeploy guild {chosen}? Its bot stops answering.", yes=yes)
        known.call("DELETE", f"/deployments/{segment(chosen)}", type(None))
    if json:
        print_json({"guild_id": chosen, "undeployed": True})
    else:
        note(f"{chosen} is undeployed; flora rollback brings it back")


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """What changed, as ``GET …/diff`` has it: unified, by path."""
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        change = "added" if old is None else "removed" if new is None else "modified"
        lines = difflib.unified_diff(
            (old or "").splitlines(), (new or "").splitlines(), f"a/{path}", f"b/{path}", lineterm=""
        )
        yield {"path": path, "change": change, "diff": "\n".join(lines)}


def _deployment_row(row: Mapping[str, Any]) -> list[object]:
    state = "yes" if row.get("ready") else f"no: {row.get('reason') or '?'}"
    return [
        row["guild_id"],
        state,
        row.get("entry"),
        show.when(row.get("updated_at")),
        row.get("revision_id"),
    ]


def _revision_row(row: Mapping[str, Any]) -> list[object]:
    actor = row.get("actor") or {}
    who = actor.get("username") or actor.get("user_id") or actor.get("type")
    text = row.get("message") or row.get("error_message")
    return [row["id"], row["status"], show.when(row.get("deployed_at")), who, row.get("deploy_source"), text]


def _deployed_files(api: Api, guild: str, revision: str) -> dict[str, str]:
    """The files of a revision, or of what runs, if anything does; raises InvalidInput where it has none."""
    path = f"/deployments/{guild}/revisions/{segment(revision)}" if revision else f"/deployments/{guild}"
    try:
        found = api.get(path, dict[str, Any])
    except NotThere:
        if revision:
            raise
        return {}
    files = found.get("files")
    if files is None:
        raise InvalidInput("that revision has a bundle without files, which cannot be compared")
    return {each["path"]: each["contents"] for each in files}


def _show_change(change: Mapping[str, Any]) -> None:
    console = show.console()
    name = f"{change['change']:<9}{show.plain(change['path'])}"
    console.print(Text(name, style=_CHANGES.get(change["change"], "default")))
    for line in show.plain(change.get("diff") or "").splitlines():
        style = "green" if line.startswith("+") else "red" if line.startswith("-") else "dim"
        console.print(Text(line, style=style))
