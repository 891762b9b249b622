"""Cron expressions as scripts write them: what is one, and what is told of one that is none."""

from __future__ import annotations

import json

import pytest
from harness import GuildUnderTest
from hypothesis import given, settings
from hypothesis import strategies as st

from flora_runtime.supervisor.crons import NoSuchTime, next_time

pytestmark = pytest.mark.parity(23, 57)

GOOD = [
    "* * * * *",
    "*/5 0-23/2 1,15 * 1-5",
    "0 9 * * mon-fri",
    "0 9 1 JAN,jul *",
    "30 * * * * *",
    "0 0 L * *",
    "0 0 ? * 5#2",
    "  0   0 * * 7  ",
    "@daily",
    "@yearly",
    "5/10 * * * *",
]
BAD = {
    "": "has 0 fields",
    "x": "it has 1 fields",
    "@never": "there is no @never",
    "* * * * * * *": "it has 7 fields",
    "60 * * * *": "'60' is no minute (0-59)",
    "* 24 * * *": "'24' is no hour (0-23)",
    "* * 0 * *": "'0' is no day of the month (1-31)",
    "* * * 13 *": "'13' is no month (1-12)",
    "* * * foo *": "'foo' is no month (1-12)",
    "* * * * 8": "'8' is no weekday (0-7)",
    "60 * * * * *": "'60' is no second (0-59)",
    "5-1 * * * *": "the range '5-1' runs backwards",
    "*/0 * * * *": "the step in '*/0' should be a number from 1",
    "*/x * * * *": "the step in '*/x' should be a number from 1",
    "1/2/3 * * * *": "'1/2/3' has two steps",
    "1-2-3 * * * *": "'1-2-3' is no minute",
    ", * * * *": "'' is no minute",
    "-1 * * * *": "'-1' is no minute",
    "? * * * *": "'?' is no minute",
    "* * * * ?/1": "'?/1' is no weekday",
    "* * L/2 * *": "'L/2' is no day of the month",
    "* * * * mon,?": "'?' is no weekday",
    "* * * * 0,5#2": "'0,5#2' mixes nth weekdays with others",
    "* * * * 1#6": "'1#6' is no nth weekday",
    "L * * * *": "'L' is no minute",
    "1.5 * * * *": "'1.5' is no minute",
}


class Judge:
    """Declares jobs in an isolate, in another one when that has as many as it may."""

    def __init__(self) -> None:
        self._guild = GuildUnderTest()
        self._asked = 0

    def verdict(self, expression: str) -> str:
        """The error for an expression; empty for a good one."""
        self._asked += 1
        if self._asked % 30 == 0:
            self._guild.close()
            self._guild = GuildUnderTest()
        declare = f"cron('job{self._asked}', {json.dumps(expression)}, () => {{}})"
        return self._guild.value(
            f"(() => {{ try {{ {declare}; return ''; }} catch (error) {{ return error.message; }} }})()"
        )


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


@pytest.mark.parametrize("expression", GOOD)
def test_what_is_an_expression(judge: Judge, expression: str) -> None:
    assert judge.verdict(expression) == ""
    assert next_time(expression.strip(), 1_700_000_000) > 1_700_000_000


@pytest.mark.parametrize("expression", BAD)
def test_what_is_none_and_why(judge: Judge, expression: str) -> None:
    told = judge.verdict(expression)
    if expression:
        assert told.startswith(f"invalid cron expression '{expression}': ")
        assert BAD[expression] in told
    else:
        assert told == "cron expression must be a non-empty string"


ITEMS = (
    *("*", "0", "1", "5", "7", "12", "59", "00", "007", "1-5", "5-10/3", "1/2", "*/5", "?", "#", "-"),
    *("L", "l", "L-3", "LW", "1W", "mon", "SUN", "jan", "dec", "fri-sat", "sun-sat", "sat-sun", "mon-fri/2"),
    *("5#2", "mon#1"),
)
fields = st.lists(
    st.lists(st.sampled_from(ITEMS), min_size=1, max_size=2).map(",".join)
    | st.from_regex(r"(\*|[0-9]{1,2}|[0-9]{1,2}-[0-9]{1,2}|mon|jan|L|\?)(/[0-9]{1,2})?", fullmatch=True),
    min_size=5,
    max_size=6,
)


@settings(max_examples=200, deadline=None, database=None)
@given(parts=fields)
def test_what_a_script_may_declare_the_host_can_plan(judge: Judge, parts: list[str]) -> None:
    expression = " ".join(parts)
    if judge.verdict(expression) == "":
        try:
            next_time(expression, 1_700_000_000)
        except NoSuchTime as error:
            assert "find next date" in str(error), f"{expression}: {error}"  # noqa: PT017


def test_jobs_are_declared_to_the_host(guild: GuildUnderTest) -> None:
    guild.load("cron('a', '@daily', () => {}); cron('b', '* * * * *', () => {}, { skipIfRunning: true });")
    assert guild.declaration["crons"] == [
        {"name": "a", "expression": "@daily", "skip": False},
        {"name": "b", "expression": "* * * * *", "skip": True},
    ]


def test_a_job_may_have_any_name(guild: GuildUnderTest) -> None:
    guild.load(
        "for (const name of ['constructor', '__proto__x', 'ä \"🌸']) cron(name, '@daily', (c) => console.log(c.name));"
    )
    for name in ("constructor", "__proto__x", 'ä "🌸'):
        guild.event(f"__cron:{name}", {"name": name, "scheduledAt": "2024-01-01T00:00:00Z"})
        assert guild.lines[-1] == name


def test_a_run_of_a_job_that_is_not_there_is_done_at_once(guild: GuildUnderTest) -> None:
    guild.load("cron('a', '@daily', () => console.log('ran'));")
    number = guild.event("__cron:b", {"name": "b", "scheduledAt": "x"})
    assert guild.out.done[number] is None
    assert guild.lines == []
