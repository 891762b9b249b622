"""What scripts keep, over the API: from the request of a person to LevelDB in a pod that is a process."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import msgspec
import pytest

from flora_core.control.state import Handoff, Stage
from flora_core.database import Database
from flora_core.ids import GuildId
from tests.integration.api.guilds.fleet_of_pods import API_TOKEN, TOKENS, A, Api, B, FleetOfPods
from tests.waiting import until

KEY = "/kv/1/s/k"


async def audited(database: Database) -> list[tuple[str, str, dict[str, Any]]]:
    """Action, who, what; oldest first."""

    async def read(connection: asyncpg.Connection) -> Any:
        return await connection.fetch("SELECT action, actor_name, details FROM audit ORDER BY id")

    rows = await database.run(read)
    return [(row["action"], row["actor_name"], msgspec.json.decode(row["details"])) for row in rows]


async def test_a_value_goes_in_and_comes_out(api: Api, database: Database) -> None:
    assert await api.ok("GET", KEY) == {"value": None}
    soon = time.time() + 3600
    put = {"value": "hello", "ttl": 3600, "metadata": {"by": ["ann", 1, None]}}
    assert await api.ok("PUT", KEY, put) == {"success": True}
    found = await api.ok("GET", KEY)
    assert (found["value"], found["metadata"]) == ("hello", {"by": ["ann", 1, None]})
    assert soon - 60 < found["expiration"] < soon + 60
    assert await api.ok("DELETE", KEY) == {"deleted": True}
    assert await api.ok("DELETE", KEY) == {"deleted": False}
    assert await api.ok("GET", KEY) == {"value": None}
    assert await audited(database) == [
        ("kv.put", "ann", {"store": "s", "key": "k"}),
        ("kv.delete", "ann", {"store": "s", "key": "k"}),
    ]


async def test_script_and_api_see_the_same(fleet: FleetOfPods, api: Api) -> None:
    await fleet.deploy("1", "cron('add', '@yearly', async () => { await kv.store('s').incr('n'); });")
    await api.ok("PUT", "/kv/1/s/n", {"value": "41"})
    await api.ok("POST", "/crons/1/run", {"name": "add"})
    assert (await api.ok("GET", "/kv/1/s/n"))["value"] == "42"


@pytest.mark.parametrize("key", ["a/b", "ä 😀", "%2F", "a?b#c&d", "bulk", "a/../b"])
async def test_a_key_may_be_any_text(api: Api, key: str) -> None:
    path = f"/kv/1/s/{quote(key, safe='')}"
    await api.ok("PUT", path, {"value": key})
    assert (await api.ok("GET", path))["value"] == key
    assert [found["name"] for found in (await api.ok("GET", "/kv/1/s"))["keys"]] == [key]
    assert await api.ok("DELETE", path) == {"deleted": True}


async def test_keys_are_listed_in_pages(api: Api) -> None:
    puts = [{"key": f"k{n}", "value": "v", "metadata": n} for n in range(5)] + [{"key": "z", "value": "v"}]
    await api.ok("POST", "/kv/1/s/bulk", {"put": puts})
    first = await api.ok("GET", "/kv/1/s?prefix=k&limit=3")
    assert first == {
        "keys": [{"name": f"k{n}", "metadata": n} for n in range(3)],
        "list_complete": False,
        "cursor": "k2",
    }
    second = await api.ok("GET", f"/kv/1/s?prefix=k&limit=3&cursor={first['cursor']}")
    assert [key["name"] for key in second["keys"]] == ["k3", "k4"]
    assert second["list_complete"] is True
    assert "cursor" not in second


async def test_a_bulk_change_is_made_whole_or_not_at_all(api: Api, database: Database) -> None:
    await api.ok("PUT", "/kv/1/s/old", {"value": "1"})
    change: dict[str, Any] = {
        "put": [{"key": f"k{n}", "value": str(n), "ttl": 60} for n in range(998)],
        "delete": ["old", "never"],
    }
    assert await api.ok("POST", "/kv/1/s/bulk", change) == {"written": 998, "deleted": 1}
    too_many = {"put": [{"key": f"k{n}", "value": ""} for n in range(1001)]}
    assert await api.refused("POST", "/kv/1/s/bulk", too_many) == (400, "INVALID_REQUEST")
    both = {"put": too_many["put"][:600], "delete": ["a"] * 600}
    assert await api.refused("POST", "/kv/1/s/bulk", both) == (400, "INVALID_INPUT")
    wrong = {"put": [{"key": "new", "value": ""}, {"key": "", "value": ""}]}
    assert await api.refused("POST", "/kv/1/s/bulk", wrong) == (400, "INVALID_INPUT")
    assert await api.ok("GET", "/kv/1/s/new") == {"value": None}
    assert await api.ok("POST", "/kv/1/s/bulk", {}) == {"written": 0, "deleted": 0}


async def test_stores_are_listed_with_their_sizes_and_cleared(api: Api, database: Database) -> None:
    assert await api.ok("GET", "/kv/stores?guild_id=1") == []
    made = await api.ok("POST", "/kv/stores", {"guild_id": "1", "store_name": "s"})
    assert made == {"store": {"guild_id": "1", "store_name": "s", "keys": 0, "bytes": 0}}
    await api.ok("POST", "/kv/1/s/bulk", {"put": [{"key": f"k{n}", "value": "vv"} for n in range(3)]})
    await api.ok("PUT", "/kv/1/t/k", {"value": ""})
    stores = await api.ok("GET", "/kv/stores?guild_id=1")
    assert [(store["store_name"], store["keys"], store["bytes"]) for store in stores] == [
        ("s", 3, 12),
        ("t", 1, 1),
    ]
    assert await api.ok("POST", "/kv/stores", {"guild_id": "1", "store_name": "s"}) == {"store": stores[0]}
    assert await api.ok("DELETE", "/kv/stores/1/s") == {"removed": 3, "complete": True}
    assert [store["store_name"] for store in await api.ok("GET", "/kv/stores?guild_id=1")] == ["t"]
    assert ("kv.clear", "ann", {"store": "s", "removed": 3}) in await audited(database)


async def test_what_is_wrong_is_said_with_the_code_of_kv(api: Api) -> None:
    long_key = "x" * 600
    for method, path, body in [
        ("GET", f"/kv/1/s/{long_key}", None),
        ("GET", "/kv/1/s.t/k", None),
        ("GET", "/kv/1/a%2Fb/k", None),
        ("GET", "/kv/1/a%2fb", None),
        ("DELETE", "/kv/1/a%2Fb/k", None),
        ("PUT", "/kv/1/a%2Fb/k", {"value": "x"}),
        ("DELETE", "/kv/stores/1/a%2Fb", None),
        ("GET", "/kv/1/s/", None),
        ("GET", "/kv/1/s/a%00b", None),
        ("PUT", KEY, {"value": "x" * ((1 << 20) + 1)}),
        ("PUT", KEY, {"value": "x", "ttl": 1e300}),
        ("POST", "/kv/stores", {"guild_id": "1", "store_name": "a/b"}),
    ]:
        assert await api.refused(method, path, body) == (400, "INVALID_INPUT"), (method, path)
    for method, path, body in [
        ("PUT", KEY, {}),
        ("PUT", KEY, {"value": 1}),
        ("PUT", KEY, {"value": "x", "ttl": 0}),
        ("PUT", KEY, {"value": "x", "expiration": -1e300}),
        ("POST", "/kv/1/s/bulk", {"put": [{"key": "k", "value": "x", "expiration": 1}]}),
        ("GET", f"/kv/1/s?cursor={'x' * 513}", None),
        ("PUT", KEY, {"value": "x", "tll": 60}),
        ("GET", "/kv/1/s?limit=0", None),
        ("GET", "/kv/1/s?limit=1001", None),
        ("GET", "/kv/stores", None),
    ]:
        assert await api.refused(method, path, body) == (400, "INVALID_REQUEST"), (method, path)
    assert await api.refused("GET", "/kv/x/s/k") == (400, "INVALID_GUILD_ID")
    assert await api.refused("GET", "/kv/stores?guild_id=x") == (400, "INVALID_GUILD_ID")


async def test_too_many_writes_are_told_when_to_come_back(api: Api) -> None:
    many = {"put": [{"key": f"k{n}", "value": ""} for n in range(1000)]}
    for _ in range(12):  # each counts as ten of the minute's 120
        await api.ok("POST", "/kv/1/s/bulk", many)
    answer = await api.ask("PUT", KEY, {"value": "v"})
    assert (answer.status_code, answer.json()["code"]) == (429, "KV_RATE_LIMITED")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert await api.refused("POST", "/kv/1/s/bulk", many) == (429, "KV_RATE_LIMITED")
    await api.ok("POST", "/kv/1/t/bulk", many)


GUARDED = [
    ("GET", "/kv/stores?guild_id=1"),
    ("DELETE", "/kv/stores/1/s"),
    ("GET", "/kv/1/s"),
    ("GET", KEY),
    ("DELETE", KEY),
    ("POST", "/kv/export/1"),
    ("GET", "/kv/export/1"),
    ("GET", "/kv/export/1/1-a"),
    ("DELETE", "/kv/export/1/1-a"),
    ("POST", "/kv/restore/1"),
]


async def test_only_those_who_may_use_it(api: Api) -> None:
    for method, path in GUARDED:
        assert await api.refused(method, path, token="") == (401, "UNAUTHORIZED")
        assert await api.refused(method, path, token="reader") == (403, "NOT_GUILD_ADMIN")
        elsewhere = path.replace("guild_id=1", "guild_id=3").replace("/1", "/3", 1)
        assert await api.refused(method, elsewhere) == (404, "BOT_NOT_IN_GUILD")


async def test_a_guild_without_a_script_has_no_storage(api: Api) -> None:
    assert await api.refused("GET", "/kv/2/s/k") == (404, "NOT_DEPLOYED")
    assert await api.refused("GET", "/usage/2") == (404, "NOT_DEPLOYED")


async def test_storage_goes_on_without_postgres(fleet: FleetOfPods, api: Api, database: Database) -> None:
    await database.close()
    await api.ok("PUT", KEY, {"value": "kept"})
    assert (await api.ok("GET", KEY))["value"] == "kept"


async def test_a_pod_that_is_gone_is_said_to_be_and_is_asked_again_when_it_is_back(
    fleet: FleetOfPods, api: Api
) -> None:
    await api.ok("PUT", KEY, {"value": "kept"})
    await fleet.stop_pod(A)
    assert await api.refused("GET", KEY) == (503, "POD_UNREACHABLE")
    assert await api.refused("PUT", KEY, {"value": "lost"}) == (503, "POD_UNREACHABLE")
    await fleet.start_pod(A)
    revision = fleet.assignment("1").revision
    await fleet.loaded(revision, times=2)
    assert (await api.ok("GET", KEY))["value"] == "kept"


async def test_the_operator_may_be_away(fleet: FleetOfPods, api: Api) -> None:
    await api.ok("PUT", KEY, {"value": "kept"})
    await fleet.stop_control()
    assert (await api.ok("GET", KEY))["value"] == "kept"
    assert api.guilds.ready() is None
    assert api.guilds.routes.pod_of(GuildId("1")) == A


async def test_a_guild_is_asked_where_it_is_after_a_move(fleet: FleetOfPods, api: Api) -> None:
    """Only the route: the data's way is tested with handoffs."""
    await fleet.start_pod(B)
    await api.ok("PUT", KEY, {"value": "on a"})
    fleet.operator.state.assign(B, fleet.assignment("1"))
    await fleet.loaded(fleet.assignment("1").revision, times=2)
    await until(lambda: api.guilds.routes.pod_of(GuildId("1")) == B)
    assert await api.ok("GET", KEY) == {"value": None}
    assert (await api.ok("GET", "/fleet", token="operator"))["pods"] == [{"name": B, "guilds": 1}]


