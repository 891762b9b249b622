"""Guilds that the bot joins and leaves, on a real API server, with gateway and pods played by the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from flora_core.streams import KeptWriter, Token, make_session
from flora_core.wire.control import Beat, GatewayReport, Guilds, Joined, Left, gateway_reports
from flora_operator.ports import NoRetention
from tests.cluster.operating import Stage, current
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("crd")

GUILD, OTHER = "123456789012345678", "223456789012345678"
SCRIPT = "on('messageCreate', (ctx) => ctx.reply('pong'))"


class PlayedGateway:
    """Tells which guilds the bot is in, on every connection anew."""

    def __init__(self, url: str, guilds: list[str]) -> None:
        self.guilds = guilds
        self._stream = KeptWriter(
            f"{url}/v1/gateway/reports",
            token=Token("gateway"),
            beat=gateway_reports.encode(Beat(0)),
            greet=lambda write: write(gateway_reports.encode(Guilds(self.guilds))),
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[PlayedGateway]:
        async with make_session() as session:
            task = asyncio.create_task(self._stream.run(session, lambda _why: None))
            try:
                yield self
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def tell(self, news: GatewayReport) -> None:
        await until(lambda: self._stream.write(gateway_reports.encode(news)))


async def test_a_guild_that_kicks_the_bot_rests_and_runs_again_when_it_is_back(stage: Stage) -> None:
    async with (
        stage.operating(),
        stage.pods() as pods,
        PlayedGateway(stage.url, [GUILD, OTHER]).running() as gateway,
    ):
        stage.apply(GUILD, SCRIPT)
        stage.apply(OTHER, SCRIPT)
        before = await stage.ready(GUILD)
        await stage.ready(OTHER)
        await gateway.tell(Left(GUILD))
        document = await stage.ready(GUILD, "GuildUnknown")
        assert document["status"]["assignment"]["pod"] == before["status"]["assignment"]["pod"]
        await until(lambda: not any(GUILD in pod.runs for pod in pods))
        assert any(OTHER in pod.runs for pod in pods)
        await until(lambda: "GuildUnknown" in {event["reason"] for event in stage.events(GUILD)})
        await gateway.tell(Joined(GUILD))
        document = await stage.ready(GUILD)
        assert document["status"]["revision"] == before["status"]["revision"]


async def test_a_guild_that_the_bot_never_was_in_says_so(stage: Stage) -> None:
    async with stage.operating(), stage.pods() as pods, PlayedGateway(stage.url, [OTHER]).running():
        stage.apply(GUILD, SCRIPT)
        document = await stage.ready(GUILD, "GuildUnknown")
        ready = current(document, "Ready")
        assert ready is not None
        assert ready["message"] == "the bot is not in this guild; invite it, and the script will run"
        assert not any(GUILD in pod.runs for pod in pods)


async def test_the_data_of_a_guild_that_was_left_is_deleted_after_the_retention(stage: Stage) -> None:
    asked = list[tuple[str, str, bool]]()

    class Remembering(NoRetention):
        def release(self, guild: str, pod: str, *, keep: bool = True) -> bool:
            asked.append((guild, pod, keep))
            return len(asked) > 1

    stage.retention = Remembering()
    async with (
        stage.operating(retention_hours=2 / 3600),
        stage.pods(),
        PlayedGateway(stage.url, [GUILD]).running() as gateway,
    ):
        stage.apply(GUILD, SCRIPT)
        pod = (await stage.ready(GUILD))["status"]["assignment"]["pod"]
        await gateway.tell(Left(GUILD))
        await until(lambda: "assignment" not in stage.get(GUILD)["status"], seconds=20)
        assert asked == [(GUILD, pod, False)] * 2
        await gateway.tell(Joined(GUILD))
        await stage.ready(GUILD)


@pytest.mark.parity(55)
async def test_a_guild_without_a_script_gets_the_starter(stage: Stage) -> None:
    stage.config_map("starter", **{"src__main.ts": SCRIPT})
    starter = f"{stage.namespace}/starter"
    async with (
        stage.operating(starter_config_map=starter),
        stage.pods() as pods,
        PlayedGateway(stage.url, [GUILD]).running() as gateway,
    ):
        await until(lambda: stage.exists(GUILD))
        document = await stage.ready(GUILD)
        assert document["metadata"]["labels"] == {"flora.uwu.network/starter": "true"}
        assert document["spec"]["source"]["configMapRef"] == {"name": "starter"}
        await until(lambda: any(GUILD in pod.runs for pod in pods))
        stage.apply(OTHER, SCRIPT + "// mine")
        mine = await stage.ready(OTHER, "GuildUnknown")
        await gateway.tell(Joined(OTHER))
        await stage.ready(OTHER)
        assert stage.get(OTHER)["spec"] == mine["spec"], "it has one of its own"


async def test_without_the_starters_config_map_nothing_is_made(stage: Stage) -> None:
    async with (
        stage.operating(starter_config_map=f"{stage.namespace}/missing") as operator,
        PlayedGateway(stage.url, [GUILD]).running(),
    ):
        await until(lambda: operator.members == {GUILD})
        await asyncio.sleep(0.5)
        assert not stage.exists(GUILD)
        stage.config_map("missing", **{"src__main.ts": SCRIPT})
        await until(lambda: stage.exists(GUILD), seconds=20)
