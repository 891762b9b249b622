"""How people stand in guilds: what is asked of Discord, what is remembered, and what ends that."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from flora_core.wire.standing import GuildName, Standing
from flora_gateway.rest.calls import Refused, Verdict, Why
from flora_gateway.rest.transport import ConnectionLost, Response
from flora_gateway.standings import (
    EVERYTHING,
    GUILD_SECONDS,
    MEMBER_SECONDS,
    NOTHING_SECONDS,
    CannotTell,
    Standings,
    _Guild,
    _Member,
    _Role,
    permissions,
)

GUILD, OTHER, ADA, EVE = "7", "8", "1", "2"


class Discord:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.now = 100.0
        self.has: dict[str, bool] = {}
        self.answers: dict[tuple[str, str], Any] = {
            (GUILD, ""): {
                "id": GUILD,
                "name": "garden",
                "icon": "i",
                "owner_id": ADA,
                "roles": [{"id": GUILD, "permissions": "1024"}, {"id": "70", "permissions": "32"}],
            },
            (GUILD, ADA): {"roles": []},
            (GUILD, EVE): {"roles": ["70"]},
        }
        self.slow = asyncio.Event()
        self.slow.set()
        self.standings = Standings(self._look_up, has=self.has.get, clock=lambda: self.now)

    async def _look_up(self, guild: str, user: str) -> Verdict:
        self.asked.append((guild, user))
        await self.slow.wait()
        answer = self.answers.get((guild, user), 404)
        if isinstance(answer, int):
            return Response(answer, {}, b"{}")
        if not isinstance(answer, dict):
            return answer
        return Response(200, {}, msgspec.json.encode(answer))

    def event(self, type_: str, **data: Any) -> None:
        self.standings.observe(type_, Raw(msgspec.json.encode(data)))


@pytest.fixture
async def discord() -> Discord:
    return Discord()


async def test_the_owner_may_do_everything(discord: Discord) -> None:
    standing = await discord.standings.of(GUILD, ADA)
    assert standing == Standing(GUILD, "garden", "i", member=True, owner=True, permissions=str(EVERYTHING))


async def test_a_member_may_what_his_roles_may(discord: Discord) -> None:
    standing = await discord.standings.of(GUILD, EVE)
    assert standing == Standing(GUILD, "garden", "i", member=True, owner=False, permissions=str(1024 | 32))


async def test_who_is_no_member_may_nothing(discord: Discord) -> None:
    assert await discord.standings.of(GUILD, "3") == Standing(GUILD, "garden", "i")


async def test_a_guild_without_the_bot_is_none(discord: Discord) -> None:
    assert await discord.standings.of(OTHER, ADA) is None


async def test_what_the_shards_know_is_not_asked_for(discord: Discord) -> None:
    discord.has[OTHER] = False
    assert await discord.standings.of(OTHER, ADA) is None
    assert await discord.standings.names([OTHER]) == []
    assert discord.asked == []


async def test_answers_are_remembered_a_guild_for_longer_than_a_member(discord: Discord) -> None:
    for _ in range(3):
        await discord.standings.of(GUILD, EVE)
    assert discord.asked == [(GUILD, ""), (GUILD, EVE)]
    discord.now += MEMBER_SECONDS
    await discord.standings.of(GUILD, EVE)
    assert discord.asked[2:] == [(GUILD, EVE)]
    discord.now += GUILD_SECONDS
    await discord.standings.of(GUILD, EVE)
    assert discord.asked[3:] == [(GUILD, ""), (GUILD, EVE)]


async def test_nothing_is_remembered_for_a_moment_only(discord: Discord) -> None:
    assert await discord.standings.of(OTHER, ADA) is None
    discord.answers[OTHER, ""] = {"id": OTHER}
    assert await discord.standings.of(OTHER, ADA) is None
    discord.now += NOTHING_SECONDS
    assert await discord.standings.of(OTHER, ADA) is not None


async def test_those_who_ask_together_wait_for_one_answer(discord: Discord) -> None:
    answers = await asyncio.gather(*(discord.standings.of(GUILD, EVE) for _ in range(10)))
    assert len(discord.asked) == 2
    assert len(set(answers)) == 1


async def test_who_goes_away_does_not_take_the_answer_along(discord: Discord) -> None:
    discord.slow.clear()
    first = asyncio.create_task(discord.standings.of(GUILD, EVE))
    second = asyncio.create_task(discord.standings.of(GUILD, EVE))
    await asyncio.sleep(0)
    first.cancel()
    discord.slow.set()
    assert await second is not None
    assert len(discord.asked) == 2


@pytest.mark.parametrize(
    ("type_", "data", "asked"),
    [
        ("GUILD_ROLE_UPDATE", {"guild_id": GUILD, "role": {}}, [(GUILD, "")]),
        ("GUILD_UPDATE", {"id": GUILD}, [(GUILD, "")]),
        ("GUILD_DELETE", {"id": GUILD}, [(GUILD, "")]),
        ("GUILD_MEMBER_UPDATE", {"guild_id": GUILD, "user": {"id": EVE}}, [(GUILD, EVE)]),
        ("GUILD_MEMBER_REMOVE", {"guild_id": GUILD, "user": {"id": EVE}}, [(GUILD, EVE)]),
        ("GUILD_MEMBER_UPDATE", {"guild_id": GUILD, "user": {"id": ADA}}, []),
        ("GUILD_UPDATE", {"id": OTHER}, []),
        ("READY", {}, [(GUILD, ""), (GUILD, EVE)]),
    ],
)
async def test_an_event_has_what_it_changes_asked_for_anew(
    discord: Discord, type_: str, data: dict[str, Any], asked: list[tuple[str, str]]
) -> None:
    await discord.standings.of(GUILD, EVE)
    discord.asked.clear()
    discord.event(type_, **data)
    await discord.standings.of(GUILD, EVE)
    assert discord.asked == asked


async def test_an_answer_from_before_a_change_is_not_remembered(discord: Discord) -> None:
    discord.slow.clear()
    asking = asyncio.create_task(discord.standings.of(GUILD, EVE))
    await asyncio.sleep(0)
    discord.event("GUILD_ROLE_DELETE", guild_id=GUILD)
    discord.slow.set()
    await asking
    discord.asked.clear()
    await discord.standings.of(GUILD, EVE)
    assert (GUILD, "") in discord.asked


@pytest.mark.parametrize("answer", [500, 429, 401, Refused(Why.TOO_LATE), ConnectionLost("gone")])
async def test_a_discord_that_does_not_tell_is_no_answer(discord: Discord, answer: Any) -> None:
    good = discord.answers[GUILD, ""]
    discord.answers[GUILD, ""] = answer
    with pytest.raises(CannotTell):
        await discord.standings.of(GUILD, ADA)
    with pytest.raises(CannotTell):
        await discord.standings.names([GUILD, OTHER])
    discord.answers[GUILD, ""] = good
    assert await discord.standings.of(GUILD, ADA) is not None


async def test_an_answer_that_is_none_of_discords_is_no_answer(discord: Discord) -> None:
    discord.answers[GUILD, ""] = Response(200, {}, b"<html>")
    with pytest.raises(CannotTell):
        await discord.standings.of(GUILD, ADA)


async def test_an_event_that_cannot_be_read_changes_nothing(discord: Discord) -> None:
    discord.standings.observe("GUILD_UPDATE", Raw(b'{"id": 3}'))
    discord.event("GUILD_MEMBER_REMOVE", guild_id=GUILD, user="x")


async def test_names_are_those_of_guilds_with_the_bot(discord: Discord) -> None:
    assert await discord.standings.names([OTHER, GUILD]) == [GuildName(GUILD, "garden", "i")]


@given(st.lists(st.integers(0, EVERYTHING), max_size=5), st.data())
def test_permissions_are_those_of_ones_roles_and_no_others(bits: list[int], data: st.DataObject) -> None:
    roles = [_Role(str(70 + n), str(value)) for n, value in enumerate(bits)]
    mine = data.draw(st.sets(st.sampled_from([role.id for role in roles]))) if roles else set()
    guild = _Guild(GUILD, owner_id=ADA, roles=[_Role(GUILD, "1"), *roles])
    got = permissions(guild, EVE, _Member(sorted(mine)))
    wanted = 1
    for role in roles:
        if role.id in mine:
            wanted |= int(role.permissions)
    assert got == (EVERYTHING if wanted & 8 else wanted)
    assert permissions(guild, ADA, _Member([])) == EVERYTHING
