"""The control streams over real sockets: who may read them, where a reader goes on, what comes up."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from flora_core.control import server as control_server
from flora_core.control.server import ControlServer
from flora_core.control.state import LOG_LENGTH, DesiredState
from flora_core.errors import FloraError
from flora_core.identity import Identity, Role, StaticIdentities
from flora_core.ids import GuildId, PodName, Sha256
from flora_core.streams import Token, make_session, read_stream
from flora_core.wire.control import (
    Assign,
    Assignment,
    Beat,
    Draining,
    Failed,
    GatewayNews,
    Guilds,
    Joined,
    Left,
    Loaded,
    LogLine,
    Outcome,
    PodReport,
    Release,
    Retire,
    Route,
    Routes,
    ScriptError,
    Snapshot,
    desired,
    gateway_reports,
    guilds_in_parts,
    logs,
    reports,
    route_table,
)
from tests.integration.loopback import listening
from tests.waiting import until

POD, OTHER = PodName("flora-runtime-0"), PodName("flora-runtime-1")
RUNTIME, GATEWAY = "runtime-token", "gateway-token"
PATIENCE = 5.0


def assignment(guild: str, revision: int = 1, bundle: str = "ab" * 32) -> Assignment:
    return Assignment(guild, revision, bundle)


class Plane:
    """A control plane that keeps what it hears."""

    def __init__(self) -> None:
        self.state = DesiredState()
        self.bundles: dict[str, bytes] = {}
        self.reports: list[tuple[str, PodReport]] = []
        self.gateway_reports: list[GatewayNews] = []
        self.logs: list[tuple[str, LogLine]] = []
        self.url = ""

    async def bundle(self, sha256: Sha256) -> bytes | None:
        return self.bundles.get(sha256)

    def on_report(self, pod: PodName, report: PodReport) -> None:
        self.reports.append((pod, report))

    def on_gateway_report(self, report: GatewayNews) -> None:
        self.gateway_reports.append(report)

    def on_log(self, pod: PodName, line: LogLine) -> None:
        self.logs.append((pod, line))


class Reader:
    """Follows one stream, as a pod does; remembers every frame."""

    def __init__(self, url: str, decode: Callable[[bytes], Any], token: str) -> None:
        self.frames: list[Any] = []
        self._url = url
        self._decode = decode
        self._token = token

    async def follow(self, session: aiohttp.ClientSession, **params: str | int) -> None:
        stream = read_stream(
            session, self._url, token=Token(self._token), on_error=lambda _: None, params=params
        )
        async for batch in stream:
            self.frames += [self._decode(line) for line in batch]

    async def take(self, count: int) -> list[Any]:
        """The first ``count`` frames, once they are here."""
        async with asyncio.timeout(PATIENCE):
            while len(self.frames) < count:
                await asyncio.sleep(0.005)
        return self.frames[:count]


Follow = Callable[..., Awaitable[Reader]]


@pytest.fixture
async def plane() -> AsyncIterator[Plane]:
    plane, app = Plane(), web.Application()
    identities = StaticIdentities(
        {RUNTIME: Identity(Role.RUNTIME, POD), GATEWAY: Identity(Role.GATEWAY), "api": Identity(Role.API)}
    )
    ControlServer(app, plane.state, plane, identities)
    async with listening(app) as plane.url:
        yield plane


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with make_session() as opened:
        yield opened


@pytest.fixture
async def follow(plane: Plane, session: aiohttp.ClientSession) -> AsyncIterator[Follow]:
    """Opens a stream and reads it in the background."""
    reading: list[asyncio.Task[None]] = []

    async def open_(path: str = f"/v1/pods/{POD}/desired", **params: str | int) -> Reader:
        decode, token = (
            (route_table.decode, GATEWAY) if path.endswith("routes") else (desired.decode, RUNTIME)
        )
        reader = Reader(plane.url + path, decode, token)
        reading.append(asyncio.create_task(reader.follow(session, **params)))
        return reader

    yield open_
    for task in reading:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, aiohttp.ClientError, FloraError):
            await task


# ---------------------------------------------------------------- down


async def test_a_new_reader_gets_a_snapshot_and_then_each_change(plane: Plane, follow: Follow) -> None:
    plane.state.assign(POD, assignment("1"))
    plane.state.assign(OTHER, assignment("2"))
    reader = await follow()
    (snapshot,) = await reader.take(1)
    assert snapshot == Snapshot(plane.state.epoch, 2, [assignment("1")])
    plane.state.assign(POD, assignment("3"))
    plane.state.release(GuildId("1"))
    *_, assign, release = await reader.take(3)
    assert assign == Assign(3, assignment("3"))
    assert release == Release(4, "1")


async def test_a_reader_that_comes_back_gets_only_what_it_lacks(plane: Plane, follow: Follow) -> None:
    for guild in ("1", "2", "3"):
        plane.state.assign(POD, assignment(guild))
    reader = await follow(after=2, epoch=plane.state.epoch)
    assert await reader.take(1) == [Assign(3, assignment("3"))]


async def test_a_reader_that_lacks_nothing_hears_at_once_that_the_stream_lives(
    plane: Plane, follow: Follow
) -> None:
    plane.state.assign(POD, assignment("1"))
    reader = await follow(after=1, epoch=plane.state.epoch)
    assert await reader.take(1) == [Beat(1)]


async def test_changes_of_other_pods_move_a_reader_on_without_frames_of_theirs(
    plane: Plane, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_server, "BEAT_SECONDS", 0.02)
    reader = await follow()
    await reader.take(1)
    plane.state.assign(OTHER, assignment("2"))
    await until(lambda: reader.frames[-1] == Beat(1))
    assert all(isinstance(frame, Beat) for frame in reader.frames[1:])


async def test_changes_of_other_pods_are_no_reason_to_write(plane: Plane, follow: Follow) -> None:
    reader = await follow()
    await reader.take(1)
    for number in range(50):
        plane.state.assign(OTHER, assignment("2", revision=number + 1))
        await asyncio.sleep(0)
    plane.state.assign(POD, assignment("1"))
    assert (await reader.take(2))[1] == Assign(51, assignment("1"))


@pytest.mark.parametrize(
    ("after", "epoch"),
    [(3, "of another process"), (3, ""), (99, None), (-1, None)],
    ids=["another epoch", "no epoch", "from the future", "before the beginning"],
)
async def test_a_reader_whose_place_means_nothing_here_gets_a_snapshot(
    plane: Plane, follow: Follow, after: int, epoch: str | None
) -> None:
    for guild in ("1", "2", "3"):
        plane.state.assign(POD, assignment(guild))
    reader = await follow(after=after, epoch=plane.state.epoch if epoch is None else epoch)
    (first,) = await reader.take(1)
    assert isinstance(first, Snapshot)
    assert {entry.guild for entry in first.assignments} == {"1", "2", "3"}


async def test_a_reader_that_fell_behind_the_log_while_connected_gets_a_snapshot(
    plane: Plane, follow: Follow
) -> None:
    reader = await follow()
    await reader.take(1)
    for number in range(LOG_LENGTH + 5):
        plane.state.assign(POD, assignment("1", revision=number))
    (_, second) = await reader.take(2)
    assert isinstance(second, Snapshot)
    assert second.revision == LOG_LENGTH + 5
    assert [entry.revision for entry in second.assignments] == [LOG_LENGTH + 4]


async def test_a_quiet_stream_beats(plane: Plane, follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_server, "BEAT_SECONDS", 0.02)
    reader = await follow()
    frames = await reader.take(4)
    assert frames[1:] == [Beat(0)] * 3


async def test_two_readers_of_one_pod_hear_the_same(plane: Plane, follow: Follow) -> None:
    one, two = await follow(), await follow()
    await one.take(1)
    await two.take(1)
    plane.state.assign(POD, assignment("7"))
    assert (await one.take(2))[1] == (await two.take(2))[1] == Assign(1, assignment("7"))


async def test_routes_tell_the_gateway_where_every_guild_is(plane: Plane, follow: Follow) -> None:
    plane.state.assign(POD, assignment("1"))
    reader = await follow("/v1/routes")
    assert await reader.take(1) == [Routes(plane.state.epoch, 1, {"1": POD})]
    plane.state.assign(OTHER, assignment("1"))
    assert (await reader.take(2))[1] == Route(2, "1", OTHER)
    plane.state.release(GuildId("1"))
    assert (await reader.take(3))[2] == Route(3, "1", None)


async def test_a_deploy_that_moves_nobody_is_only_in_the_next_beat_for_the_gateway(
    plane: Plane, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_server, "BEAT_SECONDS", 0.02)
    plane.state.assign(POD, assignment("1"))
    reader = await follow("/v1/routes")
    await reader.take(1)
    plane.state.assign(POD, assignment("1", revision=2))
    await until(lambda: reader.frames[-1] == Beat(2))
    assert all(isinstance(frame, Beat) for frame in reader.frames[1:])


async def test_a_reader_that_takes_nothing_holds_up_nobody_else(plane: Plane, follow: Follow) -> None:
    for number in range(2000):
        plane.state.assign(POD, Assignment(str(number + 1), 1, "ab" * 2000))
    host, port = plane.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port), limit=1024)
    head = f"GET /v1/pods/{POD}/desired HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {RUNTIME}\r\n\r\n"
    writer.write(head.encode())
    other = await follow("/v1/routes")
    await other.take(1)
    plane.state.release(GuildId("1"))
    assert (await other.take(2))[1] == Route(2001, "1", None)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_pod_that_asked_to_stop_is_answered_now_and_when_it_comes_back(
    plane: Plane, session: aiohttp.ClientSession, follow: Follow
) -> None:
    plane.state.assign(POD, assignment("1"))
    reader = await follow()
    await reader.take(1)
    await post(session, f"{plane.url}/v1/pods/{POD}/reports", reports.encode(Draining("a")))
    assert plane.reports == [(POD, Draining("a"))]
    plane.state.retire(POD, wait=True)
    assert (await reader.take(2))[1] == Retire(2, "a", wait=True)
    plane.state.retire(POD)
    assert (await reader.take(3))[2] == Retire(3, "a")
    (snapshot,) = await (await follow()).take(1)
    assert snapshot.retire == Retire(3, "a")
    assert await (await follow(after=1, epoch=plane.state.epoch)).take(1) == [Retire(3, "a")]


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        (f"/v1/pods/{POD}/desired", "", 401),
        (f"/v1/pods/{POD}/desired", "unknown", 401),
        (f"/v1/pods/{POD}/desired", GATEWAY, 403),
        (f"/v1/pods/{OTHER}/desired", RUNTIME, 403),
        ("/v1/pods/No_Pod/desired", RUNTIME, 400),
        (f"/v1/pods/{POD}/desired?after=soon", RUNTIME, 400),
        ("/v1/routes", RUNTIME, 403),
        ("/v1/routes", "", 401),
        ("/v1/routes?after=1.5", GATEWAY, 400),
        ("/v1/bundles/" + "ab" * 32, GATEWAY, 403),
        ("/v1/bundles/" + "ab" * 32, "api", 403),
        ("/v1/bundles/" + "ab" * 32, "", 401),
        ("/v1/bundles/short", RUNTIME, 400),
        ("/v1/bundles/" + "ab" * 32, RUNTIME, 404),
    ],
)
async def test_a_read_that_may_not_be_is_refused_with_a_text(
    plane: Plane, session: aiohttp.ClientSession, path: str, token: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with session.get(plane.url + path, headers=headers) as answer:
        assert answer.status == status
        assert (await answer.text()).strip()


@pytest.mark.parametrize("end", ["reports", "logs"])
@pytest.mark.parametrize(("token", "status"), [("", 401), (GATEWAY, 403), (RUNTIME, 403)])
async def test_nobody_reports_for_another_pod(
    plane: Plane, session: aiohttp.ClientSession, end: str, token: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    line = logs.encode(LogLine("1", 0, "info", "forged"))
    async with session.post(f"{plane.url}/v1/pods/{OTHER}/{end}", data=line, headers=headers) as answer:
        assert answer.status == status
    assert (plane.reports, plane.logs) == ([], [])


@pytest.mark.parametrize(("token", "status"), [("", 401), (RUNTIME, 403), ("api", 403), (GATEWAY, 200)])
async def test_only_the_gateway_says_where_the_bot_is(
    plane: Plane, session: aiohttp.ClientSession, token: str, status: int
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    line = gateway_reports.encode(Guilds(["1"]))
    async with session.post(f"{plane.url}/v1/gateway/reports", data=line, headers=headers) as answer:
        assert answer.status == status
    assert plane.gateway_reports == ([Guilds(["1"])] if status == 200 else [])


async def test_a_bundle_is_given_as_it_is_and_may_be_kept_for_ever(
    plane: Plane, session: aiohttp.ClientSession
) -> None:
    sha256 = "cd" * 32
    plane.bundles[sha256] = data = bytes(range(256)) * 64
    headers = {"Authorization": f"Bearer {RUNTIME}"}
    async with session.get(f"{plane.url}/v1/bundles/{sha256}", headers=headers) as answer:
        assert await answer.read() == data
        assert answer.headers["Cache-Control"] == "immutable"


# ---------------------------------------------------------------- up

LOADED = Loaded("1", 4, "ab" * 32, 0, 2.5, ["messageCreate"], 1)
FAILED = Failed("2", 5, "cd" * 32, Outcome.EXCEPTION, ScriptError("boom", "at src/main.ts:1:1"))


async def post(session: aiohttp.ClientSession, url: str, data: bytes, *, token: str = RUNTIME) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    async with session.post(url, data=io.BytesIO(data), headers=headers) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_reports_reach_whoever_decides_with_the_pod_they_came_from(
    plane: Plane, session: aiohttp.ClientSession
) -> None:
    lines = reports.encode(LOADED) + reports.encode(Beat(0)) + reports.encode(FAILED)
    assert await post(session, f"{plane.url}/v1/pods/{POD}/reports", lines) == "3\n"
    assert plane.reports == [(POD, LOADED), (POD, FAILED)]


async def test_log_lines_keep_every_field(plane: Plane, session: aiohttp.ClientSession) -> None:
    line = LogLine("1", 1700, "error", "naïve 🌱", "runtime", Outcome.KILLED, "at x", "messageCreate", 3)
    await post(session, f"{plane.url}/v1/pods/{POD}/logs", logs.encode(line))
    assert plane.logs == [(POD, line)]


@pytest.mark.parametrize(
    "garbage",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"k":"surprise"}',
        b'{"k":"loaded","guild":1}',
        b"\xff\xfe",
        b"x" * (17 << 20),
    ],
    ids=["text", "list", "no kind", "unknown kind", "wrong type", "no UTF-8", "too long"],
)
async def test_a_bad_line_is_skipped_and_the_next_is_taken(
    plane: Plane, session: aiohttp.ClientSession, garbage: bytes
) -> None:
    lines = reports.encode(LOADED) + garbage + b"\n" + reports.encode(FAILED)
    await post(session, f"{plane.url}/v1/pods/{POD}/reports", lines)
    assert [report for _, report in plane.reports] == [LOADED, FAILED]


async def test_a_stream_cut_inside_a_line_keeps_what_was_whole(
    plane: Plane, session: aiohttp.ClientSession
) -> None:
    whole = logs.encode(LogLine("1", 0, "info", "whole"))
    await post(session, f"{plane.url}/v1/pods/{POD}/logs", whole + whole[:20])
    assert [line.text for _, line in plane.logs] == ["whole"]


async def test_a_list_of_guilds_in_parts_arrives_as_one(plane: Plane, session: aiohttp.ClientSession) -> None:
    guilds = [str(100_000_000_000_000_000 + number) for number in range(25_000)]
    frames = [*guilds_in_parts(guilds), Joined("7"), Beat(0), Left("7"), *guilds_in_parts([])]
    lines = [gateway_reports.encode(frame) for frame in frames]
    assert max(map(len, lines)) < 1 << 18
    await post(session, f"{plane.url}/v1/gateway/reports", b"".join(lines), token=GATEWAY)
    assert plane.gateway_reports == [Guilds(guilds), Joined("7"), Left("7"), Guilds([])]


async def test_a_list_of_guilds_without_its_beginning_or_end_is_not_taken(
    plane: Plane, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_server, "GUILDS_MOST", 3)
    frames = [
        Guilds(["1"], first=False, last=True),
        Guilds(["1"], first=True, last=False),
        Guilds(["2"], first=True, last=True),
        Guilds(["1", "2"], first=True, last=False),
        Guilds(["3", "4"], first=False, last=True),
        Guilds(["5"], first=False, last=True),
    ]
    lines = b"".join(map(gateway_reports.encode, frames))
    await post(session, f"{plane.url}/v1/gateway/reports", lines, token=GATEWAY)
    assert plane.gateway_reports == [Guilds(["2"])]