async def test_a_guild_that_leaves_its_pod_is_told_to_be_moving(fleet: FleetOfPods, api: Api) -> None:
    state = fleet.operator.state
    state.hand_off(GuildId("1"), Handoff("h1", B, Stage.LEAVING))
    while (await api.ask("GET", KEY)).status_code == 200:  # the pod hears of it by and by
        await asyncio.sleep(0.01)
    assert api.guilds.routes.table.moving(GuildId("1"))
    for method, path in [
        ("GET", KEY),
        ("GET", "/crons/1"),
        ("POST", "/kv/export/1"),
        ("POST", "/kv/restore/1"),
    ]:
        assert await api.refused(method, path) == (503, "GUILD_MOVING"), path
    state.hand_off(GuildId("1"), None)
    answer = await api.ask("GET", KEY)
    while answer.status_code == 503:
        answer = await api.ask("GET", KEY)
    assert answer.json() == {"value": None}


async def test_the_api_description_names_every_refusal(api: Api) -> None:
    document = (
        await api.client.get(str(api.client.base_url.copy_with(path="/api-docs/openapi.json")))
    ).json()
    ours = {path: item for path, item in document["paths"].items() if "/fleet" not in path}
    assert len(ours) == 11
    for path, item in ours.items():
        for method, operation in item.items():
            statuses = set(operation["responses"])
            assert {"400", "401", "403", "404", "429", "503"} <= statuses, (method, path)
            assert operation["responses"]["400"]["content"]["application/json"]["schema"], (method, path)


async def test_a_pod_knows_the_api_by_asking_the_operator(fleet: FleetOfPods) -> None:
    await fleet.deploy("1")
    url = f"{fleet.url_of(A)}/v1/guilds/1/crons"

    async def status(client: httpx.AsyncClient, token: str) -> int:
        return (await client.get(url, headers={"Authorization": f"Bearer {token}"})).status_code

    async with httpx.AsyncClient(timeout=20) as client:
        assert [await status(client, token) for token in (API_TOKEN, TOKENS[B], "guessed")] == [200, 403, 401]
        await fleet.stop_control()
        assert [await status(client, token) for token in (API_TOKEN, "another")] == [200, 503]
