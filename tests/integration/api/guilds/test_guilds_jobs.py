"""Jobs, usage and the fleet over the API."""

from __future__ import annotations

import time

from flora_api.guilds import DeploymentCounts
from flora_core.database import Database
from tests.integration.api.guilds.fleet_of_pods import A, Api, FleetOfPods
from tests.integration.api.guilds.test_guilds_kv import audited

JOBS = "cron('a', '0 9 * * *', () => console.log('ran')); cron('b', '@hourly', () => { throw 1; }, { skipIfRunning: true });"


async def test_jobs_are_listed_and_run(fleet: FleetOfPods, api: Api, database: Database) -> None:
    assert await api.ok("GET", "/crons/1") == []
    await fleet.deploy("1", JOBS)
    a, b = await api.ok("GET", "/crons/1", token="reader")
    assert (a["name"], a["expression"], a["last"], a["skip_if_running"]) == ("a", "0 9 * * *", 0, False)
    assert b["skip_if_running"] is True
    assert time.time() < a["next"] < time.time() + 86_400
    ran = await api.ok("POST", "/crons/1/run", {"name": "a"})
    assert (ran["name"], ran["outcome"], set(ran)) == ("a", "ok", {"name", "outcome", "milliseconds"})
    assert (await api.ok("POST", "/crons/1/run", {"name": "b"}))["outcome"] == "exception"
    assert await audited(database) == [
        ("cron.run", "ann", {"name": "a", "outcome": "ok"}),
        ("cron.run", "ann", {"name": "b", "outcome": "exception"}),
    ]
    answer = await api.ask("POST", "/crons/1/run", {"name": "c"})
    assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_CRON")
    assert answer.json()["message"] == "there is no cron job 'c'; the script has a, b"
    assert await api.refused("POST", "/crons/1/run", {"name": "a"}, token="reader") == (
        403,
        "NOT_GUILD_ADMIN",
    )
    assert await api.refused("POST", "/crons/1/run", {}) == (400, "INVALID_REQUEST")


async def test_a_script_that_is_quarantined_runs_no_job_and_says_why(fleet: FleetOfPods, api: Api) -> None:
    await fleet.deploy("1", "cron('loop', '@yearly', () => { for (;;); });")
    for _ in range(3):
        await api.ok("POST", "/crons/1/run", {"name": "loop"})
    assert await api.refused("POST", "/crons/1/run", {"name": "loop"}) == (409, "NOT_RUNNING")
    usage = await api.ok("GET", "/usage/1")
    assert usage["quarantined"] is True
    assert "until the next deploy" in usage["quarantine_reason"]


async def test_usage_is_told_as_the_contract_says(fleet: FleetOfPods, api: Api) -> None:
    await fleet.deploy("1", JOBS)
    await api.ok("PUT", "/kv/1/s/k", {"value": "vv"})
    await api.ok("POST", "/crons/1/run", {"name": "a"})
    usage = await api.ok("GET", "/usage/1", token="reader")
    assert usage.pop("cpu_milliseconds") > 0
    assert usage.pop("since").endswith("Z")
    assert usage == {
        "guild_id": "1",
        "events": {"cron": 1},
        "outcomes": {"ok": 1},
        "discord_calls": 0,
        "fetches": 0,
        "log_lines": 1,
        "kv": {"keys": 1, "bytes": 3, "limit_bytes": 500 << 20},
        "awake": True,
        "quarantined": False,
        "quarantine_reason": None,
        "suspended_calls_until": None,
    }


async def test_the_fleet_is_for_whoever_runs_it(fleet: FleetOfPods, api: Api) -> None:
    await fleet.deploy("2")
    fleet.counts = DeploymentCounts(3, 2)
    assert await api.ok("GET", "/fleet", token="operator") == {
        "pods": [{"name": A, "guilds": 2}],
        "guilds": 2,
        "deployments": 3,
        "ready": 2,
    }
    assert await api.refused("GET", "/fleet") == (403, "NOT_OPERATOR")
