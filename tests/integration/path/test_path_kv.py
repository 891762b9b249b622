"""Scripts keep things: through the isolate, the supervisor and LevelDB, and over restarts."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.integration.path.path_under_test import PathUnderTest

pytestmark = pytest.mark.parity(22, 73, 74, 75, 76, 77)

COUNTER = (
    "const counts = kv.store('counts'); on('messageCreate', async (ctx) => {"
    " await ctx.reply(`${await counts.incr('n')}`); });"
)


def script(body: str) -> str:
    """Answers every message with what ``body`` returns, or with the error it throws."""
    return (
        "on('messageCreate', async (ctx) => { const run = async () => { " + body + " };"
        " try { await ctx.reply(JSON.stringify((await run()) ?? null)); }"
        " catch (error) { await ctx.reply(`${error.code}: ${error.message}`); } });"
    )


async def answer(path: PathUnderTest, body: str, *, guild: str = "1") -> str:
    """What ``body`` returns in a guild's script, as JSON, or its error."""
    before = len(path.discord.contents)
    await path.deploy(guild, script(body))
    path.message("go", guild=guild)
    return (await path.wait_contents(before + 1))[-1]


async def test_a_counter_loses_no_increment(path: PathUnderTest) -> None:
    await path.deploy("1", COUNTER)
    for _ in range(50):
        path.message("x")
    assert sorted(int(text) for text in await path.wait_contents(50)) == list(range(1, 51))


async def test_what_was_written_outlives_worker_and_pod(path: PathUnderTest) -> None:
    await path.deploy("1", COUNTER)
    path.message("x")
    await path.wait_contents(1)
    for pid in path.worker_pids():
        os.kill(pid, signal.SIGKILL)
    path.message("x")
    await path.wait_contents(2)
    await path.wait(lambda: path.low_water.mark == 2)  # else the second comes again, as it may
    await path.stop_pod()
    await path.start_pod()
    path.message("x")
    assert await path.wait_contents(3) == ["1", "2", "3"]


async def test_guilds_do_not_share_stores(path: PathUnderTest) -> None:
    await answer(path, "await kv.store('s').set('k', 'mine');", guild="1")
    assert await answer(path, "return kv.store('s').get('k');", guild="2") == "null"
    assert await answer(path, "return kv.store('s').get('k');", guild="1") == '"mine"'


