"""Lazy modules travel packed: what was packed comes back, and no script can see or change that."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from harness import BARE, GuildUnderTest, prelude
from hypothesis import given, settings
from hypothesis import strategies as st
from node import run

from flora_core.stacks import parse_stack, render

BOTH_HALVES = """
import * as esbuild from "esbuild-wasm";
const { outputFiles } = await esbuild.build({
  stdin: {
    contents: `export { literal, pack } from "./pack.mjs"; export { unpacked } from "./src/prelude/unpack.ts";`,
    resolveDir: ".",
  },
  bundle: true, write: false, format: "iife", globalName: "packing",
});
process.stdout.write(outputFiles[0].text);
"""
REFUSED = """
import { asFunction } from "./prelude.mjs";
const entry = process.cwd() + "/src/lazy/kv.ts";
const { code } = JSON.parse(process.argv[1]);
await asFunction({ entry, code }).catch((error) => process.stdout.write(error.message));
"""

REACHES = {"near": 1956, "far": 26569}
ascii_texts = st.text(st.characters(max_codepoint=127))
repetitive = st.lists(st.sampled_from(["a", "ab", "\n", "'\\", "return this.#", "\0\r", "}" * 40])).map(
    "".join
)


@pytest.fixture(scope="module")
def packing() -> Iterator[GuildUnderTest]:
    """Both halves in one isolate."""
    built = run("node", "--input-type=module", "-e", BOTH_HALVES)
    assert built.returncode == 0, built.stderr
    guild = GuildUnderTest(program=BARE + b";\n" + built.stdout.encode())
    yield guild
    guild.close()


def returned(packing: GuildUnderTest, text: str) -> str:
    """``text``, packed and unpacked."""
    given = json.dumps(text)
    return packing.value(f"((text) => packing.unpacked(packing.pack(text), text.length))({given})")


@settings(deadline=None)
@given(text=ascii_texts | repetitive)
def test_any_text_comes_back(packing: GuildUnderTest, text: str) -> None:
    assert returned(packing, text) == text


@pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES)
@pytest.mark.parametrize("beyond", [-40, -1, 0, 1])
@pytest.mark.parametrize("length", [2, 3, 4, 10, 11, 35, 36, 80])
def test_what_is_repeated_at_the_edge_of_reach_comes_back(
    packing: GuildUnderTest, reach: int, beyond: int, length: int
) -> None:
    repeated = "".join(chr(33 + i) for i in range(length))
    text = repeated + " " * (reach + beyond - length) + repeated
    assert returned(packing, text) == text


def test_a_text_longer_than_a_chunk_comes_back(packing: GuildUnderTest) -> None:
    text = "".join(str(i) for i in range(4000))
    assert returned(packing, text) == text


def test_what_repeats_gets_short(packing: GuildUnderTest) -> None:
    assert packing.value("packing.pack('abcdefg, '.repeat(100)).length") < 9 + 3 * 30


@settings(deadline=None)
@given(text=ascii_texts | repetitive)
def test_packed_text_is_one_byte_a_character_and_never_longer(packing: GuildUnderTest, text: str) -> None:
    packed = packing.value(f"packing.pack({json.dumps(text)})")
    assert len(packed) <= len(text)
    assert all(ord(character) < 256 for character in packed)


@settings(deadline=None)
@given(text=st.text(st.characters(max_codepoint=255)))
def test_a_literal_is_its_text(packing: GuildUnderTest, text: str) -> None:
    literal = packing.value(f"packing.literal({json.dumps(text)})")
    assert packing.value(literal) == text


@pytest.mark.parametrize("text", ["ä", "…", "😀", "abc\x80"])
def test_what_is_not_ascii_is_refused(packing: GuildUnderTest, text: str) -> None:
    code = f"(() => {{ try {{ packing.pack({json.dumps(text)}) }} catch (e) {{ return e.message }} }})()"
    assert packing.value(code).startswith("only ASCII can be packed")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ('import { loading } from "../prelude/host.ts";\nexport {\n  loading\n};', "this is a variable"),
        ('import "../prelude/host.ts";\nvar a;\nexport {\n  a\n};', "named imports only"),
        ("var a = 1;", "end with its exports"),
        ('import { op } from "../lazy/fetch.ts";\nexport {\n  op\n};', "this may be a variable"),
    ],
)
def test_the_build_refuses_a_module_that_cannot_be_packed(code: str, why: str) -> None:
    script = REFUSED.replace("process.argv[1]", "process.argv.at(-1)")
    built = run("node", "--input-type=module", "-e", script, "--", json.dumps({"code": code}))
    assert why in built.stdout, built.stderr


def test_v8_keeps_the_prelude_in_one_byte_a_character() -> None:
    text = prelude().decode()
    assert max(map(ord, text)) < 256
    assert len(text) < 105_000, "each isolate has all of it"


def test_lazy_modules_are_not_in_the_prelude_as_they_are() -> None:
    assert b"pathname" not in prelude()


# ---------------------------------------------------------------- scripts

SPY = """
globalThis.seen = [];
const spy = (name) => function () { seen.push(name); return 'hostile' };
globalThis.eval = spy('eval');
globalThis.Function = spy('Function');
String.fromCharCode = spy('fromCharCode');
String.prototype.charCodeAt = spy('charCodeAt');
Reflect.apply = spy('apply');
for (const name of ['set', 'subarray', 'fill', 'copyWithin', Symbol.iterator]) {
  Object.getPrototypeOf(Uint8Array.prototype)[name] = spy('typed array');
}
for (const name of ['length', 'buffer', 'byteLength', 'constructor']) {
  Object.defineProperty(Object.getPrototypeOf(Uint8Array.prototype), name, { get: spy(name) });
  Object.defineProperty(Uint8Array.prototype, name, { get: spy(name), configurable: true });
}
Object.defineProperty(Object.getPrototypeOf(Uint8Array), Symbol.species, { get: spy('species') });
for (const at of [0, 1, 4095]) Object.defineProperty(Array.prototype, at, { set: spy('element'), get: spy('element') });
globalThis.Uint8Array = spy('Uint8Array');
for (const key of ['get', 'set', 'value', 'writable', 'configurable']) Object.prototype[key] = spy(key);
Error.prepareStackTrace = spy('prepareStackTrace');
"""


@pytest.mark.parametrize(
    "used",
    ["URL", "fetch", "rest", "embed", "button", "cron", "kv", "secrets", "Permissions", "btoa"],
)
def test_a_script_sees_nothing_of_unpacking(guild: GuildUnderTest, used: str) -> None:
    guild.run(f"{SPY} globalThis.kind = typeof {used}; seen = seen.join()")
    assert guild.value("[kind, seen]") in (["function", ""], ["object", ""])


def test_a_module_is_unpacked_again_when_the_stack_was_too_deep(guild: GuildUnderTest) -> None:
    guild.run("const deep = () => { try { deep() } catch { embed } }; try { deep() } catch {}")
    assert guild.value("embed().setTitle('t').toJSON().title") == "t"


@pytest.mark.parametrize("code", ["new URL('no')", "atob('?')", "rest.sendMessage({})", "new Headers(1)"])
def test_frames_of_unpacked_code_are_the_preludes(guild: GuildUnderTest, code: str) -> None:
    guild.run(
        f"(async () => {{ try {{ await {code} }} catch (error) {{ globalThis.stack = error.stack }} }})()"
    )
    stack = parse_stack(guild.value("stack"))
    assert stack.frames[0].source == "flora:prelude"
    assert not any("eval at" in frame.text for frame in stack.frames)
    assert "flora:" not in render(stack, []).stack
