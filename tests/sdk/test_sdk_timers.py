"""Timers and microtasks."""

from __future__ import annotations

import pytest
from harness import GuildUnderTest


def test_a_timeout_runs_once_with_its_arguments(guild: GuildUnderTest) -> None:
    guild.run("globalThis.id = setTimeout((...args) => console.log(...args), 20, 'a', 2)")
    assert list(guild.out.timers.values()) == [20]
    assert guild.value("id") == next(iter(guild.out.timers))
    guild.fire()
    assert guild.lines == ["a 2"]
    assert guild.out.timers == {}


@pytest.mark.parametrize(
    ("given", "delay"),
    [
        ("", 0),
        (", undefined", 0),
        (", null", 0),
        (", -5", 0),
        (", NaN", 0),
        (", 'x'", 0),
        (", '15'", 15),
        (", 1.5", 1.5),
        (", 1e12", 2**31 - 1),
        (", Infinity", 2**31 - 1),
    ],
)
def test_delays_are_brought_into_range(guild: GuildUnderTest, given: str, delay: float) -> None:
    guild.run(f"setTimeout(() => {{}}{given})")
    assert list(guild.out.timers.values()) == [delay]


def test_a_cleared_timeout_does_not_run(guild: GuildUnderTest) -> None:
    guild.run("globalThis.id = setTimeout(() => console.log('never'), 20)")
    timer = guild.value("id")
    guild.run(
        "clearTimeout(id); clearTimeout(id); clearTimeout(99); clearTimeout(); clearTimeout(null);"
        " clearTimeout('x')"
    )
    assert guild.out.timers == {}
    guild.feed(t=[timer])
    assert guild.lines == []


def test_an_interval_runs_until_it_is_cleared(guild: GuildUnderTest) -> None:
    guild.run(
        "let n = 0; const id = setInterval((step) => { console.log(n += step); if (n === 3)"
        " clearInterval(id) }, 10, 1)"
    )
    for _ in range(5):
        if guild.out.timers:
            assert list(guild.out.timers.values()) == [10]
            guild.fire()
    assert guild.lines == ["1", "2", "3"]


def test_an_interval_without_a_pause_waits_a_millisecond(guild: GuildUnderTest) -> None:
    guild.run("setInterval(() => {}, 0)")
    assert list(guild.out.timers.values()) == [1]


def test_an_interval_survives_its_own_errors(guild: GuildUnderTest) -> None:
    guild.run("setInterval(() => { throw new Error('tick') }, 10)")
    guild.fire()
    guild.fire()
    assert [level for level, _ in guild.out.logs] == ["error", "error"]
    assert guild.out.timers


def test_clear_timeout_ends_intervals_too(guild: GuildUnderTest) -> None:
    guild.run("const id = setInterval(() => console.log('x'), 10); clearTimeout(id)")
    assert guild.out.timers == {}


@pytest.mark.parametrize("body", ["throw new Error('sync')", "return Promise.reject(new Error('async'))"])
def test_errors_in_a_timeout_are_logged(guild: GuildUnderTest, body: str) -> None:
    guild.run(f"setTimeout(function late() {{ {body} }}, 1)")
    guild.fire()
    level, text = guild.out.logs[0]
    assert level == "error"
    assert "sync\n    at " in text


@pytest.mark.parametrize("name", ["setTimeout", "setInterval", "queueMicrotask"])
def test_callbacks_must_be_functions(guild: GuildUnderTest, name: str) -> None:
    assert (
        guild.throws(f"{name}('console.log(1)')")
        == f"TypeError: {name}() takes a function as its first argument"
    )


def test_microtasks_run_after_the_code_that_queued_them(guild: GuildUnderTest) -> None:
    guild.run("queueMicrotask(() => console.log('micro')); console.log('sync')")
    assert guild.lines == ["sync", "micro"]


def test_errors_in_a_microtask_are_logged(guild: GuildUnderTest) -> None:
    guild.run("queueMicrotask(() => { throw new Error('micro') })")
    assert guild.out.logs[0][0] == "error"
    assert guild.lines[0].startswith("Error: micro")


def test_an_await_on_a_timer_continues_the_handler(guild: GuildUnderTest) -> None:
    guild.load(
        "console.log('before'); await new Promise((resolve) => setTimeout(resolve, 5)); console.log('after')"
    )
    assert guild.lines == ["before"]
    guild.fire()
    assert guild.lines == ["before", "after"]
    assert guild.out.load is True
