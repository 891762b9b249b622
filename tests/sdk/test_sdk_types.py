"""The declarations: they compile, infer what they should, refuse what they should, and leave nothing out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import node
import pytest
from harness import GuildUnderTest

from flora_core.assets import TYPES, asset


@pytest.fixture(scope="module")
def declarations() -> str:
    return asset(TYPES).read_text()


SLASH = """slash({
  name: "a",
  description: "b",
  options: [{ name: "n", description: "c", type: "integer" }],
  run(ctx) { CHECK },
});"""


def compile_(folder: Path, code: str) -> tuple[int, str]:
    """Type-check ``code`` as a script author's project would."""
    (folder / "main.ts").write_text(code)
    options = {
        "target": "ESNext",
        "lib": ["ESNext"],
        "types": [],
        "strict": True,
        "noEmit": True,
        "moduleDetection": "force",
        "skipLibCheck": False,
    }
    config = {"compilerOptions": options, "files": [str(asset(TYPES)), "main.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(config))
    result = node.run("node", "node_modules/typescript/lib/tsc.js", "-p", str(folder))
    return result.returncode, result.stdout


def test_sources_types_and_examples_compile() -> None:
    result = node.run("npm", "run", "--silent", "check")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parity(27)
def test_the_declarations_need_nothing_but_esnext(tmp_path: Path) -> None:
    assert compile_(tmp_path, "on('messageCreate', (ctx) => ctx.reply('x'));\n") == (0, "")


@pytest.mark.parametrize(
    "wrong",
    [
        SLASH.replace("CHECK", "const n: number = ctx.options.n"),
        SLASH.replace("CHECK", "const n: boolean | undefined = ctx.options.n"),
        "on('ready', (ctx) => ctx.msg.content)",
        "on('nothing', () => {})",
        "document.title",
    ],
)
def test_a_wrong_inference_is_an_error(tmp_path: Path, wrong: str) -> None:
    status, output = compile_(tmp_path, wrong)
    assert status != 0
    assert "main.ts" in output


def declared_values(text: str) -> set[str]:
    """Names of the functions, classes and constants in ``namespace flora``."""
    return set(re.findall(r"^  (?:class|function|const) (\w+)", text, re.MULTILINE))


def test_every_declared_value_exists_and_every_value_is_declared(
    declarations: str, page: GuildUnderTest
) -> None:
    assert declared_values(declarations) == set(page.value("Object.getOwnPropertyNames(flora)"))


def test_every_declared_value_is_global_too(declarations: str, page: GuildUnderTest) -> None:
    for name in declared_values(declarations):
        assert f"\nimport {name} = flora.{name};" in declarations
        assert page.value(f"globalThis.{name} === flora.{name} && flora.{name} !== undefined") is True


def test_every_declared_part_of_the_platform_exists(declarations: str, page: GuildUnderTest) -> None:
    names = set(re.findall(r"^declare (?:var|function) (\w+)", declarations, re.MULTILINE))
    assert len(names) >= 20
    assert page.value(f"{sorted(names)}.filter((name) => typeof globalThis[name] === 'undefined')") == []


def test_functions_and_classes_have_their_names(page: GuildUnderTest) -> None:
    assert (
        page.value(
            "Object.getOwnPropertyNames(flora).filter((n) => typeof flora[n] === 'function' &&"
            " flora[n].name !== n)"
        )
        == []
    )
    platform = (
        "['URL', 'URLSearchParams', 'AbortSignal', 'Event', 'TextDecoder', 'setTimeout', 'atob',"
        " 'structuredClone', 'Uint8Array', 'Proxy']"
    )
    assert page.value(f"{platform}.filter((n) => globalThis[n].name !== n)") == []


def test_nothing_else_was_added_to_the_global_object(page: GuildUnderTest) -> None:
    bare = GuildUnderTest(
        program=(
            b"globalThis.__floraHost = { feed() {}, take() { return '' }, loaded() {}, setNotify() {},"
            b" configure() {} }"
        )
    )
    ours = set(page.value("Object.getOwnPropertyNames(globalThis)"))
    v8s = set(bare.value("Object.getOwnPropertyNames(globalThis)"))
    bare.close()
    platform = set(re.findall(r"^declare (?:var|function) (\w+)", asset(TYPES).read_text(), re.MULTILINE))
    assert ours - v8s == (platform | declared_values(asset(TYPES).read_text()) | {"flora"}) - {"console"}
    assert v8s - ours == {"WebAssembly", "SharedArrayBuffer", "Atomics", "Temporal"}
