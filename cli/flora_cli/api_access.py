"""A guild of an API."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from msgspec import Struct

from flora_cli.client import Api, segment
from flora_cli.config import Target
from flora_cli.errors import NotThere, Unavailable
from flora_cli.options import one_guild
from flora_cli.shapes import Job, Kept, KeyPage, Line, LogQuery, Put, Ran, Store
from flora_core.errors import InvalidInput
from flora_core.wire import UNREADABLE

FIRST: Final = "0-0"
"""A place before every line."""
BULK: Final = 1000
"""Entries of one bulk request."""


@contextmanager
def reach_api(target: Target, guild: str | None) -> Generator[ApiGuild]:
    """The guild that is meant at an API."""
    with Api(target) as api:
        yield ApiGuild(api, one_guild(api, guild))


class Bulk(Struct, frozen=True):
    """What many changes came to."""

    written: int = 0
    deleted: int = 0


class _Removed(Struct, frozen=True):
    removed: int = 0
    complete: bool = True


class _Maybe(Struct, frozen=True):
    """A value as the API answers it."""

    value: str | None = None
    expiration: float | None = None
    metadata: Any = None


class ApiGuild:
    """One guild of it. Methods raise what ``flora_cli.errors`` lists, or InvalidInput for a wrong call."""

    def __init__(self, api: Api, guild: str) -> None:
        self.api = api
        self.guild = guild
        self._at = segment(guild)

    def stores(self) -> list[Store]:
        return self.api.get("/kv/stores", list[Store], guild_id=self.guild)

    def keys(self, store: str, *, prefix: str = "", limit: int = 100, cursor: str = "") -> KeyPage:
        page = self.api.get(self._store(store), KeyPage, prefix=prefix, limit=limit, cursor=cursor)
        keys = [{name: value for name, value in key.items() if value is not None} for key in page.keys]
        return msgspec.structs.replace(page, keys=keys)

    def get(self, store: str, key: str) -> Kept | None:
        try:
            found = self.api.get(self._key(store, key), _Maybe)
        except NotThere as error:
            if error.code != "KV_KEY_NOT_FOUND":
                raise
            return None
        return None if found.value is None else Kept(found.value, found.expiration, found.metadata)

    def put(self, store: str, put: Put) -> None:
        body = {name: value for name, value in msgspec.structs.asdict(put).items() if _is_given(value)}
        del body["key"]
        self.api.call("PUT", self._key(store, put.key), object, body=body)

    def delete(self, store: str, key: str) -> bool:
        """Whether there was something to delete."""
        answer = self.api.call("DELETE", self._key(store, key), dict[str, Any])
        return bool(answer.get("deleted"))

    def clear(self, store: str, *, prefix: str = "") -> int:
        """Delete all keys that begin so; how many there were."""
        if not prefix:
            return self._clear_whole(store)
        removed = 0
        while names := [key["name"] for key in self.keys(store, prefix=prefix, limit=BULK).keys]:
            self.bulk(store, delete=names)
            removed += len(names)
        return removed

    def _clear_whole(self, store: str) -> int:
        """A large store takes several requests."""
        path = f"/kv/stores{self._store(store).removeprefix('/kv')}"
        removed, complete = 0, False
        while not complete:
            answer = self.api.call("DELETE", path, _Removed)
            removed, complete = removed + answer.removed, answer.complete
        return removed

    def bulk(self, store: str, *, put: list[Put] | None = None, delete: list[str] | None = None) -> Bulk:
        """Many changes in one request, at most BULK."""
        body = {"put": put or [], "delete": delete or []}
        return self.api.call("POST", f"{self._store(store)}/bulk", Bulk, body=body)

    def logs(self, query: LogQuery) -> Iterator[Line]:
        """The newest lines asked for, oldest first."""
        if query.limit == 0:
            return iter(())
        asked = msgspec.structs.asdict(query)
        return iter(self.api.get(f"/logs/{self._at}", list[Line], **asked))

    def follow(self, query: LogQuery, *, on_break: Callable[[str], None]) -> Iterator[Line]:
        """The same and those to come, for ever and over breaks, of which ``on_break`` is told."""
        # First what is there, for its ids: a log that is quiet at first has a place to go on from, too.
        lines = list(self.logs(msgspec.structs.replace(query, limit=max(query.limit, 1))))
        if query.limit:
            yield from lines
        asked: dict[str, object] = {"level": query.level, "grep": query.grep, "since": query.since}
        last = lines[-1].id if lines else FIRST
        for event in self.api.follow(f"/logs/{self._at}/stream", asked, last_id=last, on_break=on_break):
            if event.name == "missed":
                on_break(f"{_missed(event.data)} lines are missing here: they came too fast")
            elif event.name == "message":
                yield _line(event.data)

    def jobs(self) -> list[Job]:
        return self.api.get(f"/crons/{self._at}", list[Job])

    def run_job(self, name: str) -> Ran:
        """Run a job now and wait for its end."""
        return self.api.call("POST", f"/crons/{self._at}/run", Ran, body={"name": name})

    def _store(self, store: str) -> str:
        if not store or "/" in store:  # a slash would name another store, and a key
            raise InvalidInput(f"--store: {store!r} is no store's name; write one without / and .")
        return f"/kv/{self._at}/{segment(store)}"

    def _key(self, store: str, key: str) -> str:
        if not key:
            raise InvalidInput("key: has 0 bytes and should have 1 to 512")
        return f"{self._store(store)}/{segment(key)}"


def _is_given(value: object) -> bool:
    return value is not None and value is not msgspec.UNSET


def _line(data: str) -> Line:
    try:
        return msgspec.json.decode(data, type=Line)
    except UNREADABLE as error:
        raise Unavailable(f"a line of the log cannot be read: {error}") from None


def _missed(data: str) -> str:
    try:
        return str(msgspec.json.decode(data)["missed"])
    except (*UNREADABLE, KeyError, TypeError):
        return "some"
