"""What the type checker finds in a project."""

from __future__ import annotations

import json
from importlib.resources import files

import msgspec
import pytest
from projects import one_file, twenty_files
from v8_process import V8

from flora_core.assets import TYPESCRIPT, TYPESCRIPT_LIBS, asset
from flora_core.errors import BundleFailed
from flora_core.toolchain import Diagnostic, Project, Toolchain, render, render_all

pytestmark = pytest.mark.asyncio(loop_scope="module")


def places(found: list[Diagnostic]) -> list[tuple[str, str]]:
    return [(diagnostic.place, diagnostic.code) for diagnostic in found]


async def checked(tools: Toolchain, main: str, tsconfig: str = "{}", **others: str) -> list[Diagnostic]:
    files = {"src/main.ts": main, "tsconfig.json": tsconfig}
    return await tools.check(
        Project(files | {f"src/{name}.ts": text for name, text in others.items()}, "src/main.ts")
    )


async def test_a_sound_project_has_no_diagnostics(tools: Toolchain) -> None:
    assert await tools.check(twenty_files()) == []


async def test_a_type_error_is_shown_in_its_line(tools: Toolchain) -> None:
    (found,) = await checked(tools, "const a = 1;\n\tconst ü: number = `é`;\n")
    assert found.code == "TS2322"
    assert render(found).split("\n") == [
        "src/main.ts:2:8: error TS2322: Type 'string' is not assignable to type 'number'.",
        "  2 | \tconst ü: number = `é`;",
        "    | \t      ^",
    ]


async def test_diagnostics_as_json(tools: Toolchain) -> None:
    found = await checked(tools, "nope")
    assert msgspec.json.decode(msgspec.json.encode(found)) == [
        {
            "text": "Cannot find name 'nope'.",
            "file": "src/main.ts",
            "line": 1,
            "column": 1,
            "length": 4,
            "source_line": "nope",
            "caret": 0,
            "notes": [],
            "severity": "error",
            "code": "TS2304",
        }
    ]


async def test_errors_of_syntax_and_of_types_in_several_files_in_order(tools: Toolchain) -> None:
    found = await checked(
        tools, "import { b } from './b';\nlet x: string = b;\n(", b="export const b = 1;\nb = = 2;"
    )
    assert {"src/b.ts:2:5", "src/main.ts:2:5", "src/main.ts:3:2"} <= {place for place, _ in places(found)}
    assert [one.file for one in found] == sorted(one.file for one in found)


async def test_related_places_are_notes(tools: Toolchain) -> None:
    found = await checked(
        tools, "import { f } from './b'; f(1);", b="export function f(a: string) { return a }"
    )
    (found,) = await checked(tools, "interface A { x: 1 }\nconst a: A = { x: 2 };")
    assert found.notes == [
        "src/main.ts:1:15: The expected type comes from property 'x' which is declared here on type 'A'"
    ]


async def test_strict_is_the_default_and_tsconfig_decides(tools: Toolchain) -> None:
    code = "function f(a) { return a }\nf(1);"
    assert places(await checked(tools, code)) == [("src/main.ts:1:12", "TS7006")]
    assert await checked(tools, code, '{"compilerOptions": {"strict": false}}') == []


async def test_comments_and_trailing_commas_in_tsconfig(tools: Toolchain) -> None:
    text = '{ // one\n "compilerOptions": { /* two */ "noUnusedLocals": true, }, }'
    assert places(await checked(tools, "const a = 1;", text)) == [("src/main.ts:1:7", "TS6133")]


async def test_tsconfig_extends_another(tools: Toolchain) -> None:
    project = Project(
        {
            "main.ts": "const a = 1;",
            "tsconfig.json": '{"extends": "./b.json"}',
            "b.json": '{"compilerOptions": {"noUnusedLocals": true}}',
        },
        "main.ts",
    )
    assert places(await tools.check(project)) == [("main.ts:1:7", "TS6133")]


