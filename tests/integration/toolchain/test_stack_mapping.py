"""From an error in an isolate back to the author's line: bundle, V8, trace-mapping and ``stacks``."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest
from projects import one_file
from v8_process import V8

from flora_core.assets import TRACE_MAPPING, asset
from flora_core.stacks import Position, bundle_positions, describe_parse_error, parse_stack, render
from flora_core.toolchain import Bundle, Project, Toolchain
from flora_core.wire.control import ScriptError

pytestmark = pytest.mark.asyncio(loop_scope="module")

GLUE = (asset(TRACE_MAPPING).read_text(), (files("flora_core.toolchain") / "stackmap.js").read_text())


class Mapper:
    """An isolate with ``stackmap.js``, asked as the worker asks; ``feeds`` go to one isolate in order."""

    def __init__(self, v8: V8) -> None:
        self._v8 = v8

    def feeds(self, *payloads: dict[str, object]) -> list[object]:
        calls = ", ".join(f"__floraHost.feed.call({json.dumps(json.dumps(payload))})" for payload in payloads)
        answers = self._v8.value(*GLUE, of=f"[{calls}]")
        return [json.loads(answer) for answer in answers]

    def mapped(self, text: str, bundle: Bundle, *, show_internal: bool = False) -> ScriptError:
        stack = parse_stack(text)
        payload = {"key": bundle.sha256, "map": bundle.source_map, "positions": bundle_positions(stack)}
        (found,) = self.feeds(payload)
        positions = [None if at is None else Position(*at) for at in found]
        return render(stack, positions, show_internal=show_internal)


@pytest.fixture
def mapper(v8: V8) -> Mapper:
    return Mapper(v8)


def place(source: str, text: str, file: str) -> str:
    """``file:line:column`` of ``text`` in ``source``."""
    lines = source[: source.index(text)].split("\n")
    return f"{file}:{len(lines)}:{len(lines[-1].encode('utf-16-le')) // 2 + 1}"


# In each, ``go`` throws where the mark is.
MARK = "§"
THROWS = {
    "plain": """
        export function go(): never {
          const ü = '😀';  throw §new Error(ü);
        }""",
    "types": """
        type A = { a: number };
        export function go<T extends A>(this: void, x?: T): void {
        \tnull!.§foo;
        }""",
    "klass": """
        class A<T> {
          constructor(private readonly x: T) { this.#f() }
          #f() { throw §new TypeError("k") }
        }
        export const go = () => void new A<string>("");""",
    "getter": """
        const o = { get g(): number { throw §new RangeError("g") } };
        export const go = () => o.g;""",
    "later": """
        export const go = async (): Promise<void> => {
          await null;
          throw §new Error("later");
        };""",
    "nested": """
        namespace N { export const f = (n: number): number => n > 0 ? f(n - 1) : boom(n) }
        const boom = (n: number): number => { throw n as unknown };
        export const go = () => { try { N.f(3) } catch { throw §new Error("nested") } };""",
    "shape": """
        enum E { A = 1 }
        export const go = () => {
          switch (E.A) {
            case E.A: return (undefined as any)
              .§deep
              .deeper;
          }
        };""",
    "builtin": """
        export function go() { JSON.§parse("{") }""",
}


@pytest.fixture
def throwing() -> Project:
    """A project in which ``thrown.<name>()`` throws in ``src/<name>.ts``."""
    imports = "".join(f"import {{ go as {name} }} from './{name}';\n" for name in THROWS)
    main = f"{imports}(globalThis as any).thrown = {{ {', '.join(THROWS)} }};"
    return one_file(main, **{name: source.replace(MARK, "") for name, source in THROWS.items()})


@pytest.mark.parity(52)
async def test_every_throw_site_maps_to_its_exact_place(
    tools: Toolchain, v8: V8, mapper: Mapper, throwing: Project
) -> None:
    built = await tools.bundle(throwing)
    stacks = v8.value(
        built.bundle.code,
        "globalThis.stacks = {}; (async () => { for (const [name, go] of Object.entries(thrown))"
        " try { await go() } catch (error) { stacks[name] = error.stack } })()",
        of="stacks",
    )
    for name, source in THROWS.items():
        error = mapper.mapped(stacks[name], built.bundle)
        mapped = re.findall(r"src/\S+:\d+:\d+", error.stack)
        assert mapped[0] == place(source, MARK, f"src/{name}.ts"), error.stack


async def test_a_stack_names_functions_and_files_from_the_inside_out(
    tools: Toolchain, v8: V8, mapper: Mapper
) -> None:
    main = (
        "import { outer } from './b';\n\nouter(() => { inner() });\nfunction inner() { throw Error('no') }\n"
    )
    other = "export function outer(f: () => void) {\n  [1].map(() => f());\n}"
    built = await tools.bundle(one_file(main, b=other))
    error = mapper.mapped(v8.stack(built.bundle.code), built.bundle)
    assert error.message == "Error: no"
    assert [re.sub(r" \(.*", "", line) for line in error.stack.split("\n")][:2] == [
        "at inner",
        f"at {place(main, 'inner() }', 'src/main.ts')}",
    ]
    assert "at Array.map (<anonymous>)" in error.stack
    assert f"at outer ({place(other, 'map', 'src/b.ts')})" in error.stack


async def test_a_rejected_await_at_the_top_has_the_authors_line(
    tools: Toolchain, v8: V8, mapper: Mapper
) -> None:
    main = "const wait = async () => { await 1; throw new Error('late') };\n\n\nawait wait();"
    built = await tools.bundle(one_file(main))
    error = mapper.mapped(v8.stack(built.bundle.code), built.bundle)
    assert error.stack.split("\n") == [
        f"at wait ({place(main, 'new Error', 'src/main.ts')})",
        f"at async {place(main, 'await wait', 'src/main.ts')}",
    ]


async def test_a_package_is_named_by_its_path(tools: Toolchain, v8: V8, mapper: Mapper) -> None:
    project = Project(
        {"main.ts": "import boom from 'boom';\nboom();"},
        "main.ts",
        dependencies={"node_modules/boom/index.js": "module.exports = () => {\n  throw Error('x') }"},
    )
    built = await tools.bundle(project)
    error = mapper.mapped(v8.stack(built.bundle.code), built.bundle)
    assert re.findall(r"(\S+?):(\d+):\d+", error.stack.replace("(", "")) == [
        ("node_modules/boom/index.js", "2"),
        ("main.ts", "2"),
    ]


@pytest.mark.parity(52)
async def test_code_that_the_bundler_added_is_hidden_unless_asked_for(
    tools: Toolchain, v8: V8, mapper: Mapper
) -> None:
    project = Project(
        {"main.ts": "import 'boom';"},
        "main.ts",
        dependencies={"node_modules/boom/index.js": "module.exports = 1; throw Error('x')"},
    )
    built = await tools.bundle(project)
    stack = v8.stack(built.bundle.code)
    assert "bundle.js" not in mapper.mapped(stack, built.bundle).stack
    assert "bundle.js" in mapper.mapped(stack, built.bundle, show_internal=True).stack


async def test_a_foreign_bundle_that_does_not_parse_is_described(v8: V8) -> None:
    error = describe_parse_error(
        v8.exception(f"let a = 1;\nlet b = ;{'x' * 100_000}\n//# sourceURL=bundle.js")
    )
    assert error == ScriptError("SyntaxError: Unexpected token ';'", "at bundle.js:2:9")


async def test_a_foreign_bundle_that_throws_at_once_is_described(v8: V8) -> None:
    error = describe_parse_error(v8.exception("function f() { null.x }\nf()\n//# sourceURL=bundle.js"))
    assert error.message == "TypeError: Cannot read properties of null (reading 'x')"
    assert error.stack == "at f (bundle.js:1:21)\nat bundle.js:2:1"


# ---------------------------------------------------------------- the glue alone

ONE = '{"version":3,"sources":["a.ts"],"names":["n"],"mappings":"AAAAA"}'


async def test_positions_count_from_one_on_both_sides(mapper: Mapper) -> None:
    assert mapper.feeds({"key": "k", "map": ONE, "positions": [[1, 1], [1, 9], [2, 1]]}) == [
        [["a.ts", 1, 1, "n"], ["a.ts", 1, 1, "n"], None]
    ]


async def test_a_map_is_needed_once(mapper: Mapper) -> None:
    ask = {"key": "k", "positions": [[1, 1]]}
    assert mapper.feeds(ask, ask | {"map": ONE}, ask | {"map": None}, ask) == [
        None,
        [["a.ts", 1, 1, "n"]],
        [["a.ts", 1, 1, "n"]],
        [["a.ts", 1, 1, "n"]],
    ]


async def test_the_maps_used_last_are_kept(mapper: Mapper) -> None:
    def ask(key: int, **more: str) -> dict[str, object]:
        return {"key": str(key), "positions": []} | more

    answers = mapper.feeds(
        *(ask(key, map=ONE) for key in range(16)), ask(0), ask(16, map=ONE), ask(0), ask(1)
    )
    assert answers[-4:] == [[], [], [], None]


async def test_maps_that_are_too_large_together_are_not_kept(mapper: Mapper) -> None:
    large = json.dumps({"version": 3, "sources": ["x" * (6 << 20)], "names": [], "mappings": "AAAA"})
    ask = [{"key": str(key), "map": large, "positions": []} for key in range(3)]
    again = [{"key": str(key), "positions": []} for key in range(3)]
    assert mapper.feeds(*ask, *again)[3:] == [None, [], []]


@pytest.mark.parametrize(
    "broken",
    ["", "{", "null", "[]", "{}", '{"version":3}', '{"version":3,"sources":[],"names":[],"mappings":"!!!!"}',
     '{"version":3,"sources":[],"names":[],"mappings":"AAAA"}', '{"version":3,"sections":[]}',
     '{"version":3,"sources":null,"names":null,"mappings":"AAgggggggggggggggg"}'],
)  # fmt: skip
async def test_a_damaged_map_maps_nothing(mapper: Mapper, broken: str) -> None:
    (answer,) = mapper.feeds({"key": "k", "map": broken, "positions": [[1, 1], [0, 0], [-1, 5]]})
    assert answer == [None] * 3


async def test_names_in_a_hostile_map_are_cut(mapper: Mapper) -> None:
    hostile = json.dumps(
        {"version": 3, "sources": ["s" * 10_000], "names": ["n" * 10_000], "mappings": "AAAAA"}
    )
    ((found,),) = mapper.feeds({"key": "k", "map": hostile, "positions": [[1, 1]]})
    assert len(found[0]) == len(found[3]) == 500


async def test_the_other_calls_of_the_protocol_do_nothing(v8: V8) -> None:
    calls = "[take(), loaded.call(1), setNotify.call(() => 1), configure.call('{}')]"
    assert v8.value(*GLUE, "var { take, loaded, setNotify, configure } = __floraHost", of=calls) == [""] * 4