CALLS = {
    "set and get": ("const s = store('a'); await s.set('k', 'v'); return s.get('k');", '"v"'),
    "nothing there": ("return store('a').get('k');", "null"),
    "with metadata": (
        "const s = store('a'); await s.set('k', 'v', { metadata: { by: 'ada' } }); return s.getWithMetadata('k');",
        '{"value":"v","metadata":{"by":"ada"}}',
    ),
    "nothing there, with metadata": ("return store('a').getWithMetadata('k');", '{"value":null}'),
    "set only when new": (
        (
            "const s = store('a'); const o = { ifNotExists: true };"
            " return [await s.set('k', '1', o), await s.set('k', '2', o), await s.get('k')];"
        ),
        '[true,false,"1"]',
    ),
    "set only when there": (
        "const s = store('a'); return [await s.set('k', '1', { ifExists: true }), await s.get('k')];",
        "[false,null]",
    ),
    "already expired": (
        "const s = store('a'); await s.set('k', 'v', { expiration: 1n }); return s.get('k');",
        "null",
    ),
    "delete": (
        "const s = store('a'); await s.set('k', 'v'); return [await s.delete('k'), await s.delete('k')];",
        "[true,false]",
    ),
    "list by pages": (
        (
            "const s = store('a'); for (const k of ['b1', 'a2', 'a1', 'a3']) await s.set(k, k);"
            " const p = await s.list({ prefix: 'a', limit: 2 });"
            " const q = await s.list({ prefix: 'a', limit: 2, cursor: p.cursor });"
            " return [p.keys.map((k) => k.name), p.listComplete, q.keys.map((k) => k.name), q.listComplete];"
        ),
        '[["a1","a2"],false,["a3"],true]',
    ),
    "count and clear": (
        (
            "const s = store('a'); for (const k of ['x', 'ya', 'yb']) await s.set(k, k);"
            " return [await s.count(), await s.clear({ prefix: 'y' }), await s.count()];"
        ),
        "[3,2,1]",
    ),
    "compare and set": (
        (
            "const s = store('a'); return [await s.compareAndSet('k', null, '1'), await s.compareAndSet('k', null, '2'),"
            " await s.compareAndSet('k', '1', null), await s.get('k')];"
        ),
        "[true,false,true,null]",
    ),
    "all or nothing": (
        (
            "const s = store('bank'); await s.incr('ada', 5); const pay = (n) => kv.transact((t) => {"
            " t.store('bank').check('ada', String(n)); t.store('bank').incr('ada', -n); t.store('bank').incr('bob', n); });"
            " return [(await pay(9)).committed, (await pay(5)).committed, await s.get('ada'), await s.get('bob')];"
        ),
        '[false,true,"0","5"]',
    ),
    "metadata alone": (
        (
            "const s = store('a'); await s.set('k', 'v', { metadata: 1 }); await s.updateMetadata('k', 2);"
            " return s.getWithMetadata('k');"
        ),
        '{"value":"v","metadata":2}',
    ),
    "the guild's stores": (
        "await store('b').set('k', 'v'); await store('a').set('k', 'v'); return kv.stores();",
        '[{"name":"a","keys":1,"bytes":2},{"name":"b","keys":1,"bytes":2}]',
    ),
    "odd text": (
        "const s = store('mémoire'); await s.set('🌸', 'ä\\n\\u0000'); return (await s.list()).keys[0].name;",
        '"🌸"',
    ),
}


@pytest.mark.parametrize("case", CALLS)
async def test_calls_answer(path: PathUnderTest, case: str) -> None:
    body, expected = CALLS[case]
    assert await answer(path, body) == expected


REFUSED = {
    "no text": (
        "await store('a').set('k', 5);",
        "INVALID_INPUT: Invalid input for value: should be a string",
    ),
    "a long key": (
        "await store('a').get('k'.repeat(513));",
        "INVALID_INPUT: Invalid input for key: has 513 bytes",
    ),
    "an empty key": ("await store('a').get('');", "INVALID_INPUT: Invalid input for key: has 0 bytes"),
    "a zero in a key": (
        "await store('a').get('a\\0b');",
        "INVALID_INPUT: Invalid input for key: should not contain",
    ),
    "a bad store": (
        "await store('a/b').get('k');",
        "INVALID_INPUT: Invalid input for store: 'a/b' should be",
    ),
    "a large value": (
        "await store('a').set('k', '\\u00e4'.repeat(600_000));",
        "INVALID_INPUT: k: value exceeds maximum size of 1 MiB",
    ),
    "no number": (
        "await store('a').set('k', 'x'); await store('a').incr('k');",
        "INVALID_INPUT: k: incr needs a whole number there, not 'x'",
    ),
    "no such key": (
        "await store('a').updateMetadata('k', 1);",
        "KV_KEY_NOT_FOUND: key not found: 'k' in store 'a'",
    ),
    "half a number": (
        "await store('a').incr('k', 0.5);",
        "INVALID_INPUT: Invalid input for kvIncr: Expected `int`",
    ),
    "too many writes": (
        "for (let i = 0; i < 121; i++) await store('a').set('k', `${i}`);",
        "KV_RATE_LIMITED: kv write rate limit exceeded; retry later: 120 writes a minute",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_calls_are_refused_with_a_reason(path: PathUnderTest, case: str) -> None:
    body, expected = REFUSED[case]
    assert expected in await answer(path, body)


async def test_a_pod_writes_into_its_own_folder(path: PathUnderTest, tmp_path: Path) -> None:
    await answer(path, "await store('a').set('k', 'v');")
    assert list(tmp_path.rglob("kv/CURRENT"))  # noqa: ASYNC240