async def test_tsconfig_includes_what_is_checked_and_the_entrypoint_always_is(tools: Toolchain) -> None:
    files = {"src/main.ts": "nope", "src/other.ts": "nope", "test/a.ts": "nope"}
    everywhere = await tools.check(Project(files, "src/main.ts"))
    assert len(everywhere) == 3
    narrow = files | {"tsconfig.json": '{"include": ["src/o*"]}'}
    assert [found.file for found in await tools.check(Project(narrow, "src/main.ts"))] == [
        "src/main.ts",
        "src/other.ts",
    ]
    nothing = files | {"tsconfig.json": '{"files": []}'}
    assert {found.file for found in await tools.check(Project(nothing, "src/main.ts"))} >= {"src/main.ts"}


async def test_errors_in_tsconfig_itself(tools: Toolchain) -> None:
    assert ("tsconfig.json:1:22", "TS5023") in places(
        await checked(tools, "1", '{"compilerOptions": {"nope": true}}')
    )
    assert {found.file for found in await checked(tools, "1", "{,")} == {"tsconfig.json"}


async def test_a_library_that_is_not_there_is_a_warning(tools: Toolchain) -> None:
    found = await checked(tools, "document.title", '{"compilerOptions": {"lib": ["ESNext", "DOM"]}}')
    assert [(one.severity, one.code) for one in found] == [("warning", ""), ("error", "TS2584")]
    assert "'dom'" not in render_all(found)


async def test_options_about_output_have_no_say(tools: Toolchain) -> None:
    options = (
        '"composite": true, "declaration": true, "outDir": "dist", "rootDir": "lib", "incremental": true'
    )
    assert await checked(tools, "export const a = 1;", f'{{"compilerOptions": {{{options}}}}}') == []


@pytest.mark.parametrize("module", ["ESNext", "NodeNext", "Preserve"])
async def test_a_module_system_of_the_authors_own_choice(tools: Toolchain, module: str) -> None:
    options = f'{{"compilerOptions": {{"module": "{module}"}}}}'
    found = await checked(tools, "import { b } from './b.js'; b;", options, b="export const b = 1;")
    assert found == []


async def test_imports_are_resolved_as_the_bundler_does(tools: Toolchain) -> None:
    project = Project(
        {
            "src/main.ts": """
                import a from './a'; import b from './b.js'; import c from './c.ts';
                import d from '@/d.json'; import { e } from './e';
                const x: [number, string, boolean, { n: number }, number] = [a, b, c, d, e(1)];
                await Promise.resolve(x);
            """,
            "src/a.ts": "export default 1;",
            "src/b.ts": "export default 'b';",
            "src/c.ts": "export default true;",
            "src/d.json": '{"n": 1}',
            "src/e.js": "export const e = (x) => Number(x);",
            "tsconfig.json": '{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}',
        },
        "src/main.ts",
    )
    assert await tools.check(project) == []


async def test_a_single_file_is_a_module_with_top_level_await(tools: Toolchain) -> None:
    assert await checked(tools, "const name = await Promise.resolve('a'); name.length;") == []


async def test_types_of_a_package(tools: Toolchain) -> None:
    dependencies = {
        "node_modules/a/package.json": '{"exports": {".": {"types": "./a.d.ts", "default": "./a.js"}}}',
        "node_modules/a/a.js": "export const a = 1",
        "node_modules/a/a.d.ts": "export declare const a: number; declare const broken: Nope;",
    }
    project = Project(
        {"main.ts": "import { a } from 'a'; const s: string = a;"}, "main.ts", dependencies=dependencies
    )
    assert places(await tools.check(project)) == [("main.ts:1:30", "TS2322")]


async def test_nothing_of_an_earlier_check_is_left(tools: Toolchain) -> None:
    augmented = "declare global { interface Array<T> { flora: T } var made: number }\nexport {};"
    assert await checked(tools, "[1].flora + made;", globals=augmented) == []
    assert places(await checked(tools, "[1].flora + made;")) == [
        ("src/main.ts:1:5", "TS2339"),
        ("src/main.ts:1:13", "TS2304"),
    ]
    assert places(await checked(tools, "import './globals';")) == [("src/main.ts:1:8", "TS2882")]


