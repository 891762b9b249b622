"""What a line at the prompt, or an option of the command line, does in Discord, and how a wrong one is told."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.errors import InvalidInput
from flora_dev import talk
from flora_dev.command import ordered_says
from flora_dev.talk import ANSWERS, LINGER_SECONDS, Said, parse_prompt, speak
from flora_simulator.errors import SimulatorRefused
from flora_simulator.wire import Acted, Action, Actions


class People:
    """Does nothing but remember what was asked of it; answers as told."""

    def __init__(self, answers: Sequence[Sequence[Action]] = (), *, refusal: str = "") -> None:
        self.acts: list[tuple[Any, ...]] = []
        self.waits: list[tuple[int, float]] = []
        self._answers = list(answers)
        self._refusal = refusal

    async def wait(self, position: int, *, kinds: Sequence[str], longest: float) -> Actions:
        assert kinds == ANSWERS
        self.waits.append((position, longest))
        return Actions(position, list(self._answers.pop(0)) if self._answers else [])

    def __getattr__(self, act: str) -> Any:
        async def do(*arguments: Any, **named: Any) -> Acted:
            if self._refusal:
                raise SimulatorRefused(400, self._refusal)
            self.acts.append((act, *arguments, *named.values()))
            return Acted(7, "55", 1)

        return do


async def acts(said: Said) -> tuple[Any, ...]:
    people = People()
    await said.act(people, "general")  # pyright: ignore[reportArgumentType]
    (only,) = people.acts
    return only


LINES = {
    "!ping": ("post", "!ping", "general"),
    "  padded  ": ("post", "padded", "general"),
    "not :click count": ("post", "not :click count", "general"),
    "/hello name:Ann": ("slash", "/hello name:Ann", "general"),
    '/hello text:"two words"': ("slash", '/hello text:"two words"', "general"),
    ":complete /hello name:A": ("autocomplete", "/hello name:A", "name", "general"),
    ":complete hello name:Ann who:B C": ("autocomplete", "/hello name:Ann who:B C", "who", "general"),
    ":complete /hello name:": ("autocomplete", "/hello name:", "name", "general"),
    ":click count": ("click", "count", "general"),
    ":click   count me ": ("click", "count me", "general"),
    ":select choose=cactus": ("select", "choose", ["cactus"], "general"),
    ":select choose=cactus,tulip": ("select", "choose", ["cactus", "tulip"], "general"),
    ":select choose=a,,b,": ("select", "choose", ["a", "b"], "general"),
    ":select choose=a=b": ("select", "choose", ["a=b"], "general"),
    ":select choose=": ("select", "choose", [], "general"),
    ":modal amount=3": ("submit_modal", {"amount": "3"}),
    ':modal amount=3 note="two words"': ("submit_modal", {"amount": "3", "note": "two words"}),
    ":modal note='it is=so' empty=": ("submit_modal", {"note": "it is=so", "empty": ""}),
    ":react 👍": ("react", "general", "99", "👍"),
    ":react  blob:123 ": ("react", "general", "99", "blob:123"),
}


@pytest.mark.parametrize(("line", "act"), LINES.items(), ids=LINES)
async def test_a_line_does_what_it_says(line: str, act: tuple[Any, ...]) -> None:
    assert await acts(parse_prompt(line, lambda: "99")) == act


WRONG = {
    ":": ": write a message, or one of",
    ":nonsense": ":nonsense: write a message, or one of",
    ":Click x": ":Click: write a message",
    ":click": ":click: write a message",
    ":click   ": ":click: write a message",
    ":react": ":react: write a message",
    ":clickcount": ":clickcount: write a message",
    ":complete": ":complete: write a message",
    ":complete /hello": "the last option is typed",
    ":select menu": "write CUSTOM_ID=VALUE",
    ":modal amount": "write FIELD=VALUE",
    ":modal a=1 b": "write FIELD=VALUE",
    ':modal note="two words': "No closing quotation",
}


@pytest.mark.parametrize(("line", "text"), WRONG.items(), ids=WRONG)
def test_a_line_that_says_nothing_is_told_what_to_write(line: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_prompt(line, lambda: None)
    assert text in str(caught.value)


@given(st.text())
def test_any_line_is_understood_or_refused(line: str) -> None:
    try:
        said = parse_prompt(line, lambda: None)
    except InvalidInput:
        assert line.strip().startswith(":")
    else:
        assert said.text.startswith(("[", "(")) or said.text == line.strip()


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.text(), max_size=4))
async def test_quoted_fields_reach_the_modal_as_they_are(fields: dict[str, str]) -> None:
    quoted = " ".join(f"{name}={shlex.quote(text)}" for name, text in fields.items())
    assert await acts(talk.modal(quoted)) == ("submit_modal", fields)


async def test_a_slash_command_needs_no_slash_as_an_option() -> None:
    assert await acts(talk.slash("hello")) == ("slash", "/hello", "general")


async def test_a_reaction_is_to_the_message_that_is_newest_when_it_is_made() -> None:
    newest = "1"
    said = parse_prompt(":react 👍", lambda: newest)
    newest = "2"
    assert await acts(said) == ("react", "general", "2", "👍")


# ---------------------------------------------------------------- the command line


def test_what_to_say_keeps_the_order_of_the_command_line() -> None:
    arguments = ["dev", "bot", "--click", "a", "--send=x=y", "--json", "--slash", "/b", "--send", "c"]
    assert [said.text for said in ordered_says(arguments)] == ["[a]", "x=y", "/b", "c"]


@pytest.mark.parametrize("arguments", [[], ["dev", "bot", "--timeout", "3"], ["dev", "send"]])
def test_without_such_options_there_is_nothing_to_say(arguments: list[str]) -> None:
    assert ordered_says(arguments) == []


def test_what_an_option_says_may_look_like_an_option() -> None:
    assert [said.text for said in ordered_says(["--send", "--click", "--send", "b"])] == ["--click", "b"]


# ---------------------------------------------------------------- waiting for answers


def action(position: int) -> Action:
    return Action(position, 0.0, "message", message={"id": str(position), "content": "x"})


async def test_all_that_belongs_to_an_answer_is_collected() -> None:
    people = People([[action(8)], [action(9), action(12)], []])
    exchange = await speak(people, talk.message("hi"), channel="general", longest=4.0)  # pyright: ignore[reportArgumentType]
    assert [answer.position for answer in exchange.answers] == [8, 9, 12]
    assert people.waits == [(7, 4.0), (8, LINGER_SECONDS), (12, LINGER_SECONDS)]
    assert exchange.answered


async def test_without_an_answer_the_wait_is_as_long_as_asked_for_and_no_longer() -> None:
    people = People()
    exchange = await speak(people, talk.message("hi"), channel="general", longest=4.0)  # pyright: ignore[reportArgumentType]
    assert (exchange.said, exchange.answers, exchange.refused) == ("hi", [], "")
    assert people.waits == [(7, 4.0)]


async def test_what_cannot_be_said_is_not_waited_for() -> None:
    people = People(refusal="there is no button count")
    exchange = await speak(people, talk.click("count"), channel="general", longest=4.0)  # pyright: ignore[reportArgumentType]
    assert (exchange.refused, exchange.answered, people.waits) == ("there is no button count", False, [])
