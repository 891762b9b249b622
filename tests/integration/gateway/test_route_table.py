"""The gateway's route table: followed from a control plane that comes, goes, and is replaced; kept on disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from flora_core.serving import start_stream
from flora_core.streams import Token, make_session
from flora_core.wire.control import Beat, Route, Routes, route_table
from flora_gateway.fanout.routes import RouteTable

A, B = "flora-runtime-0", "flora-runtime-1"
PATIENCE = 5.0


class Plane:
    """A control plane that says on each dial what the test gives it, and keeps the stream open."""

    def __init__(self) -> None:
        self.dials: list[dict[str, str]] = []
        self.tokens: list[str | None] = []
        self.first: list[bytes] = []
        """What every new stream begins with."""
        self.status = 200
        self.port = 0
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/routes", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def say(self, *frames: Routes | Route | Beat) -> None:
        self._lines.put_nowait(b"".join(route_table.encode(frame) for frame in frames))

    def raw(self, line: bytes) -> None:
        self._lines.put_nowait(line)

    def end_stream(self) -> None:
        self._lines.put_nowait(None)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.dials.append(dict(request.query))
        self.tokens.append(request.headers.get("Authorization"))
        if self.status != 200:
            return web.Response(status=self.status, text="not now\n")
        response = await start_stream(request)
        for line in self.first:
            await response.write(line)
        while (lines := await self._lines.get()) is not None:
            await response.write(lines)
        return response


class Following:
    """A route table that follows a plane."""

    def __init__(self, plane: Plane, folder: Path, session: aiohttp.ClientSession) -> None:
        self.table = RouteTable(f"http://127.0.0.1:{plane.port}", folder, token=Token("sesame"))
        self._task = asyncio.create_task(self.table.run(session))

    async def wait(self, ready: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not ready():
                assert not self._task.done(), "following never ends by itself"
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@pytest.fixture
async def plane() -> AsyncIterator[Plane]:
    plane = Plane()
    await plane.start()
    yield plane
    await plane.stop()


Follow = Callable[[], Following]


@pytest.fixture
async def follow(plane: Plane, tmp_path: Path) -> AsyncIterator[Follow]:
    started: list[Following] = []
    async with make_session() as session:

        def start() -> Following:
            started.append(Following(plane, tmp_path / "state", session))
            return started[-1]

        yield start
        for following in started:
            await following.stop()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the table lies on disk."""
    return tmp_path / "state" / "routes.json"


def write(kept: Path, content: bytes) -> None:
    kept.parent.mkdir()
    kept.write_bytes(content)


def read(kept: Path) -> dict[str, str]:
    return msgspec.json.decode(kept.read_bytes())["pods"] if kept.exists() else {}


def changed(kept: Path) -> tuple[int, int]:
    """Another pair after every write, which puts another file in its place."""
    found = kept.stat()
    return found.st_ino, found.st_mtime_ns


# ---------------------------------------------------------------- following


async def test_guilds_are_found_lost_and_moved(plane: Plane, follow: Follow) -> None:
    following = follow()
    assert not following.table.known.is_set()
    plane.say(Routes("e", 1, {"1": A, "2": A}))
    await following.wait(following.table.known.is_set)
    assert (following.table.pod_of("1"), following.table.pods) == (A, {A})
    plane.say(Route(2, "1", B), Route(3, "2", None), Route(4, "9", B))
    await following.wait(lambda: following.table.pod_of("9"))
    assert [following.table.pod_of(guild) for guild in ("1", "2", "9")] == [B, None, B]
    assert following.table.pods == {B}


async def test_a_guild_that_leaves_twice_is_gone_once(plane: Plane, follow: Follow) -> None:
    following = follow()
    plane.say(Routes("e", 1, {}), Route(2, "1", None), Route(3, "1", None), Route(4, "2", A))
    await following.wait(lambda: following.table.pod_of("2"))
    assert following.table.pod_of("1") is None


async def test_an_empty_table_is_a_table(plane: Plane, follow: Follow) -> None:
    following = follow()
    plane.say(Routes("e", 0, {}))
    await following.wait(following.table.known.is_set)
    assert following.table.pods == set()


async def test_every_dial_says_where_it_goes_on_and_who_it_is(plane: Plane, follow: Follow) -> None:
    following = follow()
    plane.say(Routes("first", 5, {"1": A}), Route(6, "2", A), Beat(8))
    await following.wait(lambda: following.table.pod_of("2"))
    plane.end_stream()
    await following.wait(lambda: len(plane.dials) == 2)
    assert plane.dials == [{"after": "0", "epoch": ""}, {"after": "8", "epoch": "first"}]
    assert plane.tokens == ["Bearer sesame"] * 2


