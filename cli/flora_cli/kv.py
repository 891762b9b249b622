"""``flora kv``: looking into what a guild's script keeps, and changing it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from flora_cli import show
from flora_cli.access import GuildAccess, RunningDev, choose_guild
from flora_cli.moments import parse_seconds
from flora_core.errors import FloraError, InvalidInput
from flora_core.wire import UNREADABLE

app: Final = typer.Typer(
    name="kv", help="Look into what a guild's script keeps (with `flora dev` running).", no_args_is_help=True
)

Key = Annotated[str, typer.Argument(help="The key.")]
Store = Annotated[str, typer.Option("--store", "-s", help="The store's name.")]
Guild = Annotated[str | None, typer.Option("--guild", "-g", help="The guild, where there are several.")]
ProjectFolder = Annotated[
    Path | None, typer.Option("--project", help="Folder of the `flora dev` to ask, where several run.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class NotThere(FloraError):
    """A key or store that was named is not there."""


@app.command()
def stores(*, guild: Guild = None, project: ProjectFolder = None, json: AsJson = False) -> None:
    """List the stores with their sizes.

    Example: flora kv stores
    """
    found = _Stores.of(guild, project).all()
    if json:
        _print_json(found)
    elif found:
        show.console().print(show.stores_table(found))
    else:
        show.console(stderr=True).print("nothing is stored", style="dim")


@app.command(name="list")
def list_keys(
    *,
    store: Store,
    prefix: Annotated[str, typer.Option(help="Only keys that begin so.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 100,
    cursor: Annotated[str, typer.Option(help="Go on behind this key.")] = "",
    guild: Guild = None,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """List the keys of a store.

    Example: flora kv list --store counters --prefix user/
    """
    stores = _Stores.of(guild, project)
    page = stores.ask("kvList", store=store, prefix=prefix, limit=limit, cursor=cursor)
    if not page["keys"]:
        stores.must_exist(store)
    if json:
        _print_json(page)
        return
    if page["keys"]:
        show.console().print(show.keys_table(page["keys"]))
    if "cursor" in page:
        show.console(stderr=True).print(f"… and more: --cursor {page['cursor']!r}", style="dim")


@app.command()
def get(
    key: Key, *, store: Store, guild: Guild = None, project: ProjectFolder = None, json: AsJson = False
) -> None:
    """Print a value. Exits with 1 when there is none.

    Example: flora kv get clicks --store counters
    """
    stores = _Stores.of(guild, project)
    entry = stores.ask("kvGet", store=store, key=key)
    if entry is None:
        stores.must_exist(store)
        raise _no_key(key, store)
    if json:
        _print_json(entry)
        return
    sys.stdout.write(entry["value"] + ("\n" if sys.stdout.isatty() else ""))


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
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """Store a value; the store is made when it is new.

    Example: flora kv put clicks 0 --store counters
    """
    if ttl is not None and expiration is not None:
        raise InvalidInput("--ttl and --expiration say the same thing twice; use one")
    options: dict[str, Any] = {}
    if ttl is not None:
        options["ttl"] = parse_seconds(ttl, option="--ttl")
    if expiration is not None:
        options["expiration"] = expiration
    if metadata is not None:
        options["metadata"] = _metadata(metadata)
    text = _standard_input() if value == "-" else value
    written = _Stores.of(guild, project).ask("kvSet", store=store, key=key, value=text, options=options)
    if json:
        _print_json({"written": written})


@app.command()
def delete(
    key: Key, *, store: Store, guild: Guild = None, project: ProjectFolder = None, json: AsJson = False
) -> None:
    """Delete a key. Exits with 1 when there was none.

    Example: flora kv delete clicks --store counters
    """
    stores = _Stores.of(guild, project)
    if not stores.ask("kvDelete", store=store, key=key):
        stores.must_exist(store)
        raise _no_key(key, store)
    if json:
        _print_json({"deleted": True})


@app.command()
def clear(
    *,
    store: Store,
    prefix: Annotated[str, typer.Option(help="Only keys that begin so.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    guild: Guild = None,
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """Delete all keys of a store, and with them the store.

    Example: flora kv clear --store counters --yes
    """
    stores = _Stores.of(guild, project)
    stores.must_exist(store)
    count = stores.ask("kvCount", store=store, prefix=prefix)
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidInput(f"this deletes {count} keys of {store}: say --yes when nobody can be asked")
        typer.confirm(f"Delete {count} keys of {store}?", abort=True)
    removed, complete = 0, False
    while not complete:
        answer = stores.ask("kvClear", store=store, prefix=prefix)
        removed, complete = removed + answer["removed"], answer["complete"]
    if json:
        _print_json({"removed": removed})
    else:
        typer.echo(f"{removed} keys deleted")


class _Stores:
    """The stores of one guild."""

    def __init__(self, access: GuildAccess, guild: str) -> None:
        self._access = access
        self._guild = guild

    @classmethod
    def of(cls, guild: str | None, project: Path | None) -> _Stores:
        access = RunningDev.find(project)
        return cls(access, choose_guild(access.guilds(), guild))

    def ask(self, call: str, **args: Any) -> Any:
        return self._access.kv(self._guild, call, **args)

    def all(self) -> list[dict[str, Any]]:
        return self.ask("kvStores")

    def must_exist(self, store: str) -> None:
        """Raises NotThere for a store that holds nothing."""
        known = [found["name"] for found in self.all()]
        if store not in known:
            there = f"there are {', '.join(known)}" if known else "nothing is stored"
            raise NotThere(f"there is no store {store!r}; {there}")


def _no_key(key: str, store: str) -> NotThere:
    return NotThere(f"there is no key {key!r} in store {store!r}; see: flora kv list --store {store}")


def _metadata(text: str) -> msgspec.Raw:
    try:
        msgspec.json.decode(text)
    except UNREADABLE as error:
        raise InvalidInput(f"--metadata: not JSON: {error}") from None
    return msgspec.Raw(text.encode())


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise InvalidInput("standard input should be text in UTF-8: values are text") from None


def _print_json(value: Any) -> None:
    typer.echo(msgspec.json.encode(value).decode())
