"""Backups over the API: streamed through, put back whole, and only where they belong."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from flora_core.control.handoffs import SHA256_HEADER
from flora_core.database import Database
from tests.integration.api.guilds.fleet_of_pods import A, Api, FleetOfPods
from tests.integration.api.guilds.test_guilds_kv import audited


async def in_pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 10_000):
        yield data[start : start + 10_000]


async def fill(api: Api, values: dict[str, str], *, store: str = "s") -> None:
    put = [{"key": key, "value": value} for key, value in values.items()]
    await api.ok("POST", f"/kv/1/{store}/bulk", {"put": put})


async def values(api: Api, store: str = "s") -> dict[str, Any]:
    keys = (await api.ok("GET", f"/kv/1/{store}?limit=1000"))["keys"]
    return {key["name"]: (await api.ok("GET", f"/kv/1/{store}/{key['name']}"))["value"] for key in keys}


async def test_a_backup_is_made_downloaded_and_put_back(api: Api, database: Database) -> None:
    before = {f"k{n}": "x" * 50_000 for n in range(20)}
    await fill(api, before)
    made = await api.ok("POST", "/kv/export/1")
    assert made["keys"] == 20
    assert made["created_at"].endswith("Z")
    assert await api.ok("GET", "/kv/export/1") == [made]
    answer = await api.ask("GET", f"/kv/export/1/{made['backup_id']}")
    data = answer.content
    assert (answer.status_code, len(data)) == (200, made["bytes"])
    assert int(answer.headers["Content-Length"]) == made["bytes"]
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    assert answer.headers[SHA256_HEADER] == hashlib.sha256(data).hexdigest()

    await fill(api, {"k0": "changed", "new": "1"})
    assert await api.ok("POST", "/kv/restore/1?mode=replace", content=in_pieces(data)) == {"keys": 20}
    assert await values(api) == before

    gone = await api.ask("DELETE", f"/kv/export/1/{made['backup_id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    path = f"/kv/export/1/{made['backup_id']}"
    assert await api.refused("GET", path) == (404, "BACKUP_NOT_FOUND")
    assert await api.refused("DELETE", path) == (404, "BACKUP_NOT_FOUND")
    assert await api.ok("GET", "/kv/export/1") == []
    assert [action for action, _, _ in await audited(database)] == [
        "kv.bulk",
        "kv.export",
        "kv.bulk",
        "kv.restore",
        "kv.export.delete",
    ]


async def test_merging_keeps_what_the_backup_lacks(api: Api) -> None:
    await fill(api, {"a": "1", "b": "1"})
    made = await api.ok("POST", "/kv/export/1")
    data = (await api.ask("GET", f"/kv/export/1/{made['backup_id']}")).content
    await fill(api, {"b": "2", "c": "2"})
    assert await api.ok("POST", "/kv/restore/1?mode=merge", content=data) == {"keys": 2}
    assert await values(api) == {"a": "1", "b": "1", "c": "2"}


async def test_another_guilds_backup_is_refused(fleet: FleetOfPods, api: Api) -> None:
    await fleet.deploy("2")
    await fill(api, {"a": "1"})
    made = await api.ok("POST", "/kv/export/1")
    data = (await api.ask("GET", f"/kv/export/1/{made['backup_id']}")).content
    answer = await api.ask("POST", "/kv/restore/2", content=data)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_BACKUP")
    assert "nothing was changed: this is no export of guild 2" in answer.json()["message"]
    assert await api.ok("GET", "/kv/stores?guild_id=2") == []
    assert await api.refused("GET", f"/kv/export/2/{made['backup_id']}") == (404, "BACKUP_NOT_FOUND")


async def test_what_is_no_backup_or_no_mode_is_refused(api: Api) -> None:
    assert await api.refused("POST", "/kv/restore/1?mode=mix", content=b"") == (400, "INVALID_REQUEST")
    assert await api.refused("POST", "/kv/restore/1", content=b"x" * 100_000) == (400, "INVALID_BACKUP")
    assert await api.refused("GET", "/kv/export/1/..%2F..%2Fetc") == (400, "INVALID_GUILD_ID"), "a key's path"
    assert await api.refused("GET", "/kv/export/1/x.y") == (400, "INVALID_REQUEST")


async def test_a_download_whose_pod_dies_does_not_end_well(fleet: FleetOfPods, api: Api) -> None:
    """The reader is to notice that it has not all."""
    many = {f"k{n}": "x" * 800_000 for n in range(5)}
    for store in range(5):
        await fill(api, many, store=f"s{store}")
    made = await api.ok("POST", "/kv/export/1")
    headers = {"Authorization": "Bearer ann"}
    path = f"/kv/export/1/{made['backup_id']}"

    async def read() -> None:
        async with api.client.stream("GET", path, headers=headers) as response:
            chunks = response.aiter_raw()
            await anext(chunks)
            await fleet.kill_pod(A)
            async for _ in chunks:
                pass

    with pytest.raises(httpx.RemoteProtocolError):
        await read()
