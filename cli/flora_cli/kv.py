"""``flora kv``: looking into what a guild's script keeps, and changing it."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from flora_cli import completion, show
from flora_cli.access import Asked, GuildAccess, Put, reach
from flora_cli.errors import NotThere
from flora_cli.moments import parse_seconds
from flora_cli.options import ApiUrl, AsJson, Env, Guild, ProjectFolder, Yes, can_ask, confirm
from flora_cli.output import note, print_json, standard_input
from flora_core.errors import InvalidInput
from flora_core.wire import UNREADABLE

RESTORE_SECONDS: Final = 330.0
"""A pod that restores half a gigabyte has five minutes."""

app: Final = typer.Typer(
    name="kv", help="Look into what a guild's script keeps, and change it.", no_args_is_help=True
)

Key = Annotated[str, typer.Argument(help="The key.")]
Store = Annotated[
    str, typer.Option("--store", "-s", help="The store's name.", autocompletion=completion.stores)
]


@app.command()
def stores(
    *,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """List the stores with their sizes.

    Example: flora kv stores
    """
    with reach(Asked(guild, env, api, project)) as access:
        found = access.stores()
    if json:
        print_json(found)
    elif found:
        rows = [{"name": store.store_name, "keys": store.keys, "bytes": store.bytes} for store in found]
        show.print_table(show.stores_table(rows))
    else:
        note("nothing is stored")


@app.command(name="list")
def list_keys(
    *,
    store: Store,
    prefix: Annotated[str, typer.Option(help="Only keys that begin so.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 100,
    cursor: Annotated[str, typer.Option(help="Go on behind this key.")] = "",
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """List the keys of a store.

    Example: flora kv list --store counters --prefix user/
    """
    with reach(Asked(guild, env, api, project)) as access:
        page = access.keys(store, prefix=prefix, limit=limit, cursor=cursor)
        if not page.keys:
            _must_exist(access, store)
    if json:
        print_json(page)
        return
    if page.keys:
        show.print_table(show.keys_table(page.keys))
    if page.cursor is not None:
        note(f"… and more: --cursor {page.cursor!r}")


@app.command()
def get(
    key: Key,
    *,
    store: Store,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """Print a value. Exits with 4 when there is none.

    Example: flora kv get clicks --store counters
    """
    with reach(Asked(guild, env, api, project)) as access:
        entry = access.get(store, key)
        if entry is None:
            _must_exist(access, store)
            raise _no_key(key, store)
    if json:
        print_json(entry)
        return
    sys.stdout.write(entry.value + ("\n" if sys.stdout.isatty() else ""))


@app.command()
def put(
    key: Key,
    value: Annotated[str, typer.Argument(help="The text; - reads it from standard input.")],
    *,
    store: Store,
    ttl: Annotated[str | None, typer.Option(help="Gone after this: seconds, or 10m, 2h, 7d.")] = None,
    expiration: Annotated[float | None, typer.Option(help="Gone at this time, in Unix seconds.")] = None,
    metadata: Annotated[str | None, typer.Option(help="JSON to keep beside the value.")] = None,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """Store a value; the store is made when it is new.

    Example: flora kv put clicks 0 --store counters
    """
    if ttl is not None and expiration is not None:
        raise InvalidInput("--ttl and --expiration say the same thing twice; use one")
    entry = Put(
        key,
        standard_input() if value == "-" else value,
        None if ttl is None else parse_seconds(ttl, option="--ttl"),
        expiration,
        msgspec.UNSET if metadata is None else _metadata(metadata),
    )
    with reach(Asked(guild, env, api, project)) as access:
        access.put(store, entry)
    if json:
        print_json({"written": True})


@app.command()
def delete(
    key: Key,
    *,
    store: Store,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """Delete a key. Exits with 4 when there was none.

    Example: flora kv delete clicks --store counters
    """
    with reach(Asked(guild, env, api, project)) as access:
        if not access.delete(store, key):
            _must_exist(access, store)
            raise _no_key(key, store)
    if json:
        print_json({"deleted": True})


@app.command()
def clear(
    *,
    store: Store,
    prefix: Annotated[str, typer.Option(help="Only keys that begin so.")] = "",
    yes: Yes = False,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """Delete all keys of a store, and with them the store.

    Example: flora kv clear --store counters --yes
    """
    with reach(Asked(guild, env, api, project)) as access:
        found = _must_exist(access, store)
        what = f"{found.keys} keys" if not prefix else f"all keys that begin with {prefix!r}"
        if not yes and not can_ask():
            raise InvalidInput(f"this deletes {what} of {store}: say --yes when nobody can be asked")
        confirm(f"Delete {what} of {store} in guild {access.guild}?", yes=yes)
        removed = access.clear(store, prefix=prefix)
    if json:
        print_json({"removed": removed})
    else:
        typer.echo(f"{removed} keys deleted")


@app.command()
def bulk(
    file: Annotated[str, typer.Argument(help="JSON with what to do; - reads standard input.")],
    *,
    store: Store,
    guild: Guild = None,
    env: Env = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Store and delete many values: [{"key", "value", "ttl"?, …}], or {"put": […], "delete": […]}.

    They go up in parts of 1,000; a part is stored as a whole.

    Example: flora kv bulk people.json --store people
    """
    changes = _changes(file)
    written = deleted = 0
    with _at_api(guild, env, api) as access:
        from flora_cli.api_access import BULK  # noqa: PLC0415  only this command needs its size

        todo: list[tuple[Put | None, str]] = [(entry, "") for entry in changes.put]
        todo += [(None, key) for key in changes.delete]
        for start in range(0, len(todo), BULK):
            part = todo[start : start + BULK]
            answer = access.bulk(
                store,
                put=[entry for entry, _ in part if entry is not None],
                delete=[key for entry, key in part if entry is None],
            )
            written, deleted = written + answer.written, deleted + answer.deleted
            if len(todo) > BULK:
                note(f"{min(start + BULK, len(todo)):,} of {len(todo):,}")
    if json:
        print_json({"written": written, "deleted": deleted})
    else:
        typer.echo(f"{written} written, {deleted} deleted")


