"""A job that somebody had run leaves a line in the guild's log, with who that was."""

from __future__ import annotations

from flora_core.wire.control import Outcome
from tests.integration.api.guilds.fleet_of_pods import Api, FleetOfPods

JOBS = "cron('a', '0 9 * * *', () => {}); cron('b', '@hourly', () => { throw 1; });"


async def test_a_run_on_demand_is_noted_with_who_wanted_it(fleet: FleetOfPods, api: Api) -> None:
    await fleet.deploy("1", JOBS)
    for name in ("a", "b"):
        await api.ok("POST", "/crons/1/run", {"name": name})
    ok, bad = fleet.notes
    assert ok.text.startswith("ann had the job a run: ok after ")
    assert (ok.guild, ok.level, ok.source, ok.event) == ("1", "info", "runtime", "cron a")
    assert (bad.level, bad.outcome, bad.event) == ("error", Outcome.EXCEPTION, "cron b")


async def test_a_run_that_was_not_made_is_not_noted(fleet: FleetOfPods, api: Api) -> None:
    await fleet.deploy("1", JOBS)
    assert await api.refused("POST", "/crons/1/run", {"name": "c"}) == (404, "UNKNOWN_CRON")
    assert fleet.notes == []


async def test_the_pod_says_nothing_of_a_run_that_was_asked_for(fleet: FleetOfPods, api: Api) -> None:
    """Who asked tells how it ended: once is enough."""
    await fleet.deploy("1", JOBS)
    await api.ok("POST", "/crons/1/run", {"name": "a"})
    assert not [line for line in fleet.operator.logs if "the job a ran" in line.text]
