"""A pod and whoever decides what it runs: snapshots, changes, bundles, reports, and what is kept on disk."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from flora_core.ids import Sha256
from flora_core.serving import read_stream_body, start_stream
from flora_core.streams import Token, make_session
from flora_core.wire.control import (
    Assign,
    Assignment,
    Beat,
    Draining,
    Failed,
    Loaded,
    LogLine,
    Outcome,
    Release,
    Retire,
    ScriptError,
    Secret,
    Secrets,
    Snapshot,
    desired,
    logs,
    reports,
)
from flora_runtime.supervisor import control
from flora_runtime.supervisor.control import BundleCorrupt, BundleMissing, BundleStore, ControlLink
from flora_runtime.supervisor.reporting import Logs, Reports
from tests.integration.loopback import listening
from tests.waiting import until


class Control:
    """Says on each dial what the test put into ``says``, and takes what comes up."""

    def __init__(self) -> None:
        self.says: list[bytes] = []
        self.dials: list[dict[str, str]] = []
        self.bundles: dict[str, bytes] = {}
        self.fetches = 0
        self.lines: list[bytes] = []
        self.uploads = 0
        self.hang_up = asyncio.Event()
        self.url = ""

    def say(self, *frames: Any) -> None:
        self.says.append(b"".join(desired.encode(frame) for frame in frames))

    async def desired(self, request: web.Request) -> web.StreamResponse:
        self.dials.append(dict(request.query))
        response = await start_stream(request)
        if self.says:
            await response.write(self.says.pop(0))
        await self._until_hung_up()
        return response

    async def bundle(self, request: web.Request) -> web.Response:
        self.fetches += 1
        data = self.bundles.get(request.match_info["sha256"])
        return web.Response(body=data) if data is not None else web.Response(status=404)

    async def take(self, request: web.Request) -> web.Response:
        self.uploads += 1

        async def read() -> None:
            async for batch in read_stream_body(request, on_error=lambda _: None):
                self.lines += batch

        reading = asyncio.create_task(read())
        await self._until_hung_up()
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _until_hung_up(self) -> None:
        await self.hang_up.wait()
        self.hang_up.clear()


class Sink:
    """What the pod was told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def assign(self, assignment: Assignment) -> None:
        self.told.append(("assign", assignment.guild, assignment.revision))

    def release(self, guild: str) -> None:
        self.told.append(("release", guild))

    def replace_all(self, assignments: list[Assignment]) -> None:
        self.told.append(("all", *[assignment.guild for assignment in assignments]))

    def know_secrets(self, guild: str, secrets: list[Secret]) -> None:
        self.told.append(("secrets", guild, *[(secret.name, secret.value) for secret in secrets]))

    def on_retire(self, retire: Retire) -> None:
        self.told.append(("retire", retire.process, retire.wait))


@pytest.fixture
async def plane() -> AsyncIterator[Control]:
    made = Control()
    app = web.Application()
    app.router.add_get("/v1/pods/{pod}/desired", made.desired)
    app.router.add_get("/v1/bundles/{sha256}", made.bundle)
    app.router.add_post("/v1/pods/{pod}/{what}", made.take)
    async with listening(app) as made.url:
        yield made


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with make_session() as opened:
        yield opened


