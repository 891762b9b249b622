"""The supervisor's side of KV: every call is answered once, however many there are and whatever is broken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from flora_core.ids import GuildId
from flora_runtime.kv import service as services
from flora_runtime.kv.database import Database
from flora_runtime.kv.service import KvService, WriteRates

pytestmark = pytest.mark.parity(22, 73, 74)

ONE, TWO = GuildId("1"), GuildId("2")


class Refused(Exception):
    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.retry_after: float = error.get("retryAfter", 0.0)


class Script:
    """Calls as a guild's script makes them."""

    def __init__(self, service: KvService) -> None:
        self.service = service

    def start(self, name: str, guild: GuildId = ONE, **args: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answer(ok: bool, value: bytes) -> None:
            if ok:
                future.set_result(json.loads(value))
            else:
                future.set_exception(Refused(json.loads(value)))

        self.service.call(guild, name, json.dumps(args).encode(), answer)
        return future

    def set(
        self, key: str, value: str = "v", *, store: str = "s", guild: GuildId = ONE
    ) -> asyncio.Future[Any]:
        return self.start("kvSet", guild, store=store, key=key, value=value)


@pytest.fixture
async def script(tmp_path: Path) -> AsyncIterator[Script]:
    service = KvService(tmp_path / "kv")
    yield Script(service)
    await service.close()


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_calls_are_answered(script: Script) -> None:
    assert await script.set("k") is True
    assert await script.start("kvGet", store="s", key="k") == {"value": "v"}


async def test_metadata_goes_out_as_it_came_in(script: Script) -> None:
    metadata = {"a": [1, None, {"b": "ä\n"}]}
    await script.start("kvSet", store="s", key="k", value="v", options={"metadata": metadata})
    assert (await script.start("kvGet", store="s", key="k"))["metadata"] == metadata


async def test_bad_arguments_are_invalid_input_and_counted(script: Script) -> None:
    before = metric("flora_kv_refused_total", code="INVALID_INPUT")
    with pytest.raises(Refused, match=r"^INVALID_INPUT: Invalid input for key: has 0 bytes"):
        await script.set("")
    assert metric("flora_kv_refused_total", code="INVALID_INPUT") == before + 1


async def test_a_store_takes_120_writes_a_minute_and_says_how_long_to_wait(script: Script) -> None:
    await asyncio.gather(*(script.set(str(number)) for number in range(120)))
    with pytest.raises(Refused, match="KV_RATE_LIMITED: kv write rate limit exceeded") as refused:
        await script.set("one more")
    assert 0 < refused.value.retry_after <= 60
    assert await script.set("k", store="another")
    assert await script.set("k", guild=TWO)
    assert await script.start("kvDelete", store="s", key="0"), "deleting is not counted"
    assert await script.start("kvCount", store="s") == 119


async def test_too_many_calls_at_once_are_refused(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "PENDING_MOST", 5)
    calls = [script.start("kvGet", store="s", key="k") for _ in range(8)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 5 + [Refused] * 3
    assert await script.start("kvGet", store="s", key="k") is None


async def test_while_the_database_is_open_elsewhere_calls_are_refused_and_then_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "HOUSEKEEPING_SECONDS", 0.02)
    elsewhere = Database(tmp_path)
    service = KvService(tmp_path)
    script, house = Script(service), asyncio.create_task(service.run())
    with pytest.raises(Refused, match="KV_UNAVAILABLE: kv is not available on this pod now"):
        await script.set("k")
    await asyncio.to_thread(elsewhere.close)
    async with asyncio.timeout(10):
        while not await _works(script):
            await asyncio.sleep(0.02)
    house.cancel()
    await service.close()


async def _works(script: Script) -> bool:
    try:
        return await script.set("k")
    except Refused:
        return False


async def test_closing_answers_everything_that_was_asked(tmp_path: Path) -> None:
    service = KvService(tmp_path)
    script = Script(service)
    calls = [script.start("kvIncr", GuildId(str(n % 50 + 1)), store="s", key="n") for n in range(1000)]
    await service.close()
    assert max(await asyncio.gather(*calls)) == 20


# -------------------------------------------------------------------- how often


def test_a_window_slides() -> None:
    rates = WriteRates(writes=2, seconds=10)
    assert [rates.take(ONE, "s", now) for now in (0.0, 4.0)] == [0.0, 0.0]
    assert rates.take(ONE, "s", 5.0) == 5.0
    assert rates.take(ONE, "s", 10.0) == 0.0
    assert rates.take(ONE, "s", 11.0) == 3.0


def test_several_writes_at_once_are_taken_together_or_not_at_all() -> None:
    rates = WriteRates(writes=3, seconds=10)
    assert rates.take(ONE, "s", 0.0, count=2) == 0.0
    assert rates.take(ONE, "s", 1.0, count=2) == 9.0
    assert rates.take(ONE, "s", 1.0, count=1) == 0.0
    assert rates.take(ONE, "s", 1.0, count=9) == 10.0


def test_idle_stores_are_forgotten() -> None:
    rates = WriteRates(writes=3, seconds=10)
    rates.take(ONE, "s", 0.0)
    rates.take(ONE, "t", 8.0)
    rates.forget_idle(12.0)
    assert list(rates._marks) == [(ONE, "t")]


@given(st.lists(st.integers(0, 5), max_size=60))
def test_no_window_ever_holds_more_than_allowed(pauses: list[int]) -> None:
    rates, now = WriteRates(writes=4, seconds=10), 0.0
    taken: list[float] = []
    for pause in pauses:
        now += pause
        wait = rates.take(ONE, "s", now)
        if wait:
            assert rates.take(ONE, "s", now + wait) == 0.0, "what it says is enough"
            taken.append(now + wait)
            now += wait
        else:
            taken.append(now)
    for at in taken:
        assert sum(at - 10 < other <= at for other in taken) <= 4
