"""What the gateway says about a call, on its way back to the script and to the guild's log."""

from __future__ import annotations

import msgspec
import pytest

from flora_core.wire.gateway import FILES_LIMIT, OpError
from tests.integration.path.path_under_test import PathUnderTest

TRY = """
on('messageCreate', async (ctx) => {
  try { await ctx.reply('x'); } catch (e) { console.log('script', e.code, JSON.stringify(e)); }
});
"""
UPLOAD = """
on('messageCreate', async (ctx) => {
  const size = Number(ctx.msg.content);
  await ctx.reply({ attachments: [{ name: 'a.bin', data: new Uint8Array(size).fill(7), description: 'sevens' }] });
});
"""


async def test_a_notice_is_written_into_the_guilds_log_and_not_given_to_the_script(
    path: PathUnderTest,
) -> None:
    await path.deploy("1", TRY)
    path.discord.answering = False
    path.message("go")
    await path.wait_contents(1)
    path.discord.refuse_all(
        OpError("DISCORD_RATE_LIMITED", "no", retry_after=5.0, notice="you are suspended")
    )
    told = await path.wait_log("you are suspended")
    assert (told.guild, told.level, told.source) == ("1", "error", "runtime")
    said = await path.wait_log("script")
    assert said.text == 'script DISCORD_RATE_LIMITED {"code":"DISCORD_RATE_LIMITED","retryAfter":5}'
    assert len([line for line in path.operator.logs if "suspended" in line.text]) == 1


@pytest.mark.parity(34)
@pytest.mark.parametrize("size", [1, 700 << 10])
async def test_files_travel_beside_the_body(path: PathUnderTest, size: int) -> None:
    await path.deploy("1", UPLOAD)
    path.message(str(size))
    await path.wait(lambda: path.discord.bodies("sendMessage"))
    args = msgspec.json.decode(path.discord.ops[-1].args)
    assert set(args) == {"path", "body", "files"}
    (file,) = args["files"]
    assert (file["name"], file["description"]) == ("a.bin", "sevens")
    assert msgspec.json.decode(msgspec.json.encode(file["data"]), type=bytes) == b"\x07" * size
    assert "attachments" not in args["body"]


async def test_the_largest_files_that_may_be_pass_the_stream_to_the_gateway(path: PathUnderTest) -> None:
    """As when the pod has put what it fetched in the place of a URL."""
    await path.deploy("1", TRY)
    assert path.pod is not None
    data = "A" * (FILES_LIMIT * 4 // 3 // 4 * 4)
    args = msgspec.Raw(
        msgspec.json.encode({"path": {"channel": "77"}, "files": [{"name": "a", "data": data}]})
    )
    guild = path.pod._guilds["1"]
    path.pod.call(guild, 7, "sendMessage", args)
    path.pod.call(guild, 8, "sendMessage", args)
    sent = await path.wait(lambda: [op for op in path.discord.ops if op.name == "sendMessage"])
    assert bytes(sent[0].args) == bytes(args)
    path.message("still there")
    await path.wait(lambda: path.discord.ops[-1].id not in (0, 7))
    assert path.discord.ops[-1].id != 8, "a second one of the guild's at once is refused"
    assert msgspec.json.decode(path.discord.ops[-1].args)["body"]["content"] == "x"