@contextlib.asynccontextmanager
async def running(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def assignment(guild: str, revision: int = 1) -> Assignment:
    return Assignment(guild, revision, "ab" * 32)


def linked(plane: Control, folder: Path, sink: Sink) -> ControlLink:
    return ControlLink(plane.url, "pod-0", folder, token=Token("t"), sink=sink)


# ---------------------------------------------------------------- desired state


async def test_a_snapshot_and_its_changes_reach_the_pod_in_order(
    plane: Control, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    sink = Sink()
    link = linked(plane, tmp_path, sink)
    plane.say(
        Snapshot("e", 4, [assignment("1"), assignment("2")]),
        Assign(5, assignment("3", 7)),
        Beat(5),
        Release(6, "1"),
    )
    assert not link.known.is_set()
    async with running(link.run(session)):
        await until(lambda: len(sink.told) == 3)
    assert sink.told == [("all", "1", "2"), ("assign", "3", 7), ("release", "1")]
    assert link.known.is_set()


async def test_an_answer_to_a_pod_that_stops_reaches_it_by_itself_and_with_a_snapshot(
    plane: Control, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    sink = Sink()
    link = linked(plane, tmp_path, sink)
    plane.say(Snapshot("e", 4, [], retire=Retire(3, "old")), Retire(5, "new", wait=True))
    assert not link.heard
    async with running(link.run(session)):
        await until(lambda: len(sink.told) == 3)
    assert sink.told[1:] == [("retire", "old", False), ("retire", "new", True)]
    assert link.heard


async def test_assignments_from_disk_are_not_the_control_plane_speaking(
    plane: Control, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (tmp_path / "assignments.json").write_text("{}")
    link = linked(plane, tmp_path, Sink())
    async with running(link.run(session)):
        await until(link.known.is_set)
    assert not link.heard


async def test_a_broken_stream_is_taken_up_where_it_was_and_nothing_is_released(
    plane: Control, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    sink = Sink()
    plane.say(Snapshot("e", 4, [assignment("1")]), Assign(9, assignment("2")))
    plane.say(Assign(10, assignment("3")))
    async with running(linked(plane, tmp_path, sink).run(session)):
        await until(lambda: len(sink.told) == 2)
        plane.hang_up.set()
        await until(lambda: len(sink.told) == 3)
    assert plane.dials == [{"after": "0", "epoch": ""}, {"after": "9", "epoch": "e"}]
    assert sink.told[-1] == ("assign", "3", 1)


async def test_frames_that_are_none_are_skipped(
    plane: Control, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    sink = Sink()
    plane.says.append(
        desired.encode(Snapshot("e", 1, []))
        + b'oops\n{"k":"surprise"}\n{"k":"assign","revision":2}\n[]\n\xff\xfe\n'
        + desired.encode(Assign(3, assignment("5")))
    )
    async with running(linked(plane, tmp_path, sink).run(session)):
        await until(lambda: len(sink.told) == 2)
    assert sink.told == [("all",), ("assign", "5", 1)]


async def test_a_pod_that_starts_alone_begins_with_what_it_was_told_last(
    plane: Control, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    first = Sink()
    plane.say(
        Snapshot("e", 1, [assignment("1"), assignment("2")]), Assign(2, assignment("3")), Release(3, "1")
    )
    async with running(linked(plane, tmp_path, first).run(session)):
        await until(lambda: b'"3"' in kept(tmp_path) and b'"1":' not in kept(tmp_path))
    again = Sink()
    link = linked(plane, tmp_path, again)
    async with running(link.run(session)):
        await until(link.known.is_set)
        await until(lambda: len(plane.dials) == 2)
    assert again.told == [("all", "2", "3")]
    assert plane.dials[1] == {"after": "0", "epoch": ""}, "what is on disk is no place to go on from"


def kept(folder: Path) -> bytes:
    file = folder / "assignments.json"
    return file.read_bytes() if file.exists() else b""


@pytest.mark.parametrize("text", [b"", b"oops", b"[]", b'{"1":{}}', b'{"1":{"guild":1}}', b"[" * 100_000])
async def test_a_file_that_cannot_be_read_is_no_reason_not_to_start(
    plane: Control, session: aiohttp.ClientSession, tmp_path: Path, text: bytes
) -> None:
    (tmp_path / "assignments.json").write_bytes(text)
    sink = Sink()
    plane.say(Snapshot("e", 1, [assignment("1")]))
    async with running(linked(plane, tmp_path, sink).run(session)):
        await until(lambda: sink.told)
    assert sink.told == [("all", "1")]


async def test_a_folder_that_cannot_be_written_is_no_reason_not_to_go_on(
    plane: Control, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    sink = Sink()
    plane.say(Snapshot("e", 1, []), Assign(2, assignment("1")))
    async with running(linked(plane, tmp_path / "file", sink).run(session)):
        await until(lambda: len(sink.told) == 2)


# ---------------------------------------------------------------- bundles


DATA = b"a bundle"
HASH = Sha256(hashlib.sha256(DATA).hexdigest())


@pytest.fixture
def store(plane: Control, tmp_path: Path) -> BundleStore:
    return BundleStore(plane.url, tmp_path / "bundles", token=Token("t"))


async def test_a_bundle_is_fetched_once(
    plane: Control, store: BundleStore, session: aiohttp.ClientSession
) -> None:
    plane.bundles[HASH] = DATA
    assert [await store.get(session, HASH) for _ in range(3)] == [DATA] * 3
    assert plane.fetches == 1


async def test_a_bundle_that_rotted_on_disk_is_fetched_again(
    plane: Control, store: BundleStore, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    plane.bundles[HASH] = DATA
    await store.get(session, HASH)
    (tmp_path / "bundles" / HASH).write_bytes(b"rotten")
    assert await store.get(session, HASH) == DATA
    assert (tmp_path / "bundles" / HASH).read_bytes() == DATA


async def test_what_has_another_hash_is_refused_and_not_kept(
    plane: Control, store: BundleStore, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    plane.bundles[HASH] = b"something else"
    with pytest.raises(BundleCorrupt, match="14 bytes that have another hash"):
        await store.get(session, HASH)
    assert not (tmp_path / "bundles").exists()


async def test_a_bundle_that_cannot_be_had_now_may_be_later(
    plane: Control, store: BundleStore, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BundleMissing, match="answered 404"):
        await store.get(session, HASH)
    monkeypatch.setattr(control, "FETCH_SECONDS", 0.0)
    with pytest.raises(BundleMissing, match=HASH):
        await store.get(session, HASH)
    monkeypatch.undo()
    plane.bundles[HASH] = DATA
    assert await store.get(session, HASH) == DATA


async def test_a_bundle_of_many_chunks_arrives_whole(
    plane: Control, store: BundleStore, session: aiohttp.ClientSession
) -> None:
    data = bytes(range(256)) * (3 << 12)
    sha256 = Sha256(hashlib.sha256(data).hexdigest())
    plane.bundles[sha256] = data
    assert await store.get(session, sha256) == data


# ---------------------------------------------------------------- reports and logs


async def test_that_a_pod_stops_is_said_again_on_a_new_connection(
    plane: Control, session: aiohttp.ClientSession
) -> None:
    told = Reports(plane.url, "pod-0", token=Token("t"))
    async with running(told.run(session)):
        await until(lambda: plane.uploads == 1)
        told.drains("this process")
        await until(lambda: plane.lines)
        plane.hang_up.set()
        await until(lambda: plane.uploads == 2 and len(plane.lines) == 2)
    assert [reports.decode(line) for line in plane.lines] == [Draining("this process")] * 2


async def test_the_latest_report_of_each_guild_is_said_again_on_every_connection(
    plane: Control, session: aiohttp.ClientSession
) -> None:
    told = Reports(plane.url, "pod-0", token=Token("t"))
    told.report(Loaded("1", 1, "b", 0, 1.0))
    told.report(Failed("1", 2, "b", Outcome.EXCEPTION, ScriptError("no")))
    told.report(Loaded("2", 1, "b", 0, 1.0))
    told.report(Loaded("3", 1, "b", 0, 1.0))
    told.forget("3")
    told.forget("404")
    async with running(told.run(session)):
        await until(lambda: len(plane.lines) == 2)
        told.report(Loaded("2", 5, "b", 0, 1.0))
        await until(lambda: len(plane.lines) == 3)
        plane.lines.clear()
        plane.hang_up.set()
        await until(lambda: len(plane.lines) == 2)
    said = [reports.decode(line) for line in plane.lines]
    assert [
        (type(report), report.guild, report.revision) for report in said if not isinstance(report, Beat)
    ] == [
        (Failed, "1", 2),
        (Loaded, "2", 5),
    ]


async def test_lines_that_were_logged_before_there_was_a_connection_come_first(
    plane: Control, session: aiohttp.ClientSession
) -> None:
    told = Logs(plane.url, "pod-0", token=Token("t"))
    for number in range(3):
        told.log(LogLine("1", 0, "info", f"early {number}"))
    async with running(told.run(session)):
        await until(lambda: len(plane.lines) == 3)
        told.log(LogLine("1", 0, "info", "late"))
        await until(lambda: len(plane.lines) == 4)
    said = [line for raw in plane.lines if isinstance(line := logs.decode(raw), LogLine)]
    assert [line.text for line in said] == ["early 0", "early 1", "early 2", "late"]
    assert all(line.at > 1_600_000_000_000 for line in said), "the time is when it was logged"


async def test_only_so_many_lines_wait_and_the_oldest_go_first(
    plane: Control, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flora_runtime.supervisor.reporting.LOG_LINES_KEPT", 5)
    told = Logs(plane.url, "pod-0", token=Token("t"))
    for number in range(8):
        told.log(LogLine("1", 0, "info", str(number)))
    async with running(told.run(session)):
        await until(lambda: len(plane.lines) == 5)
    assert [msgspec.json.decode(line)["text"] for line in plane.lines] == ["3", "4", "5", "6", "7"]


async def test_without_a_log_service_nothing_is_dialled(
    plane: Control, session: aiohttp.ClientSession
) -> None:
    told = Logs("", "pod-0", token=Token("t"))
    told.log(LogLine("1", 0, "info", "to our own log"))
    async with asyncio.timeout(1):
        await told.run(session)
    assert plane.uploads == 0


# ------------------------------------------------------------------------------------------------- secrets


async def test_secrets_come_before_assignments_and_no_value_is_written_down(
    plane: Control, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    sink = Sink()
    one, two = Secret("KEY", "mark", "s3cret"), Secret("KEY", "mark", "s3cret-2")
    plane.say(Snapshot("e", 5, [assignment("1")], {"1": [one]}), Secrets(6, "1", [two]))
    async with running(linked(plane, tmp_path, sink).run(session)):
        await until(lambda: len(sink.told) == 3)
        await until((tmp_path / "placeholders.json").exists)
    assert sink.told == [
        ("secrets", "1", ("KEY", "s3cret")),
        ("all", "1"),
        ("secrets", "1", ("KEY", "s3cret-2")),
    ]
    assert "s3cret" not in kept_in(tmp_path)
    again = Sink()
    await plane_is_gone(plane, tmp_path, again, session)
    assert again.told[:2] == [("secrets", "1", ("KEY", None)), ("all", "1")]


def kept_in(folder: Path) -> str:
    return "".join(file.read_text() for file in folder.iterdir())


async def plane_is_gone(plane: Control, folder: Path, sink: Sink, session: aiohttp.ClientSession) -> None:
    """A link that starts with what is on disk, and with nobody to ask."""
    link = ControlLink("http://127.0.0.1:9", "pod-0", folder, token=Token("t"), sink=sink)
    async with running(link.run(session)):
        await link.known.wait()


async def test_a_snapshot_takes_away_secrets_that_are_gone(
    plane: Control, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    sink = Sink()
    plane.say(
        Snapshot("e", 5, [assignment("1")], {"1": [Secret("KEY", "mark", "v")]}),
        Snapshot("f", 1, [assignment("1")]),
    )
    async with running(linked(plane, tmp_path, sink).run(session)):
        await until(lambda: len(sink.told) == 4)
    assert sink.told[2:] == [("secrets", "1"), ("all", "1")]
