"""The guild's script that all benchmarks run, bundled by the real toolchain."""

from __future__ import annotations

from typing import Final

from flora_core.toolchain import Bundle, Project, Toolchain

MAIN: Final = """\
let last = "";

on("messageCreate", async (ctx) => {
  const sent = await ctx.reply("pong");
  last = sent.id;
});
"""


async def pong_bundle() -> Bundle:
    """Answers every message and waits for Discord's word about it: one op an event."""
    async with Toolchain() as toolchain:
        built = await toolchain.bundle(Project({"src/main.ts": MAIN}, "src/main.ts"))
    return built.bundle
