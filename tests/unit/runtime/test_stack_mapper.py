"""Stacks wait their turn for the isolate that maps them, and none waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from flora_core.wire.control import ScriptError
from flora_runtime.errors import BootFailed
from flora_runtime.worker import stacks
from flora_runtime.worker.racer import Value, ValueType
from flora_runtime.worker.stacks import MAPS_KEPT, SECONDS, WAITING_LIMIT, SourceMap, StackMapper

STACK = "Error: x\n    at f (bundle.js:2:3)"


class FakeIsolate:
    """Answers when the test says so."""

    made: list[FakeIsolate]
    boots = True

    def __init__(self, engine: object, **options: Any) -> None:
        if not type(self).boots:
            raise BootFailed("no memory")
        type(self).made.append(self)
        self.asked: list[Any] = []
        self.terminations = 0
        self.closed = False
        self._on_result: Callable[[Value], None] | None = None

    @property
    def busy(self) -> bool:
        return self._on_result is not None

    def feed(self, payload: bytes, on_result: Callable[[Value], None]) -> None:
        assert not self.busy, "one stack at a time"
        self.asked.append(msgspec.json.decode(payload))
        self._on_result = on_result

    def answer(self, text: bytes, *, type_: int = ValueType.STRING) -> None:
        on_result, self._on_result = self._on_result, None
        assert on_result is not None
        on_result(Value(type_, text, len(text)))

    def terminate(self) -> None:
        self.terminations += 1

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def isolates(monkeypatch: pytest.MonkeyPatch) -> list[FakeIsolate]:
    """Every isolate that was made."""
    made: list[FakeIsolate] = []
    monkeypatch.setattr(FakeIsolate, "made", made, raising=False)
    monkeypatch.setattr(FakeIsolate, "boots", True)
    monkeypatch.setattr(stacks, "Isolate", FakeIsolate)
    return made


@pytest.fixture
def mapper() -> StackMapper:
    return StackMapper(None, boot_seconds=1.0, show_internal=False)  # type: ignore[arg-type]


class Errors(list[ScriptError]):
    """What came back, in order."""

    @property
    def stacks(self) -> list[str]:
        return [error.stack for error in self]


@pytest.fixture
def errors() -> Errors:
    return Errors()


def source_map(number: int = 1) -> SourceMap:
    return SourceMap(f"bundle-{number}", f'{{"map":{number}}}')


@pytest.mark.parametrize(
    ("text", "found"),
    [("Error: no frames", source_map()), (STACK, SourceMap("bundle", "")), ("", source_map())],
)
def test_what_cannot_be_mapped_is_answered_at_once(
    mapper: StackMapper, errors: Errors, isolates: list[FakeIsolate], text: str, found: SourceMap
) -> None:
    mapper.map(text, found, errors.append)
    assert len(errors) == 1
    assert isolates == []


def test_a_stack_comes_back_in_the_authors_coordinates(
    mapper: StackMapper, errors: Errors, isolates: list[FakeIsolate]
) -> None:
    mapper.map(STACK, source_map(), errors.append)
    assert errors == []
    assert isolates[0].asked == [{"key": "bundle-1", "map": '{"map":1}', "positions": [[2, 3]]}]
    isolates[0].answer(b'[["src/main.ts",10,4,null]]')
    assert errors == [ScriptError("Error: x", "at f (src/main.ts:10:4)")]


def test_a_map_is_handed_over_once(mapper: StackMapper, errors: Errors, isolates: list[FakeIsolate]) -> None:
    for number in (1, 1, 2, 1):
        mapper.map(STACK, source_map(number), errors.append)
        isolates[0].answer(b"[null]")
    assert [asked["map"] is None for asked in isolates[0].asked] == [False, True, False, True]


def test_maps_are_handed_over_again_once_the_isolate_may_have_forgotten_them(
    mapper: StackMapper, errors: Errors, isolates: list[FakeIsolate]
) -> None:
    for number in [*range(MAPS_KEPT), 0, MAPS_KEPT, 0, 1]:  # one too many while 1 is the oldest
        mapper.map(STACK, source_map(number), errors.append)
        isolates[0].answer(b"[null]")
    known, forgotten = isolates[0].asked[-2:]
    assert known["map"] is None
    assert forgotten["map"] is not None, "the one that was not used for longest"


def test_stacks_are_mapped_one_at_a_time_in_the_order_they_came(
    mapper: StackMapper, errors: Errors, isolates: list[FakeIsolate]
) -> None:
    for number in (1, 2, 3):
        mapper.map(f"Error: {number}\n    at bundle.js:{number}:1", source_map(), errors.append)
    for number in (1, 2, 3):
        assert len(isolates[0].asked) == number
        isolates[0].answer(b'[["a.ts",%d,1,null]]' % number)
    assert [error.message for error in errors] == ["Error: 1", "Error: 2", "Error: 3"]
    assert errors.stacks == ["at a.ts:1:1", "at a.ts:2:1", "at a.ts:3:1"]


def test_a_storm_of_stacks_is_passed_on_unmapped_once_too_many_wait(
    mapper: StackMapper, errors: Errors
) -> None:
    for _ in range(WAITING_LIMIT + 1):  # the first is under way
        mapper.map(STACK, source_map(), errors.append)
    assert errors == []
    mapper.map(STACK, source_map(), errors.append)
    assert errors.stacks == ["at f (bundle.js:2:3)"]


ODD = {
    "nothing": b"",
    "no JSON": b"oops",
    "another shape": b'{"positions":[]}',
    "too few": b"[]",
    "places without a source": b"[[null,1,1,null]]",
    "places of the wrong type": b'[["a.ts","1",1,null]]',
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_an_odd_answer_leaves_the_stack_and_harms_nothing_else(
    mapper: StackMapper, errors: Errors, isolates: list[FakeIsolate], answer: bytes
) -> None:
    mapper.map(STACK, source_map(), errors.append)
    isolates[0].answer(answer)
    assert errors.stacks == ["at f (bundle.js:2:3)"]
    mapper.map(STACK, source_map(), errors.append)
    isolates[0].answer(b'[["a.ts",1,1,null]]')
    assert errors.stacks[-1] == "at f (a.ts:1:1)"


def test_an_isolate_that_failed_is_thrown_away_with_the_maps_it_knew(
    mapper: StackMapper, errors: Errors, isolates: list[FakeIsolate]
) -> None:
    mapper.map(STACK, source_map(), errors.append)
    mapper.map(STACK, source_map(), errors.append)
    isolates[0].answer(b"out of memory", type_=ValueType.OOM_EXCEPTION)
    assert isolates[0].closed
    assert errors.stacks == ["at f (bundle.js:2:3)"]
    assert isolates[1].asked[0]["map"] is not None, "the new one has no maps"
    isolates[1].answer(b'[["a.ts",1,1,null]]')
    assert errors.stacks[-1] == "at f (a.ts:1:1)"


def test_a_map_that_takes_too_long_is_given_up(
    mapper: StackMapper, errors: Errors, isolates: list[FakeIsolate]
) -> None:
    mapper.map(STACK, source_map(), errors.append)
    mapper.check(mapper._started + SECONDS - 0.1)
    assert isolates[0].terminations == 0
    mapper.check(mapper._started + SECONDS + 0.1)
    assert isolates[0].terminations == 1
    isolates[0].answer(b"", type_=ValueType.TERMINATED_EXCEPTION)
    assert len(errors) == 1
    mapper.check(mapper._started + 100)
    assert isolates[0].terminations == 1, "nothing is under way"


def test_without_an_isolate_every_stack_is_passed_on_as_it_is(
    mapper: StackMapper, errors: Errors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeIsolate, "boots", False)
    for _ in range(3):
        mapper.map(STACK, source_map(), errors.append)
    assert errors.stacks == ["at f (bundle.js:2:3)"] * 3
