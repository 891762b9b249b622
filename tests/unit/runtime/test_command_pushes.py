"""A guild's slash commands go out once, one push at a time, and the last ones win."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_runtime.supervisor.commands import CommandPushes


class Discord:
    """Takes pushes; answers when the test says so."""

    def __init__(self) -> None:
        self.pushes: list[tuple[str, bytes]] = []
        self.commands = CommandPushes(lambda guild, commands: self.pushes.append((guild, commands)))

    @property
    def last(self) -> bytes:
        return self.pushes[-1][1]


@pytest.fixture
def discord() -> Discord:
    return Discord()


def test_the_same_commands_are_pushed_once(discord: Discord) -> None:
    for _ in range(3):
        discord.commands.want("1", b'["a"]')
        discord.commands.pushed("1", ok=True)
    assert discord.pushes == [("1", b'["a"]')]


def test_a_script_without_commands_takes_earlier_ones_away(discord: Discord) -> None:
    discord.commands.want("1", b"null")
    assert discord.pushes == [("1", b"[]")]


def test_changes_during_a_push_follow_it_and_only_the_last_of_them(discord: Discord) -> None:
    for commands in (b"[1]", b"[2]", b"[3]"):
        discord.commands.want("1", commands)
    assert discord.last == b"[1]"
    assert not discord.commands.pushed("1", ok=True)
    assert discord.last == b"[3]"
    assert len(discord.pushes) == 2


def test_a_change_back_during_a_push_needs_no_other(discord: Discord) -> None:
    for commands in (b"[1]", b"[2]", b"[1]"):
        discord.commands.want("1", commands)
    discord.commands.pushed("1", ok=True)
    assert len(discord.pushes) == 1


def test_a_failure_is_told_and_tried_again_with_the_next_load(discord: Discord) -> None:
    discord.commands.want("1", b"[1]")
    assert discord.commands.pushed("1", ok=False)
    discord.commands.want("1", b"[1]")
    assert len(discord.pushes) == 2


def test_a_failure_of_commands_that_are_no_longer_wanted_is_not_told(discord: Discord) -> None:
    discord.commands.want("1", b"[1]")
    discord.commands.want("1", b"[2]")
    assert not discord.commands.pushed("1", ok=False)
    assert discord.last == b"[2]"


def test_guilds_do_not_wait_for_each_other_and_are_forgotten_alone(discord: Discord) -> None:
    discord.commands.want("1", b"[1]")
    discord.commands.want("2", b"[1]")
    assert [guild for guild, _ in discord.pushes] == ["1", "2"]
    discord.commands.forget("1")
    assert not discord.commands.pushed("1", ok=True)
    discord.commands.want("1", b"[1]")
    assert len(discord.pushes) == 3


@given(st.lists(st.sampled_from([b"[1]", b"[2]", b"null", None]), max_size=30), st.booleans())
def test_in_the_end_the_last_ones_are_what_was_pushed_last(steps: list[bytes | None], answer: bool) -> None:
    discord, wanted = Discord(), b""
    for step in steps:
        if step is not None:
            discord.commands.want("1", step)
            wanted = b"[]" if step == b"null" else step
        elif answer:
            discord.commands.pushed("1", ok=True)
    for _ in range(len(steps)):
        discord.commands.pushed("1", ok=True)
    if wanted:
        assert discord.last == wanted
