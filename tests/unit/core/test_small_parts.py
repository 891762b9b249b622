"""Built files, queries, and what a process owes whoever started it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Iterator

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from flora_core import assets, process, throughput
from flora_core.assets import asset
from flora_core.errors import AssetsMissing
from flora_core.process import PARENT_VARIABLE, announce, outlive_no_parent
from flora_core.serving import number_in_query, pod_in_path

# ---------------------------------------------------------------- built files


@pytest.mark.parametrize(
    "name",
    [
        assets.PRELUDE,
        assets.TYPES,
        assets.ESBUILD_JS,
        assets.ESBUILD_WASM,
        assets.TYPESCRIPT,
        assets.TYPESCRIPT_LIBS,
        assets.TRACE_MAPPING,
    ],
)
def test_everything_that_python_names_was_built(name: str) -> None:
    assert asset(name).exists()


def test_what_was_not_built_says_how_to_build_it() -> None:
    with pytest.raises(
        AssetsMissing, match=r"nothing\.js is missing from this installation; run `make setup`"
    ):
        asset("nothing.js")


# ---------------------------------------------------------------- queries


@given(st.integers(-(10**30), 10**30))
def test_any_whole_number_is_taken_from_a_query(number: int) -> None:
    assert number_in_query(make_mocked_request("GET", f"/?after={number}"), "after") == number


@pytest.mark.parametrize("text", ["", "x", "1.5", "0x10", "1e3", "9" * 5000])
def test_what_is_no_number_is_answered_with_400(text: str) -> None:
    with pytest.raises(web.HTTPBadRequest) as caught:
        number_in_query(make_mocked_request("GET", f"/?after={text}"), "after")
    assert caught.value.text == "after should be a number\n"


def test_a_number_that_is_not_there_is_0() -> None:
    assert number_in_query(make_mocked_request("GET", "/"), "after") == 0


@pytest.mark.parametrize("pod", ["", "UPPER", "a b", "-a", "a" * 64])
def test_a_path_of_no_pod_is_answered_with_400(pod: str) -> None:
    with pytest.raises(web.HTTPBadRequest) as caught:
        pod_in_path(make_mocked_request("GET", "/", match_info={"pod": pod}))
    assert "is not a pod name" in (caught.value.text or "")


# ---------------------------------------------------------------- processes


def test_a_process_says_in_one_line_where_it_listens(capsys: pytest.CaptureFixture[str]) -> None:
    announce("gateway", "http://127.0.0.1:8401")
    (line,) = capsys.readouterr().out.splitlines()
    assert msgspec.json.decode(line) == {
        "event": "listening", "name": "gateway", "url": "http://127.0.0.1:8401",
    }  # fmt: skip


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What this process would have been sent."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr(process, "PARENT_SECONDS", 0.005)
    return sent


async def test_a_process_whose_parent_is_gone_tells_itself_to_stop(
    monkeypatch: pytest.MonkeyPatch, signals: list[tuple[int, int]]
) -> None:
    monkeypatch.setenv(PARENT_VARIABLE, str(os.getppid()))
    watching = asyncio.create_task(outlive_no_parent())
    await asyncio.sleep(0.03)
    assert (watching.done(), signals) == (False, [])
    monkeypatch.setattr(os, "getppid", lambda: 1)
    async with asyncio.timeout(5):
        await watching
    assert signals == [(os.getpid(), signal.SIGTERM)]


@pytest.mark.parametrize("parent", [None, "", "me", "-1", "1.5"])
async def test_without_a_parent_to_watch_nothing_ever_ends(
    monkeypatch: pytest.MonkeyPatch, signals: list[tuple[int, int]], parent: str | None
) -> None:
    monkeypatch.delenv(PARENT_VARIABLE, raising=False)
    if parent is not None:
        monkeypatch.setenv(PARENT_VARIABLE, parent)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.03):
            await outlive_no_parent()
    assert signals == []


# ---------------------------------------------------------------- throughput


@pytest.fixture
def collector() -> Iterator[None]:
    """The garbage collector as it was."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
def test_what_was_there_at_the_start_is_walked_no_more() -> None:
    before = gc.get_freeze_count()
    throughput.freeze_startup_objects()
    assert gc.get_freeze_count() > before + 1000
    assert gc.get_threshold()[0] > 700
    assert gc.isenabled()


def test_a_kernel_that_does_not_let_us_choose_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    throughput.schedule_in_batches()
    monkeypatch.delattr(os, "SCHED_BATCH", raising=False)
    monkeypatch.delattr(os, "sched_setscheduler", raising=False)
    throughput.schedule_in_batches()
