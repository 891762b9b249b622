"""What a project becomes: one script, its map, and the warnings on the way."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from projects import one_file, twenty_files
from v8_process import V8

from flora_core.errors import BundleTooLarge
from flora_core.toolchain import Project, Toolchain, render_all
from flora_core.toolchain.bundle import CODE_LIMIT

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def bundled(tools: Toolchain, project: Project) -> str:
    built = await tools.bundle(project)
    assert built.warnings == []
    return built.bundle.code


async def test_a_bundle_is_one_script_whose_value_is_a_promise(tools: Toolchain, v8: V8) -> None:
    built = await tools.bundle(one_file("globalThis.out = 1"))
    assert built.bundle.code.startswith("(async () => {")
    assert built.bundle.entrypoint == "src/main.ts"
    assert v8.value(built.bundle.code, of="out") == 1
    assert v8.value(f"globalThis.done = {built.bundle.code}", of="done instanceof Promise") is True


async def test_top_level_await_works(tools: Toolchain, v8: V8) -> None:
    code = await bundled(
        tools,
        one_file(
            "import { ready } from './b'; (globalThis as any).out = [await ready, await Promise.resolve(2)]",
            b="export const ready = await new Promise((resolve) => resolve(1));",
        ),
    )
    assert v8.value(code, of="out") == [1, 2]


async def test_code_is_strict_as_modules_are(tools: Toolchain) -> None:
    code = await bundled(tools, one_file("(function () { globalThis.out = this === undefined })()"))
    assert '"use strict";' in code.split("\n")[1]


async def test_stacks_call_the_bundle_by_its_name(tools: Toolchain, v8: V8) -> None:
    code = await bundled(
        tools, one_file("//! sourceURL=x\nfunction boom() { throw new Error('x') }\nboom();")
    )
    assert "at boom (bundle.js:" in v8.stack(code)
    assert code.rstrip().endswith("//# sourceURL=bundle.js")


async def test_an_authors_comment_cannot_rename_the_bundle(tools: Toolchain, v8: V8) -> None:
    code = await bundled(
        tools,
        one_file(
            "const x = String(import(/* @vite-ignore */\n//# sourceURL=evil.js\n`${1}`));\nthrow Error('x');"
        ),
    )
    assert "(bundle.js:" in v8.stack(code) or "at bundle.js:" in v8.stack(code)
    assert "sourceMappingURL" not in code


async def test_the_source_map_names_the_authors_files_and_holds_no_sources(tools: Toolchain) -> None:
    built = await tools.bundle(twenty_files())
    source_map = json.loads(built.bundle.source_map)
    assert set(source_map) == {"version", "sources", "names", "mappings"}
    assert "src/main.ts" in source_map["sources"]
    assert "src/view/index.tsx" in source_map["sources"]
    assert all(source in twenty_files().files for source in source_map["sources"])


@pytest.mark.parametrize(
    "name", ["a b", "ä%2Fx", "q?x=1", "#hash", "[id]", "日本", "__proto__", "<entry>", "a'b", 'a"b', "$&"]
)
async def test_any_file_name_that_is_allowed_can_be_imported_and_is_in_the_map_as_it_is(
    tools: Toolchain, v8: V8, name: str
) -> None:
    project = Project(
        {
            "src/main.ts": f"import {{ x }} from {json.dumps('./' + name)}; globalThis.out = x;",
            f"src/{name}.ts": "export const x = 5;",
        },
        "src/main.ts",
    )
    built = await tools.bundle(project)
    assert v8.value(built.bundle.code, of="out") == 5
    assert f"src/{name}.ts" in json.loads(built.bundle.source_map)["sources"]


async def test_the_same_sources_give_the_same_bytes_in_any_order_and_in_any_process(tools: Toolchain) -> None:
    project = twenty_files()
    reversed_files = dict(reversed(project.files.items()))
    first = await tools.bundle(project)
    second = await tools.bundle(Project(reversed_files, project.entrypoint))
    async with Toolchain() as others:
        third = await others.bundle(project)
    assert first.bundle.to_bytes() == second.bundle.to_bytes() == third.bundle.to_bytes()
    assert first.bundle.sha256 == third.bundle.sha256


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    order=st.permutations(["main", "a", "b", "c"]),
    texts=st.lists(st.text(max_size=20), min_size=3, max_size=3),
)
async def test_whatever_strings_a_script_holds_arrive_unchanged(
    tools: Toolchain, v8: V8, order: list[str], texts: list[str]
) -> None:
    files = {name: f"export default {json.dumps(text)};" for name, text in zip("abc", texts, strict=True)} | {
        "main": "import a from './a'; import b from './b'; import c from './c'; globalThis.out = [a, b, c];"
    }
    project = Project({f"src/{name}.ts": files[name] for name in order}, "src/main.ts")
    code = (await tools.bundle(project)).bundle.code
    wanted = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
    assert v8.value(code, of="out") == wanted


# ---------------------------------------------------------------- what TypeScript and its tools have


@pytest.mark.parity(63)
async def test_twenty_files_in_a_chain_run(tools: Toolchain, v8: V8) -> None:
    code = await bundled(tools, twenty_files())
    assert v8.value(code, of="1") == 1


async def test_enums_namespaces_and_parameter_properties(tools: Toolchain, v8: V8) -> None:
    code = await bundled(
        tools,
        one_file("""
            enum Colour { Red, Green = "g" }
            const enum Size { Small = 3 }
            namespace Box { export const a = 1 }
            namespace Box { export const b = a + 1 }
            class Point { constructor(private readonly x = 4) {} get X() { return this.x } }
            (globalThis as any).out = [Colour[0], Colour.Green, Size.Small, Box.b, new Point().X];
        """),
    )
    assert v8.value(code, of="out") == ["Red", "g", 3, 2, 4]


async def test_decorators_of_the_standard(tools: Toolchain, v8: V8) -> None:
    code = await bundled(
        tools,
        one_file("""
            function twice(method: any, context: ClassMethodDecoratorContext) {
              return function (this: any) { return method.call(this) * 2 + context.name.length }
            }
            class A { @twice two() { return 1 } accessor field = 7 }
            (globalThis as any).out = [new A().two(), new A().field];
        """),
    )
    assert v8.value(code, of="out") == [5, 7]


async def test_decorators_of_old_where_tsconfig_asks_for_them(tools: Toolchain, v8: V8) -> None:
    project = Project(
        {
            "src/main.ts": """
                const seen: string[] = [];
                const note = (name: string) => (...target: any[]) => { seen.push(name + target.length) };
                @note("class") class A { @note("field") x = 1; constructor(@note("parameter") p: number) {} }
                (globalThis as any).out = [seen.sort(), new A(1).x];
            """,
            "tsconfig.json": '{"compilerOptions": {"experimentalDecorators": true}}',
        },
        "src/main.ts",
    )
    code = await bundled(tools, project)
    assert v8.value(code, of="out") == [["class1", "field3", "parameter3"], 1]


async def test_decorator_metadata_is_warned_about(tools: Toolchain) -> None:
    text = '{\n  // "emitDecoratorMetadata": true\n  "compilerOptions": { "emitDecoratorMetadata": true }\n}'
    built = await tools.bundle(Project({"main.ts": "1", "tsconfig.json": text}, "main.ts"))
    (warning,) = built.warnings
    assert (warning.severity, warning.place) == ("warning", "tsconfig.json:3:24")
    assert "emitDecoratorMetadata has no effect" in render_all(built.warnings)


async def test_explicit_resource_management(tools: Toolchain, v8: V8) -> None:
    code = await bundled(
        tools,
        one_file("{ using held = { [Symbol.dispose]() { (globalThis as any).out = 'closed' } }; void held }"),
    )
    assert v8.value(code, of="out") == "closed"


async def test_tsx_with_a_factory(tools: Toolchain, v8: V8) -> None:
    project = Project(
        {
            "src/main.tsx": "import { h } from './h'; (globalThis as any).out = <row wide>{1}<b/></row>;",
            "src/h.ts": "export const h = (tag: string, ...rest: any[]) => [tag, rest[0], rest.slice(1)];",
            "tsconfig.json": '{"compilerOptions": {"jsx": "react", "jsxFactory": "h"}}',
        },
        "src/main.tsx",
    )
    code = await bundled(tools, project)
    assert v8.value(code, of="out") == ["row", {"wide": True}, [1, ["b", None, []]]]


async def test_tsx_with_an_import_source_of_the_project(tools: Toolchain, v8: V8) -> None:
    project = Project(
        {
            "src/main.tsx": "(globalThis as any).out = <row>{1}</row>;",
            "ui/jsx-runtime.ts": "export const jsx = (tag: string, props: any) => [tag, props];",
            "tsconfig.json": """{ "compilerOptions": {
                "jsx": "react-jsx", "jsxImportSource": "ui", "paths": {"ui/*": ["./ui/*"]} } }""",
        },
        "src/main.tsx",
    )
    code = await bundled(tools, project)
    assert v8.value(code, of="out") == ["row", {"children": 1}]


async def test_paths_of_tsconfig_and_of_what_it_extends(tools: Toolchain, v8: V8) -> None:
    project = Project(
        {
            "src/main.ts": "import { a } from '@/a'; import { b } from 'src/lib/b'; globalThis.out = [a, b];",
            "src/a.ts": "export const a = 1;",
            "src/lib/b.ts": "export const b = 2;",
            "tsconfig.json": '{ "extends": "./base.json", /* why */ "compilerOptions": {"baseUrl": ".",} }',
            "base.json": '{ "compilerOptions": { "paths": { "@/*": ["./src/*"] } } }',
        },
        "src/main.ts",
    )
    code = await bundled(tools, project)
    assert v8.value(code, of="out") == [1, 2]


async def test_json_text_and_bytes_of_the_project(tools: Toolchain, v8: V8) -> None:
    project = Project(
        {
            "src/main.ts": """
                import limits, { most } from "../limits.json";
                import text from "./hello.txt";
                import raw from "./hello.txt" with { type: "bytes" };
                globalThis.out = [limits, most, text, raw instanceof Uint8Array && raw.length];
            """,
            "src/hello.txt": "hé",
            "limits.json": '{"most": 3}',
        },
        "src/main.ts",
    )
    code = await bundled(tools, project)
    racer_has_no_base64 = (
        'Uint8Array.fromBase64 ??= () => new Uint8Array(3); globalThis.atob ??= () => "abc";'
    )
    assert v8.value(racer_has_no_base64, code, of="out") == [{"most": 3}, 3, "hé", 3]


@pytest.mark.parity(63)
async def test_imports_in_every_way_they_are_written(tools: Toolchain, v8: V8) -> None:
    project = Project(
        {
            "src/main.ts": """
                import { a } from "./a"; import { b } from "./b.js"; import { c } from "./c.ts";
                import { d } from "./d"; import type { Gone } from "nowhere";
                const { e } = await import("./e.mjs"); const f = require("./f.cjs");
                globalThis.out = [a, b, c, d, e, f] satisfies Gone;
            """,
            "src/a.tsx": "export const a = 'a'",
            "src/b.ts": "export const b = 'b'",
            "src/c.ts": "export const c = 'c'",
            "src/d/index.ts": "export const d = 'd'",
            "src/e.mjs": "export const e = 'e'",
            "src/f.cjs": "module.exports = 'f'",
        },
        "src/main.ts",
    )
    code = await bundled(tools, project)
    assert v8.value(code, of="out") == list("abcdef")


async def test_a_cycle_of_imports(tools: Toolchain, v8: V8) -> None:
    code = await bundled(
        tools,
        one_file(
            "import { later } from './b'; export const name = 'main'; globalThis.out = later();",
            b="import { name } from './main'; export const later = () => name;",
        ),
    )
    assert v8.value(code, of="out") == "main"


async def test_a_package_of_either_kind_from_node_modules(tools: Toolchain, v8: V8) -> None:
    manifest = '{"name": "old", "main": "./lib/index.js"}'
    project = Project(
        {"src/main.ts": "import old from 'old'; import { a } from 'new/sub'; globalThis.out = [old(2), a];"},
        "src/main.ts",
        dependencies={
            "node_modules/old/package.json": manifest,
            "node_modules/old/lib/index.js": "const d = require('./d'); module.exports = (n) => n * d;",
            "node_modules/old/lib/d.js": "module.exports = process.env.NODE_ENV === 'production' ? 21 : 0;",
            "node_modules/new/package.json": '{"exports": {"./sub": {"node": "./x", "worker": "./w.mjs"}}}',
            "node_modules/new/w.mjs": "export const a = 'worker';",
        },
    )
    code = await bundled(tools, project)
    assert v8.value(code, of="out") == [42, "worker"]


async def test_an_application_has_side_effects_whatever_its_package_json_says(
    tools: Toolchain, v8: V8
) -> None:
    project = Project(
        {
            "main.ts": "import './b'; globalThis.out = b",
            "b.ts": "globalThis.b = 1",
            "package.json": '{"sideEffects": false}',
        },
        "main.ts",
    )
    assert v8.value(await bundled(tools, project), of="out") == 1


async def test_exports_of_the_entrypoint_do_not_break_the_script(tools: Toolchain, v8: V8) -> None:
    code = await bundled(tools, one_file("export const a = 1; export default class {}; globalThis.out = a;"))
    assert v8.value(code, of="out") == 1


async def test_import_meta_is_empty_and_warned_about(tools: Toolchain, v8: V8) -> None:
    built = await tools.bundle(one_file("globalThis.out = String(import.meta.url)"))
    assert [warning.text for warning in built.warnings] == [
        "import.meta is empty: a script is no module once it is bundled"
    ]
    assert v8.value(built.bundle.code, of="out") == "undefined"


async def test_an_empty_entrypoint_is_a_bundle_that_does_nothing(tools: Toolchain, v8: V8) -> None:
    assert v8.value(await bundled(tools, one_file("")), of="1") == 1


@pytest.mark.parity(51)
async def test_a_bundle_over_the_limit_is_refused(tools: Toolchain) -> None:
    # One mebibyte of source can become ten of code: fragments of JSX.
    fragments = "<></>," * 170_000
    project = Project({"main.tsx": f"export const x = [{fragments}]; console.log(x)"}, "main.tsx")
    with pytest.raises(BundleTooLarge, match="may have 8,388,608") as caught:
        await tools.bundle(project)
    assert caught.value.size > CODE_LIMIT
