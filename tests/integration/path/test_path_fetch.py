"""Scripts fetch: through the isolate, the worker, the supervisor and a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from flora_core.hashing import worker_of
from flora_core.ids import GuildId
from flora_core.wire.control import SECRET_PREFIX, Secret
from tests.integration.fetch.world import Site
from tests.integration.path.path_under_test import PathUnderTest
from tests.integration.path.test_path_kv import script
from tests.waiting import until

MARK = SECRET_PREFIX + "12" * 16
PORT = "PORT"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    await site.start()
    yield site
    await site.stop()


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[PathUnderTest]:
    """A pod whose scripts may reach this machine."""
    async with PathUnderTest(tmp_path, fetch_allow="127.0.0.1") as under_test:
        yield under_test


def secret(value: str, *hosts: str, name: str = "KEY") -> Secret:
    return Secret(name, MARK, value, list(hosts or ["http://127.0.0.1"]))


async def answer(path: PathUnderTest, body: str, *, guild: str = "1") -> Any:
    """What ``body`` returns in a guild's script, or its error."""
    before = len(path.discord.contents)
    await path.deploy(guild, script(body))
    path.message("go", guild=guild)
    text = (await path.wait_contents(before + 1))[-1]
    return json.loads(text) if text[0] in '"[{nft0123456789' else text


@pytest.mark.parity(26)
async def test_a_script_fetches_and_reads_json(path: PathUnderTest, site: Site) -> None:
    body = f"""
      const r = await fetch('{site.url}/echo', {{ method: 'POST', body: JSON.stringify({{ a: 'ä' }}) }});
      return [r.status, r.ok, r.headers.get('content-type'), (await r.json()).body];
    """
    status, ok, kind, echoed = await answer(path, body)
    assert (status, ok, kind) == (200, True, "application/json; charset=utf-8")
    assert echoed.encode("latin-1").decode() == '{"a":"ä"}'


@pytest.mark.parity(26)
async def test_forms_blobs_and_bytes_go_through(path: PathUnderTest, site: Site) -> None:
    body = f"""
      const form = new FormData();
      form.append('note', 'hi');
      form.append('file', new Blob([new Uint8Array([0, 255])], {{ type: 'image/x' }}), 'a.bin');
      const r = await fetch('{site.url}/echo', {{ method: 'POST', body: form }});
      const bytes = await (await fetch('{site.url}/bytes')).bytes();
      return [(await r.json()).body, bytes.length, bytes[200]];
    """
    echoed, length, byte = await answer(path, body)
    assert 'name="file"; filename="a.bin"\r\nContent-Type: image/x\r\n\r\n\x00\xff\r\n' in echoed
    assert (length, byte) == (256, 200)


async def test_ten_mebibytes_reach_a_script(path: PathUnderTest, site: Site) -> None:
    body = f"""
      const text = await (await fetch('{site.url}/size?n={10 << 20}')).text();
      const zeros = await (await fetch('{site.url}/packed?as=gzip&n={10 << 20}')).arrayBuffer();
      return [text.length, zeros.byteLength];
    """
    assert await answer(path, body) == [10 << 20, 10 << 20]


async def test_a_private_address_is_a_typed_error(path: PathUnderTest) -> None:
    text = await answer(path, "return (await fetch('http://169.254.169.254/latest/')).status;")
    assert text.startswith("FETCH_FORBIDDEN_ADDRESS: 169.254.169.254 is not on the public internet")


async def test_odd_notations_are_seen_through(path: PathUnderTest) -> None:
    hosts = [
        "0x7f.2",
        "0177.0.0.2",
        "2130706434",
        "127.2",
        "①②⑦.0.0.2",
        "127。0。0。2",
        "%31%32%37.0.0.2",
        "[::ffff:7f00:2]",
    ]
    body = f"""
      const codes = new Set();
      for (const host of {json.dumps(hosts)}) {{
        await fetch(`http://${{host}}/`).catch((error) => codes.add(error.code));
      }}
      return [...codes];
    """
    assert await answer(path, body) == ["FETCH_FORBIDDEN_ADDRESS"]


