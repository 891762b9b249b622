"""Routes for what scripts keep. A pod answers; here it is asked, and its answer passed on."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from msgspec import Raw, Struct

from flora_api.answers import of_a_guild
from flora_api.errors import BadRequest
from flora_api.guilds.journal import Journal
from flora_api.guilds.models import (
    Bulk,
    BulkDone,
    Deleted,
    Done,
    KeyPage,
    MadeStore,
    NewStore,
    Put,
    Removed,
    Store,
    Value,
)
from flora_api.guilds.pods import Pods
from flora_api.principal import GuildAccess, MayUseKv, Right, guard_of, guild_in
from flora_core.ids import GuildId

PAGE: Final = 100
PAGE_MOST: Final = 1000
_STORE_AT: Final = 4
"""Of the parts of ``/api/kv/{guild_id}/{store}``."""
KEY_MOST: Final = 512
"""Bytes of a key."""
CLEAR_SECONDS: Final = 20.0
"""How long one request goes on deleting a store; a pod deletes 10,000 keys at a time."""


def _store_name(request: Request, store: Annotated[str, Path(description="The store's name.")]) -> str:
    """Raises BadRequest for a name with a slash: a path is decoded before it is matched, so that ``a%2Fb/c``
    would be the key ``b/c`` of the store ``a``."""
    raw: bytes = request.scope.get("raw_path") or b""
    sent = raw.partition(b"?")[0].split(b"/")[_STORE_AT : _STORE_AT + 1]
    if [unquote_to_bytes(part) for part in sent] != [store.encode()]:
        raise BadRequest("store: its name should have no slash", code="INVALID_INPUT")
    return store


StoreName = Annotated[str, Depends(_store_name)]
KeyName = Annotated[str, Path(description="The key, percent-encoded whole.")]


class _Size(Struct):
    name: str
    keys: int
    bytes: int


class _Page(Struct, rename="camel"):
    """What a pod's ``kvList`` answers; ours is the same with other names."""

    keys: Raw
    list_complete: bool
    cursor: str | None = None


class _OurPage(Struct, omit_defaults=True):
    keys: Raw
    list_complete: bool
    cursor: str | None = None


class _Cleared(Struct):
    removed: int
    complete: bool


class Stores:
    """The calls of ``kv`` at a guild's pod."""

    def __init__(self, pods: Pods) -> None:
        self._pods = pods

    async def read(self, guild: GuildId, call: str, **args: Any) -> bytes:
        """A call that changes nothing."""
        return await self._pods.ask(guild, "POST", f"/kv/{call}", _encode(args), repeatable=True)

    async def write(self, guild: GuildId, call: str, **args: Any) -> bytes:
        """A call that changes something."""
        return await self._pods.ask(guild, "POST", f"/kv/{call}", _encode(args))

    async def sizes(self, guild: GuildId) -> list[Store]:
        """The guild's stores."""
        sizes = msgspec.json.decode(await self.read(guild, "kvStores"), type=list[_Size])
        return [
            Store(guild_id=guild, store_name=size.name, keys=size.keys, bytes=size.bytes) for size in sizes
        ]

    async def clear(self, guild: GuildId, store: str) -> Removed:
        """Delete what is in ``store``, as much as can be in the time that a request has."""
        removed, began = 0, time.monotonic()
        while True:
            body = _encode({"store": store})
            cleared = await self._pods.ask_for(guild, _Cleared, "POST", "/kv/kvClear", body=body)
            removed += cleared.removed
            if cleared.complete or time.monotonic() - began > CLEAR_SECONDS:
                return Removed(removed=removed, complete=cleared.complete)


def _encode(args: Mapping[str, Any]) -> bytes:
    return json.dumps(args, separators=(",", ":")).encode()