async def test_no_path_leads_to_the_host(tools: Toolchain) -> None:
    code = """/// <reference path='/etc/passwd' />
/// <reference path='../../../../etc/hostname' />
import x from '/etc/passwd'; x;"""
    found = await checked(tools, code)
    assert [one.line for one in found] == [1, 2, 3]


async def test_code_that_is_nested_too_deeply_is_a_diagnostic_and_the_next_check_works(
    tools: Toolchain,
) -> None:
    found = await checked(tools, "const x = " + "[" * 100_000)
    assert "nested too deeply" in found[0].text
    assert places(await checked(tools, "nope")) == [("src/main.ts:1:1", "TS2304")]


async def test_a_very_long_line_is_shown_in_part(tools: Toolchain) -> None:
    (found,) = await checked(tools, f"const a = ['{'x' * 500_000}']; nope;")
    assert found.column > 500_000
    assert len(render(found)) < 1000


async def test_of_many_errors_the_first_hundred_are_given(tools: Toolchain) -> None:
    assert len(await checked(tools, "nope;\n" * 500)) == 100


async def test_javascript_is_not_type_checked_unless_asked_for(tools: Toolchain) -> None:
    files = {"main.js": "const a = 1; a.nope; export const b = (x) => x"}
    assert await tools.check(Project(files, "main.js")) == []
    asked = files | {"tsconfig.json": '{"compilerOptions": {"checkJs": true, "strict": false}}'}
    assert places(await tools.check(Project(asked, "main.js"))) == [("main.js:1:16", "TS2339")]


async def test_the_bundler_and_the_checker_agree_on_where_an_error_is(tools: Toolchain) -> None:
    project = one_file("let a = '😀'; a = = 'b';")
    (found,) = await tools.check(project)
    with pytest.raises(BundleFailed) as caught:
        await tools.bundle(project)
    assert (
        [diagnostic.place for diagnostic in caught.value.diagnostics] == [found.place] == ["src/main.ts:1:19"]
    )


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", "\u2028"])
async def test_lines_are_counted_alike_however_they_end(tools: Toolchain, ending: str) -> None:
    project = one_file(f"\ufefflet a = 1;{ending}a = = 2;{ending}")
    (found,) = await tools.check(project)
    with pytest.raises(BundleFailed) as caught:
        await tools.bundle(project)
    (failed,) = caught.value.diagnostics
    assert (
        (found.place, found.source_line)
        == (failed.place, failed.source_line)
        == ("src/main.ts:2:5", "a = = 2;")
    )


@pytest.mark.parametrize("path", ["main.mts", "main.cts", "__proto__.ts", "a b#%.ts"])
async def test_any_name_an_entrypoint_may_have_is_checked(tools: Toolchain, path: str) -> None:
    assert places(await tools.check(Project({path: "nope"}, path))) == [(f"{path}:1:1", "TS2304")]


async def test_floras_own_types_are_known_to_every_script(v8: V8) -> None:
    libs = {path.name: path.read_text() for path in asset(TYPESCRIPT_LIBS).glob("*.d.ts")}
    types = "declare function on(event: 'message', handler: (text: string) => void): void;"
    boot = f"boot({json.dumps(json.dumps({'libs': libs, 'types': types}))})"
    project = {
        "entrypoint": "main.ts",
        "files": {"main.ts": "on('message', (text) => text.nope)"},
        "dependencies": {},
    }
    folder = files("flora_core.toolchain")
    scripts = [
        asset(TYPESCRIPT).read_text(),
        *((folder / name).read_text() for name in ("messages.js", "checker.js")),
    ]
    answer = v8.value(*scripts, boot, of=f"JSON.parse(run({json.dumps(json.dumps(project))}))")
    (diagnostic,) = msgspec.convert(answer["diagnostics"], list[Diagnostic])
    assert diagnostic.text == "Property 'nope' does not exist on type 'string'."