async def test_aborting_reaches_the_server(path: PathUnderTest, site: Site) -> None:
    body = f"""
      const signal = AbortSignal.timeout(50);
      try {{ await fetch('{site.url}/wait', {{ signal }}); }} catch (error) {{ return error.name; }}
    """
    assert await answer(path, body) == "TimeoutError"
    assert path.pod is not None
    await until(lambda: not path.pod or not path.pod._fetches._tasks)


async def test_a_released_guild_fetches_no_more(path: PathUnderTest, site: Site) -> None:
    await path.deploy("1", f"on('messageCreate', () => fetch('{site.url}/wait'));")
    path.message("go")
    await until(lambda: site.under_way == 1)
    path.operator.state.release("1")
    assert path.pod is not None
    await until(lambda: not path.pod or not path.pod._fetches._tasks)


async def test_a_recycled_isolate_takes_its_fetches_along(path: PathUnderTest, site: Site) -> None:
    code = f"on('messageCreate', (ctx) => {{ if (ctx.msg.content === 'loop') for (;;); return fetch('{site.url}/wait') }});"
    await path.deploy("1", code)
    path.message("go")
    await until(lambda: site.under_way == 1)
    path.message("loop")
    assert path.pod is not None
    await until(lambda: not path.pod or not path.pod._fetches._tasks)


# ------------------------------------------------------------------------------------------------- secrets


@pytest.mark.parity(24, 54, 81)
async def test_a_script_uses_a_secret_it_never_sees(path: PathUnderTest, site: Site) -> None:
    path.operator.state.know_secrets("1", [secret("s3cret-value")])
    body = f"""
      const key = secrets.get('KEY');
      const seen = await (await fetch(`{site.url}/echo?k=${{key}}`, {{ headers: {{ Authorization: 'Basic ' + btoa('u:' + key) }} }})).text();
      return [key, secrets.get('OTHER') === undefined, seen.includes('s3cret')];
    """
    assert await answer(path, body) == [MARK, True, False]
    assert site.requests[0]["path"] == "/echo?k=s3cret-value"
    assert site.requests[0]["headers"]["Authorization"] == "Basic dTpzM2NyZXQtdmFsdWU="


@pytest.mark.parity(54)
async def test_values_and_names_change_without_a_deploy(path: PathUnderTest, site: Site) -> None:
    path.operator.state.know_secrets("1", [secret("first-value")])
    await path.deploy(
        "1",
        f"on('messageCreate', async (ctx) => {{ await fetch(`{site.url}/echo?k=${{secrets.get('KEY')}}`); await ctx.reply(String(secrets.get('NEW'))); }});",
    )
    path.message("go")
    await path.wait_contents(1)
    path.operator.state.know_secrets(
        "1", [secret("second-value"), Secret("NEW", SECRET_PREFIX + "9" * 32, "x", [])]
    )
    assert path.pod is not None
    await until(lambda: path.pod and path.pod._guilds["1"].placeholders.keys() == {"KEY", "NEW"})
    path.message("go")
    assert await path.wait_contents(2) == ["undefined", SECRET_PREFIX + "9" * 32]
    assert [r["path"] for r in site.requests] == ["/echo?k=first-value", "/echo?k=second-value"]
    assert len(path.operator.reports) == 1, "it was not deployed again"


async def test_a_secret_does_not_reach_another_guild_or_a_workers_memory(
    path: PathUnderTest, site: Site
) -> None:
    path.operator.state.know_secrets("1", [secret("s3cret-value-to-look-for")])
    assert await answer(path, "return secrets.get('KEY') ?? null;", guild="2") is None
    await answer(path, f"await fetch(`{site.url}/echo?k=${{secrets.get('KEY')}}`); return 1;")
    needles = [b"s3cret-value-to-look-for"]
    assert path.worker_pids()
    for pid in path.worker_pids():
        assert not _in_memory(pid, needles)