def _kept(put: Put) -> dict[str, Any]:
    """Value and options as a pod wants them."""
    options = {
        name: value
        for name, value in (("ttl", put.ttl), ("expiration", put.expiration), ("metadata", put.metadata))
        if value is not None
    }
    return {"value": put.value, "options": options}


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def store_router(pods: Pods, journal: Journal) -> APIRouter:
    """Whole stores. Before ``key_router``, whose paths are more general."""
    router = APIRouter(prefix="/kv", tags=["kv"])
    stores = Stores(pods)

    @router.get("/stores", response_model=list[Store], responses=of_a_guild())
    async def list_stores(request: Request, guild_id: Annotated[str, Query()]) -> list[Store]:
        """The stores that hold something, with their sizes."""
        access = await _access(request, guild_id)
        return await stores.sizes(access.guild)

    @router.post("/stores", response_model=MadeStore, responses=of_a_guild())
    async def make_store(request: Request, body: NewStore) -> MadeStore:
        """Check a store's name. A store is there with its first key, and gone with its last."""
        access = await _access(request, body.guild_id)
        await stores.read(access.guild, "kvGet", store=body.store_name, key="-")
        empty = Store(guild_id=access.guild, store_name=body.store_name, keys=0, bytes=0)
        there = await stores.sizes(access.guild)
        return MadeStore(store=next((store for store in there if store.store_name == body.store_name), empty))

    @router.delete("/stores/{guild_id}/{store:path}", response_model=Removed, responses=of_a_guild())
    async def clear_store(
        access: MayUseKv, store: Annotated[str, Path(description="The store's name.")]
    ) -> Removed:
        """Delete a store with all of its keys."""
        removed = await stores.clear(access.guild, store)
        await journal.record(access, "kv.clear", store=store, removed=removed.removed)
        return removed

    return router


def key_router(pods: Pods, journal: Journal) -> APIRouter:
    """The keys of a store."""
    router = APIRouter(prefix="/kv", tags=["kv"])
    stores = Stores(pods)

    @router.get("/{guild_id}/{store}", response_model=KeyPage, responses=of_a_guild(413))
    async def list_keys(
        access: MayUseKv,
        store: StoreName,
        prefix: str = "",
        limit: Annotated[int, Query(ge=1, le=PAGE_MOST)] = PAGE,
        cursor: Annotated[str, Query(max_length=KEY_MOST, description="As the page before has it.")] = "",
    ) -> Response:
        """Keys in the order of their UTF-8, a page at a time."""
        answer = await stores.read(
            access.guild, "kvList", store=store, prefix=prefix, limit=limit, cursor=cursor
        )
        page = msgspec.json.decode(answer, type=_Page)
        return _json(msgspec.json.encode(_OurPage(page.keys, page.list_complete, page.cursor)))

    @router.post("/{guild_id}/{store}/bulk", response_model=BulkDone, responses=of_a_guild(413, 507))
    async def change_many(access: MayUseKv, store: StoreName, body: Bulk) -> Response:
        """Up to 1,000 changes, all or none. A hundred values count as one write of the minute's 120."""
        puts = [{"key": put.key, **_kept(Put(**put.model_dump(exclude={"key"})))} for put in body.put]
        answer = await stores.write(access.guild, "kvBulk", store=store, put=puts, delete=body.delete)
        await journal.record(access, "kv.bulk", store=store, written=len(body.put), deleted=len(body.delete))
        return _json(answer)

    @router.get("/{guild_id}/{store}/{key:path}", response_model=Value, responses=of_a_guild())
    async def get_key(access: MayUseKv, store: StoreName, key: KeyName) -> Response:
        """What is at a key."""
        answer = await stores.read(access.guild, "kvGet", store=store, key=key)
        return _json(answer if answer != b"null" else b'{"value":null}')

    @router.put("/{guild_id}/{store}/{key:path}", response_model=Done, responses=of_a_guild(413, 507))
    async def put_key(access: MayUseKv, store: StoreName, key: KeyName, body: Put) -> Done:
        """Write one value."""
        await stores.write(access.guild, "kvSet", store=store, key=key, **_kept(body))
        await journal.record(access, "kv.put", store=store, key=key)
        return Done()

    @router.delete("/{guild_id}/{store}/{key:path}", response_model=Deleted, responses=of_a_guild())
    async def delete_key(access: MayUseKv, store: StoreName, key: KeyName) -> Deleted:
        """Delete what is at a key."""
        deleted = await stores.write(access.guild, "kvDelete", store=store, key=key) == b"true"
        if deleted:
            await journal.record(access, "kv.delete", store=store, key=key)
        return Deleted(deleted=deleted)

    return router


async def _access(request: Request, guild_id: str) -> GuildAccess:
    """For a guild that is named elsewhere than in the path."""
    return await guard_of(request).guild(request, guild_in(guild_id), Right.KV)
