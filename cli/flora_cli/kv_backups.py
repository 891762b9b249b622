"""``flora kv export``, ``exports`` and ``import``: all that a guild keeps, as one file."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from flora_cli import show
from flora_cli.api_access import ApiGuild
from flora_cli.client import segment
from flora_cli.options import ApiUrl, AsJson, Env, Guild, Yes, confirm, connect, one_guild
from flora_cli.output import note, print_json
from flora_core.errors import InvalidInput

RESTORE_SECONDS: Final = 330.0
"""A pod that restores half a gigabyte has five minutes."""


def export(
    *,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Where to put it.")] = None,
    backup: Annotated[
        str | None, typer.Option("--id", help="One that was made before (flora kv exports).", metavar="ID")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it at the API, too.")] = False,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Save all stores of a guild in a file, as they are at one moment.

    Example: flora kv export -o backup.flora
    """
    with at_api(guild, env, api) as access:
        made: dict[str, Any] = {"backup_id": backup}
        path = f"/kv/export/{access.guild}"
        if backup is None:
            made = access.api.call("POST", path, dict[str, Any])
        one = f"{path}/{segment(made['backup_id'])}"
        file = output or Path(f"kv-{access.guild}-{made['backup_id']}.flora")
        size = _save(access.api.download(one), file)
        if backup is None and not keep:
            access.api.call("DELETE", one, type(None))
    if json:
        print_json({**made, "file": str(file), "bytes": size})
    else:
        typer.echo(f"{file}  {show.size(size)}")


def list_exports(*, guild: Guild = None, env: Env = None, api: ApiUrl = None, json: AsJson = False) -> None:
    """List the exports that are kept at the API.

    Example: flora kv exports
    """
    with at_api(guild, env, api) as access:
        found = access.api.get(f"/kv/export/{access.guild}", list[dict[str, Any]])
    if json:
        print_json(found)
    elif found:
        rows = [
            (
                row["backup_id"],
                row.get("keys"),
                show.size(row.get("bytes", 0)),
                show.when(row.get("created_at")),
            )
            for row in found
        ]
        show.print_rows(("ID", "KEYS", "SIZE", "MADE"), rows)
    else:
        note("there are none")


def import_(
    file: Annotated[Path, typer.Argument(help="What `flora kv export` saved.")],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete everything else; otherwise it is kept.")
    ] = False,
    yes: Yes = False,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Store what an export holds: all of it, or nothing when something is wrong.

    Example: flora kv import backup.flora --replace --yes
    """
    try:
        file.open("rb").close()
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be read: {error.strerror or error}") from None
    with at_api(guild, env, api) as access:
        if replace:
            confirm(f"Replace everything that guild {access.guild} keeps by {file}?", yes=yes)
        answer = access.api.call(
            "POST",
            f"/kv/restore/{access.guild}",
            dict[str, Any],
            body=file,
            seconds=RESTORE_SECONDS,
            query={"mode": "replace" if replace else "merge"},
        )
    if json:
        print_json(answer)
    else:
        typer.echo(f"{answer.get('keys', 0)} keys restored")


@contextmanager
def at_api(guild: str | None, env: str | None, api: str | None) -> Generator[ApiGuild]:
    """The guild at an API, for what ``flora dev`` does not do."""
    with connect(api, env) as known:
        yield ApiGuild(known, one_guild(known, guild))


def _save(pieces: Generator[bytes], file: Path) -> int:
    """Write by renaming, so that what broke off is no backup; its size. Raises InvalidInput."""
    size, part = 0, file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as out:
            for piece in pieces:
                size += out.write(piece)
        part.replace(file)
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    return size
