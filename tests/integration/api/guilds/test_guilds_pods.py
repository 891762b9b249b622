"""Asking the pod that has a guild: through moves, past pods that hang or die, and never too much at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from flora_api.errors import (
    ApiError,
    BadRequest,
    Conflict,
    NotFound,
    QuotaExceeded,
    TooLarge,
    TooMany,
    Unavailable,
)
from flora_api.guilds.pods import PodLimits, Pods
from flora_api.guilds.route_table import RouteFollower
from flora_core.ids import GuildId, PodName
from flora_core.streams import Token, make_session
from flora_core.wire.control import Routes
from flora_core.wire.gateway import OpError
from flora_core.wire.guilds import status_of
from tests.integration.loopback import listening
from tests.waiting import until

A, B = PodName("flora-runtime-0"), PodName("flora-runtime-1")
ONE, TWO = GuildId("1"), GuildId("2")
QUICK = PodLimits(
    seconds=5.0, moving_seconds=0.3, guild_at_once=2, guild_waiting=2, pod_at_once=3, pod_waiting=1
)

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusal(code: str, *, retry_after: float = 0.0) -> web.Response:
    error = OpError(code, "no", retry_after=retry_after)
    return web.Response(
        body=msgspec.json.encode(error), status=status_of(error), content_type="application/json"
    )


class PlayedPod:
    """Answers as a test says."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[str] = []
        self.bodies: list[bytes] = []
        self.under_way = self.most = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.answers: list[web.Response] = []
        """Instead of its own, one after the other."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.path_qs} {request.headers.get('Authorization')}")
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            self.bodies.append(await request.read())
            await self.go_on.wait()
        finally:
            self.under_way -= 1
        return self.answers.pop(0) if self.answers else web.json_response({"pod": self.name})


class Played:
    """Two pods and who asks them; guild 1 is on A."""

    def __init__(self, session: aiohttp.ClientSession, urls: dict[PodName, str]) -> None:
        self.urls = urls
        self.routes = RouteFollower("http://127.0.0.1:9", token=Token("us"))
        self.pods = Pods(self.routes, session, lambda pod: self.urls[pod], token=Token("us"), limits=QUICK)
        self.a, self.b = PlayedPod("a"), PlayedPod("b")
        self._revision = 0

    def know(self, pods: dict[str, str]) -> None:
        self.routes.table.take(Routes("e", 1, pods))
        self.routes.known.set()

    async def move(self, guild: str, pod: str | None) -> None:
        self._revision += 1
        frame = b'{"k":"route","revision":%d,"guild":"%b","pod":%b}' % (
            self._revision,
            guild.encode(),
            msgspec.json.encode(pod),
        )
        await self.routes._take_all([frame])

    async def ask(self, guild: GuildId = ONE, method: str = "POST", **options: Any) -> Any:
        return msgspec.json.decode(await self.pods.ask(guild, method, "/kv/kvGet", **options))


@pytest.fixture
async def played() -> AsyncIterator[Played]:
    async with make_session() as session:
        played = Played(session, {})
        apps: list[web.Application] = []
        for pod in (played.a, played.b):
            app = web.Application()
            app.router.add_route("*", "/v1/guilds/{rest:.*}", pod.answer)
            apps.append(app)
        async with listening(apps[0]) as a, listening(apps[1]) as b:
            played.urls |= {A: a, B: b}
            played.know({ONE: A, TWO: B})
            yield played
            for pod in (played.a, played.b):
                pod.go_on.set()


async def refused(asking: Awaitable[Any], kind: type[ApiError], code: str) -> ApiError:
    with pytest.raises(kind) as found:
        await asking
    assert found.value.code == code
    return found.value


async def test_the_pod_that_has_the_guild_is_asked_with_our_token(played: Played) -> None:
    assert await played.ask(body=b"{}") == {"pod": "a"}
    assert await played.ask(TWO, "GET") == {"pod": "b"}
    assert played.a.seen == ["POST /v1/guilds/1/kv/kvGet Bearer us"]
    assert played.a.bodies == [b"{}"]


async def test_who_has_it_must_be_known(played: Played) -> None:
    await refused(played.ask(GuildId("3")), NotFound, "NOT_DEPLOYED")
    played.routes.known.clear()
    error = await refused(played.ask(), Unavailable, "ROUTES_UNKNOWN")
    assert error.retry_after


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INVALID_INPUT", BadRequest),
        ("UNKNOWN_CRON", NotFound),
        ("NOT_RUNNING", Conflict),
        ("SOMETHING_NEW", Conflict),
        ("TOO_LARGE", TooLarge),
        ("KV_RATE_LIMITED", TooMany),
        ("KV_UNAVAILABLE", Unavailable),
        ("KV_QUOTA_EXCEEDED", QuotaExceeded),
        ("NO_ROOM", QuotaExceeded),
    ],
)
async def test_a_refusal_keeps_its_code_and_gets_its_status(
    played: Played, code: str, kind: type[ApiError]
) -> None:
    played.a.answers = [refusal(code, retry_after=7.0)]
    error = await refused(played.ask(), kind, code)
    assert (error.retry_after, str(error)) == (7.0, "no")


# ---------------------------------------------------------------- moves


@pytest.mark.parametrize("code", ["GUILD_MOVING", "UNKNOWN_GUILD"])
async def test_a_guild_that_moves_is_followed(played: Played, code: str) -> None:
    played.a.answers = [refusal(code)]
    asking = asyncio.create_task(played.ask(body=b"x"))
    await until(lambda: played.a.seen)
    await played.move("2", A)  # another guild's move is nothing to us
    await played.move("1", B)
    assert await asking == {"pod": "b"}
    assert played.b.bodies == [b"x"]


async def test_a_guild_that_has_moved_already_is_followed_at_once(played: Played) -> None:
    async def answer() -> None:
        await until(lambda: played.a.seen)
        await played.move("1", B)
        played.a.go_on.set()

    played.a.answers = [refusal("UNKNOWN_GUILD")]
    played.a.go_on.clear()
    moving = asyncio.create_task(answer())
    assert await played.ask() == {"pod": "b"}
    await moving


async def test_a_guild_is_followed_once(played: Played) -> None:
    played.a.answers = [refusal("UNKNOWN_GUILD")]
    played.b.answers = [refusal("GUILD_MOVING")]
    asking = asyncio.create_task(played.ask())
    await until(lambda: played.a.seen)
    await played.move("1", B)
    error = await refused(asking, Unavailable, "GUILD_MOVING")
    assert error.retry_after == 1


async def test_a_move_that_takes_longer_is_the_callers_to_wait_for(played: Played) -> None:
    played.a.answers = [refusal("GUILD_MOVING")]
    await refused(played.ask(), Unavailable, "GUILD_MOVING")
    assert played.b.seen == []


async def test_a_guild_that_is_taken_away_meanwhile_is_not_followed(played: Played) -> None:
    played.a.answers = [refusal("UNKNOWN_GUILD")]
    asking = asyncio.create_task(played.ask())
    await until(lambda: played.a.seen)
    await played.move("1", None)
    await refused(asking, Unavailable, "GUILD_MOVING")


# ---------------------------------------------------------------- pods that do not answer


async def test_a_pod_that_is_gone_is_said_to_be(played: Played) -> None:
    played.urls[A] = "http://127.0.0.1:9"
    error = await refused(played.ask(), Unavailable, "POD_UNREACHABLE")
    assert error.retry_after
    assert "127.0.0.1" not in str(error)


async def test_a_pod_that_hangs_is_given_up_in_time(played: Played) -> None:
    played.a.go_on.clear()
    await refused(played.ask(seconds=0.2), Unavailable, "POD_UNREACHABLE")


@pytest.mark.parametrize(("repeatable", "times"), [(True, 2), (False, 1)])
async def test_only_what_changes_nothing_is_asked_again(played: Played, repeatable: bool, times: int) -> None:
    """A connection that breaks before there is an answer: the change may have been made."""
    asked: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(10))
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    played.urls[A] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await refused(played.ask(repeatable=repeatable), Unavailable, "POD_UNREACHABLE")
    assert len(asked) == times
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("status", [401, 403, 404, 500, 502, 302])
async def test_an_answer_of_no_pod_is_none(played: Played, status: int) -> None:
    played.a.answers = [web.Response(status=status, text="<html>secret inner text</html>")]
    error = await refused(played.ask(), Unavailable, "POD_UNREACHABLE")
    assert "secret" not in str(error)
    assert ("FLORA_SERVICE_ACCOUNTS" in str(error)) == (status in (401, 403))


async def test_an_answer_that_cannot_be_read_is_none(played: Played) -> None:
    await refused(played.pods.ask_for(ONE, list[int], "GET", "/crons"), Unavailable, "POD_UNREACHABLE")


async def test_an_answer_without_end_is_cut_off(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(played.pods, "_limits", PodLimits(answer_bytes=5))
    await refused(played.ask(), TooLarge, "TOO_LARGE")


# ---------------------------------------------------------------- how much at once


async def test_a_guild_has_a_few_at_once_and_a_few_that_wait(played: Played) -> None:
    played.a.go_on.clear()
    asking = [asyncio.create_task(played.ask()) for _ in range(4)]
    await until(lambda: len(played.a.seen) == 2)
    await refused(played.ask(), TooMany, "GUILD_BUSY")
    played.a.go_on.set()
    assert [await task for task in asking] == [{"pod": "a"}] * 4
    assert played.a.most == 2
    assert len(played.pods._by_guild) == len(played.pods._by_pod) == 0


async def test_a_pod_that_hangs_holds_back_its_own_guilds_alone(played: Played) -> None:
    guilds = [GuildId(str(n)) for n in range(10, 15)]
    played.know({**dict.fromkeys(guilds, A), TWO: B})
    played.a.go_on.clear()
    asking = [asyncio.create_task(played.ask(guild)) for guild in guilds[:4]]
    await until(lambda: len(played.a.seen) == 3)
    await refused(played.ask(guilds[4]), Unavailable, "POD_BUSY")
    assert await played.ask(TWO) == {"pod": "b"}
    played.a.go_on.set()
    await asyncio.gather(*asking)


async def test_whoever_gives_up_makes_room(played: Played) -> None:
    played.a.go_on.clear()
    asking = [asyncio.create_task(played.ask()) for _ in range(4)]
    await until(lambda: len(played.a.seen) == 2)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    played.a.go_on.set()
    assert await played.ask() == {"pod": "a"}


# ---------------------------------------------------------------- long bodies


async def test_a_body_is_passed_up_as_it_comes_and_sent_once(played: Played) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for n in range(3):
            yield b"%d" % n

    async def up() -> dict[str, str]:
        return await played.pods.upload(ONE, dict[str, str], "/restore?mode=merge", chunks(), seconds=5)

    assert await up() == {"pod": "a"}
    assert played.a.bodies == [b"012"]
    assert played.a.seen[0].startswith("POST /v1/guilds/1/restore?mode=merge ")
    played.a.answers = [refusal("UNKNOWN_GUILD")]
    asking = asyncio.create_task(up())
    await until(lambda: len(played.a.seen) == 2)
    await played.move("1", B)
    await refused(asking, Unavailable, "GUILD_MOVING")
    assert played.b.seen == []


async def test_a_body_is_passed_down_as_it_comes(played: Played) -> None:
    played.a.answers = [web.Response(body=b"x" * 1000, headers={"X-Flora-SHA256": "s"})]
    async with played.pods.download(ONE, "/backups/1") as stream:
        assert (stream.size, stream.headers["X-Flora-SHA256"]) == (1000, "s")
        assert b"".join([chunk async for chunk in stream.chunks]) == b"x" * 1000
    played.a.answers = [refusal("BACKUP_NOT_FOUND")]
    with pytest.raises(NotFound):
        async with played.pods.download(ONE, "/backups/1"):
            pass
