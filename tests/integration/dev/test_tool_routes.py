"""What a session of ``flora dev`` answers to other commands, over a real socket; the pod behind it may be away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import msgspec
import pytest

from flora_core.errors import InvalidProject
from flora_core.ids import GuildId, PodName
from flora_core.running import Running
from flora_core.toolchain import Diagnostic, Toolchain
from flora_core.wire.control import LogLine, ScriptError
from flora_core.wire.guilds import KeptLine, kept_lines
from flora_dev.control_app import ControlApp, Tokens
from flora_dev.controller import GuildStatus, LocalController
from flora_dev.pod_client import PodClient, PodRefused

GUILD = GuildId("17")


class Nobody:
    """An audience that does not listen."""

    def on_status(self, status: GuildStatus) -> None: ...

    def on_error(self, status: GuildStatus, error: ScriptError) -> None: ...

    def on_diagnostics(self, guild: GuildId, diagnostics: Sequence[Diagnostic]) -> None: ...

    def on_log(self, pod: PodName, line: LogLine) -> None: ...


class Tool:
    """Somebody with a token."""

    def __init__(self, controller: LocalController, app: ControlApp, http: aiohttp.ClientSession) -> None:
        self.controller = controller
        self.app = app
        self.http = http
        self.tokens = Tokens()

    def log(self, text: str, **fields: Any) -> None:
        self.controller.on_log(
            PodName("p"), LogLine(GUILD, 1000, fields.pop("level", "info"), text, **fields)
        )

    async def get(self, path: str, *, token: str | None = None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self.tokens.api if token is None else token}"}
        async with self.http.get(self.app.url + path, headers=headers) as response:
            return response.status, await response.read()

    async def lines(self, query: str = "") -> list[str]:
        status, body = await self.get(f"/v1/guilds/{GUILD}/logs?{query}")
        assert status == 200, body
        return [
            line.text for raw in body.splitlines() if isinstance(line := kept_lines.decode(raw), KeptLine)
        ]


@pytest.fixture
async def tool() -> AsyncIterator[Tool]:
    async with contextlib.AsyncExitStack() as stack:
        controller = LocalController(Toolchain(), Nobody())
        controller.suspend(GUILD, "guild-17")
        tokens = Tokens()
        app = await ControlApp.start(stack, controller, tokens)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        tool = Tool(controller, app, http)
        tool.tokens = tokens
        yield tool


async def test_guilds_are_listed_with_their_state(tool: Tool) -> None:
    status, body = await tool.get("/v1/guilds")
    (row,) = msgspec.json.decode(body)
    assert (status, row["guild"], row["ready"], row["reason"]) == (200, GUILD, False, "Suspended")


async def test_a_document_that_cannot_be_read_is_no_guild(tool: Tool) -> None:
    tool.controller.refuse(GuildId("0"), "bad.yaml", "not YAML")
    assert [row["guild"] for row in msgspec.json.decode((await tool.get("/v1/guilds"))[1])] == [GUILD]
    assert (await tool.get("/v1/guilds/0/logs"))[0] == 404


async def test_lines_are_given_as_asked_for(tool: Tool) -> None:
    for number in range(5):
        tool.log(f"line {number}", level="warn" if number % 2 else "info")
    assert await tool.lines() == [f"line {number}" for number in range(5)]
    assert await tool.lines("limit=1") == ["line 4"]
    assert await tool.lines("level=warn&grep=LINE%203") == ["line 3"]
    assert await tool.lines("since=1001") == []


async def test_a_deploy_that_fails_is_a_line(tool: Tool) -> None:
    def read() -> Any:
        raise InvalidProject("there is no src/main.ts")

    await tool.controller.deploy(GUILD, "guild-17", read)
    assert await tool.lines("level=error") == ["not deployed: there is no src/main.ts"]


async def test_a_guild_that_is_removed_takes_its_lines_along(tool: Tool) -> None:
    tool.log("x")
    tool.controller.remove(GUILD)
    tool.controller.suspend(GUILD, "guild-17")
    assert await tool.lines() == []


async def test_who_follows_gets_what_was_and_what_comes(tool: Tool) -> None:
    tool.log("before")
    headers = {"Authorization": f"Bearer {tool.tokens.api}"}
    url = f"{tool.app.url}/v1/guilds/{GUILD}/logs?follow=1&grep=o"
    async with asyncio.timeout(10), tool.http.get(url, headers=headers) as response:
        assert kept_lines.decode((await response.content.readline()).strip()).text == "before"
        tool.log("shown")
        tool.log("thin")
        for number in range(100):
            tool.log(f"to come {number}")
        got = [kept_lines.decode(await response.content.readline()) for _ in range(101)]
    assert [line.text for line in got if isinstance(line, KeptLine)] == [
        "shown",
        *(f"to come {number}" for number in range(100)),
    ]


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "level=loud", "since=now", "after=1.5", "limit="])
async def test_a_wrong_query_is_refused_with_its_reason(tool: Tool, query: str) -> None:
    status, body = await tool.get(f"/v1/guilds/{GUILD}/logs?{query}")
    assert (status, msgspec.json.decode(body)["code"]) == (400, "INVALID_INPUT")


PATHS = [
    "/v1/guilds",
    f"/v1/guilds/{GUILD}/logs",
    f"/v1/guilds/{GUILD}/crons",
    f"/v1/guilds/{GUILD}/kv/kvStores",
]


@pytest.mark.parametrize("path", PATHS)
async def test_only_who_has_the_tools_token_is_answered(tool: Tool, path: str) -> None:
    assert (await tool.get(path, token="guess"))[0] == 401
    assert (await tool.get(path, token=tool.tokens.runtime))[0] == 403
    assert (await tool.get(path, token=tool.tokens.gateway))[0] == 403


async def test_an_unknown_guild_names_those_there_are(tool: Tool) -> None:
    for path in ("logs", "crons", "kv/kvStores"):
        status, body = await tool.get(f"/v1/guilds/4711/{path}")
        assert (status, msgspec.json.decode(body)["code"]) == (404, "UNKNOWN_GUILD")
        assert "there are 17" in msgspec.json.decode(body)["message"]


async def test_while_the_pod_starts_or_is_gone_it_says_so(tool: Tool) -> None:
    status, body = await tool.get(f"/v1/guilds/{GUILD}/kv/kvStores")
    assert (status, "still starting" in body.decode()) == (503, True)
    tool.app.tools.pod = PodClient(tool.http, "http://127.0.0.1:9", tool.tokens.api)
    status, body = await tool.get(f"/v1/guilds/{GUILD}/kv/kvStores")
    assert (status, "does not answer" in body.decode()) == (503, True)
    with pytest.raises(PodRefused, match="does not answer"):
        await tool.app.tools.pod.crons(GUILD)


async def test_a_pod_that_answers_nonsense_is_told_from_a_refusal(tool: Tool) -> None:
    # This session itself, asked as if it were a pod: it answers 401 with plain text.
    with pytest.raises(PodRefused, match="odd"):
        await PodClient(tool.http, tool.app.url, "guess").kv(GUILD, "kvStores")


async def test_tokens_are_new_each_time_and_in_no_text() -> None:
    one, two = Tokens(), Tokens()
    assert len({one.api, one.runtime, one.gateway, two.api, two.runtime, two.gateway}) == 6
    assert one.api not in repr(one)
    assert "secret" not in repr(Running("u", "secret", 1, "/x"))
