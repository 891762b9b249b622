"""``flora kv``: looking into what a guild's script keeps, and changing it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from flora_cli import completion, kv_backups, show
from flora_cli.access import Asked, reach
from flora_cli.api_access import BULK, ApiGuild
from flora_cli.errors import NotThere
from flora_cli.kv_backups import at_api
from flora_cli.moments import parse_seconds
from flora_cli.options import ApiUrl, AsJson, Env, Guild, ProjectFolder, Yes, can_ask, confirm
from flora_cli.output import note, print_json, standard_input
from flora_cli.shapes import Put
from flora_core.errors import InvalidInput
from flora_core.wire import UNREADABLE

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
    with at_api(guild, env, api) as access:
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


app.command()(kv_backups.export)
app.command(name="exports")(kv_backups.list_exports)
app.command(name="import")(kv_backups.import_)


class _Changes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    put: list[Put] = []
    delete: list[str] = []


def _must_exist(access: ApiGuild, store: str) -> Any:
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