@app.command()
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
    with _at_api(guild, env, api) as access:
        made: dict[str, Any] = {"backup_id": backup}
        path = f"/kv/export/{access.guild}"
        if backup is None:
            made = access.api.call("POST", path, dict[str, Any])
        one = f"{path}/{_segment(made['backup_id'])}"
        file = output or Path(f"kv-{access.guild}-{made['backup_id']}.flora")
        size = _save(access.api.download(one), file)
        if backup is None and not keep:
            access.api.call("DELETE", one, type(None))
    if json:
        print_json({**made, "file": str(file), "bytes": size})
    else:
        typer.echo(f"{file}  {show.size(size)}")


@app.command(name="exports")
def list_exports(*, guild: Guild = None, env: Env = None, api: ApiUrl = None, json: AsJson = False) -> None:
    """List the exports that are kept at the API.

    Example: flora kv exports
    """
    with _at_api(guild, env, api) as access:
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


@app.command(name="import")
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
    with _at_api(guild, env, api) as access:
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


class _Changes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    put: list[Put] = []
    delete: list[str] = []


@contextmanager
def _at_api(guild: str | None, env: str | None, api: str | None) -> Generator[Any]:
    """The guild at an API, for what ``flora dev`` does not do."""
    from flora_cli.api_access import ApiGuild  # noqa: PLC0415
    from flora_cli.options import connect, one_guild  # noqa: PLC0415

    with connect(api, env) as known:
        yield ApiGuild(known, one_guild(known, guild))


def _segment(text: str) -> str:
    from flora_cli.client import segment  # noqa: PLC0415

    return segment(text)


def _must_exist(access: GuildAccess, store: str) -> Any:
    """The store, if it holds something; else raises NotThere."""
    known = {found.store_name: found for found in access.stores()}
    if store not in known:
        there = f"there are {', '.join(known)}" if known else "nothing is stored"
        raise NotThere(f"there is no store {store!r}; {there}")
    return known[store]


def _no_key(key: str, store: str) -> NotThere:
    return NotThere(f"there is no key {key!r} in store {store!r}; see: flora kv list --store {store}")


def _metadata(text: str) -> msgspec.Raw:
    try:
        msgspec.json.decode(text)
    except UNREADABLE as error:
        raise InvalidInput(f"--metadata: not JSON: {error}") from None
    return msgspec.Raw(text.encode())


def _changes(file: str) -> _Changes:
    """What ``flora kv bulk`` is given; raises InvalidInput."""
    try:
        content = standard_input().encode() if file == "-" else Path(file).read_bytes()
        is_list = content.lstrip()[:1] == b"["
        if is_list:
            return _Changes(put=msgspec.json.decode(content, type=list[Put]))
        return msgspec.json.decode(content, type=_Changes)
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be read: {error.strerror or error}") from None
    except UNREADABLE as error:
        raise InvalidInput(
            f'{file}: should be [{{"key": …, "value": …}}] or {{"put": […], "delete": […]}}: {error}'
        ) from None


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