def _in_memory(pid: int, needles: list[bytes]) -> bool:
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in maps:
            span, mode, *_ = line.split()
            start, end = (int(part, 16) for part in span.split("-"))
            if not mode.startswith("rw") or end - start > 1 << 30:
                continue
            try:
                memory.seek(start)
                data = memory.read(end - start)
            except (OSError, OverflowError, ValueError):
                continue
            if any(needle in data for needle in needles):
                return True
    return False


def _kept_in(folder: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in folder.rglob("*.json"))


async def test_a_pod_that_comes_back_alone_keeps_placeholders_and_no_values(
    path: PathUnderTest, site: Site, tmp_path: Path
) -> None:
    path.operator.state.know_secrets("1", [secret("s3cret-value")])
    await path.deploy("1", script(f"return (await fetch('{site.url}/echo?k=' + secrets.get('KEY'))).status;"))
    assert "s3cret" not in _kept_in(tmp_path)
    await path.stop_pod()
    await path.stop_control()
    await path.start_pod()
    path.message("go")
    assert (await path.wait_contents(1))[0].startswith(
        "FETCH_SECRET_FORBIDDEN: the value of the secret KEY is not known"
    )
    await path.start_control()
    assert path.pod is not None
    known = lambda: path.pod and path.pod._fetches._secrets["1"]._known[MARK].secret.value  # noqa: E731
    await until(known)
    path.message("go")
    assert (await path.wait_contents(2))[1] == "200"


async def test_a_released_guilds_secrets_are_forgotten(path: PathUnderTest) -> None:
    path.operator.state.know_secrets("1", [secret("s3cret-value")])
    await path.deploy("1", "")
    assert path.pod is not None
    assert path.pod._fetches.placeholders("1") == {"KEY": MARK}
    path.operator.state.release("1")
    await until(lambda: path.pod and not path.pod._fetches.placeholders("1"))


# ------------------------------------------------------------------------------------------------- files


async def test_a_file_by_url_goes_up_as_data(path: PathUnderTest, site: Site) -> None:
    await path.deploy("1", "on('messageCreate', (ctx) => ctx.reply('x'));")
    assert path.pod is not None
    # What the SDK sends for `attachments: [{ url }]`.
    call = {
        "path": {"channel": "77"},
        "body": {"content": "x"},
        "files": [{"url": f"{site.url}/size?n={5 << 20}", "name": "a"}],
    }
    path.pod.call(path.pod._guilds["1"], 999, "sendMessage", Raw(json.dumps(call).encode()))
    sent = await path.wait(lambda: [op for op in path.discord.ops if op.name == "sendMessage"])
    (file,) = json.loads(bytes(sent[0].args))["files"]
    assert (file["name"], len(file["data"]), "url" in file) == ("a", 4 * -(-(5 << 20) // 3), False)


async def test_a_script_that_is_flooded_with_answers_harms_only_itself(
    path: PathUnderTest, site: Site
) -> None:
    """Twelve times 10 MiB at once, all kept: over its memory, or first over the CPU time of a turn."""
    code = f"""
      globalThis.kept = [];
      on('messageCreate', async (ctx) => {{
        if (ctx.msg.content === 'hi') return void (await ctx.reply('hi'));
        const all = Array.from({{ length: 12 }}, () => fetch('{site.url}/packed?as=gzip&n={10 << 20}'));
        for (const one of all) kept.push(await (await one).bytes());
        await ctx.reply(`kept ${{kept.length}}`);
      }});
    """
    neighbour = next(
        g for g in map(str, range(2, 99)) if worker_of(GuildId(g), 2) == worker_of(GuildId("1"), 2)
    )
    await path.deploy("1", code)
    await path.deploy(neighbour, code)
    pids = path.worker_pids()
    path.message("go")
    ended = "its isolate was thrown away"
    await path.wait_log(ended)
    before = list(path.discord.contents)
    path.message("hi", guild=neighbour)
    assert await path.wait_contents(len(before) + 1) == [*before, "hi"]
    assert path.worker_pids() == pids