async def test_another_control_plane_replaces_the_whole_table(plane: Plane, follow: Follow) -> None:
    following = follow()
    plane.say(Routes("first", 50, {"1": A, "2": A}))
    await following.wait(lambda: following.table.pod_of("1"))
    plane.first = [route_table.encode(Routes("second", 3, {"2": B}))]
    plane.end_stream()
    await following.wait(lambda: following.table.pod_of("1") is None)
    assert following.table.pod_of("2") == B
    plane.end_stream()
    await following.wait(lambda: len(plane.dials) == 3)
    assert plane.dials[-1] == {"after": "3", "epoch": "second"}


async def test_while_nobody_answers_the_table_stays_true(plane: Plane, follow: Follow) -> None:
    following = follow()
    plane.say(Routes("e", 1, {"1": A}))
    await following.wait(lambda: following.table.pod_of("1"))
    await plane.stop()
    await asyncio.sleep(0.05)
    assert following.table.pod_of("1") == A
    plane.first = [route_table.encode(Route(2, "1", B))]
    await plane.start()
    await following.wait(lambda: following.table.pod_of("1") == B)


async def test_a_control_plane_that_refuses_is_asked_again(plane: Plane, follow: Follow) -> None:
    plane.status = 503
    following = follow()
    await following.wait(lambda: len(plane.dials) >= 2)
    assert not following.table.known.is_set()
    plane.status = 200
    plane.say(Routes("e", 1, {"1": A}))
    await following.wait(lambda: following.table.pod_of("1"))


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"<html>", "malformed"),
        (b'{"k":"route","guild":1}', "malformed"),
        (b'{"k":"tomorrow","revision":9}', "unknown_kind"),
    ],
)
async def test_a_line_that_is_no_frame_is_counted_and_skipped(
    plane: Plane, follow: Follow, garbage: bytes, reason: str
) -> None:
    def counted() -> float:
        labels = {"reason": reason}
        return REGISTRY.get_sample_value("flora_gateway_bad_frames_total", labels) or 0.0

    before = counted()
    following = follow()
    plane.say(Routes("e", 1, {}))
    plane.raw(garbage + b"\n")
    plane.say(Route(2, "1", A))
    await following.wait(lambda: following.table.pod_of("1"))
    assert counted() == before + 1


# ---------------------------------------------------------------- on disk


async def test_the_table_outlives_the_gateway(plane: Plane, follow: Follow, kept: Path) -> None:
    first = follow()
    plane.say(Routes("e", 1, {"1": A}), Route(2, "2", B))
    await first.wait(lambda: read(kept) == {"1": A, "2": B})
    await first.stop()
    await plane.stop()
    second = follow()
    await second.wait(second.table.known.is_set)
    assert (second.table.pod_of("1"), second.table.pod_of("2")) == (A, B)


async def test_a_remembered_table_asks_for_a_new_one_and_believes_it(
    plane: Plane, follow: Follow, kept: Path
) -> None:
    write(kept, msgspec.json.encode({"pods": {"1": A, "2": A}}))
    following = follow()
    await following.wait(following.table.known.is_set)
    plane.say(Routes("e", 1, {"2": B}))
    await following.wait(lambda: following.table.pod_of("1") is None)
    assert plane.dials == [{"after": "0", "epoch": ""}]
    await following.wait(lambda: read(kept) == {"2": B})


async def test_a_beat_is_no_reason_to_write(plane: Plane, follow: Follow, kept: Path) -> None:
    following = follow()
    plane.say(Routes("e", 1, {"1": A}))
    await following.wait(lambda: read(kept) == {"1": A})
    written = changed(kept)
    plane.say(Beat(2))
    plane.end_stream()
    await following.wait(lambda: plane.dials[-1]["after"] == "2")
    assert changed(kept) == written


async def test_nothing_is_left_beside_the_table(plane: Plane, follow: Follow, kept: Path) -> None:
    following = follow()
    for revision in range(1, 20):
        plane.say(Routes("e", revision, {"1": f"pod-{revision}"}))
    await following.wait(lambda: read(kept) == {"1": "pod-19"})
    assert [path.name for path in kept.parent.iterdir()] == ["routes.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"1":7}', b"{}"])
async def test_a_file_that_is_no_table_is_as_none(
    plane: Plane, follow: Follow, kept: Path, content: bytes
) -> None:
    write(kept, content)
    following = follow()
    await following.wait(lambda: plane.dials)
    assert not following.table.known.is_set()
    plane.say(Routes("e", 1, {"1": A}))
    await following.wait(lambda: following.table.pod_of("1"))


async def test_a_disk_that_cannot_be_written_costs_only_the_memory(
    plane: Plane, follow: Follow, kept: Path
) -> None:
    kept.parent.write_text("a file where the folder should be")
    following = follow()
    plane.say(Routes("e", 1, {"1": A}))
    await following.wait(lambda: following.table.pod_of("1"))
    plane.say(Route(2, "1", B))
    await following.wait(lambda: following.table.pod_of("1") == B)
