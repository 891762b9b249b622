"""What the bundler refuses, how it says so, and what hostile sources cannot do."""

from __future__ import annotations

import pytest
from projects import one_file
from v8_process import V8

from flora_core.errors import BundleFailed, InvalidProject, ToolTimeout
from flora_core.toolchain import Project, Toolchain, ToolLimits
from flora_core.toolchain.paths import MAX_BYTES

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused(tools: Toolchain, project: Project) -> BundleFailed:
    with pytest.raises(BundleFailed) as caught:
        await tools.bundle(project)
    return caught.value


async def test_a_syntax_error_is_shown_in_its_line(tools: Toolchain) -> None:
    error = await refused(tools, one_file("const a = 1;\n\nlet y = `ü😀` x;\n"))
    assert str(error).split("\n") == [
        'src/main.ts:3:15: error: Expected ";" but found "x"',
        "  3 | let y = `ü😀` x;",
        "    |              ^",
    ]
    (diagnostic,) = error.diagnostics
    assert (diagnostic.file, diagnostic.line, diagnostic.column) == ("src/main.ts", 3, 15)
    assert diagnostic.source_line == "let y = `ü😀` x;"


async def test_each_file_with_an_error_is_named(tools: Toolchain) -> None:
    error = await refused(tools, one_file("import './b'; import './c';", b="let 1;", c="}"))
    assert [diagnostic.place for diagnostic in error.diagnostics] == ["src/b.ts:1:5", "src/c.ts:1:1"]


async def test_a_missing_export_names_the_near_one(tools: Toolchain) -> None:
    error = await refused(tools, one_file("import { nope } from './b'; nope();", b="export const noper = 1;"))
    assert 'No matching export in "src/b.ts" for import "nope"' in str(error)
    assert 'note: src/b.ts:1:14: Did you mean to import "noper" instead?' in str(error)


@pytest.mark.parametrize(
    ("path", "note"),
    [
        ("fs", "fs is part of Node.js"),
        ("node:child_process", "node:child_process is part of Node.js"),
        ("./helper", "no such file is in the project"),
        ("zod", "`npm install zod`"),
        ("@scope/name/deep", "`npm install @scope/name`"),
        ("@/alias", "no such file is in the project"),
    ],
)
async def test_an_import_that_leads_nowhere_says_what_to_do(tools: Toolchain, path: str, note: str) -> None:
    error = await refused(tools, one_file(f"import x from '{path}'; x();"))
    assert error.diagnostics[0].text == f'Could not resolve "{path}"'
    assert note in str(error)
    assert "platform" not in str(error)


@pytest.mark.parametrize("address", ["https://a.example/x.js", "http://a.example/x.js", "//a.example/x.js"])
async def test_nothing_is_imported_from_the_network(tools: Toolchain, address: str) -> None:
    error = await refused(tools, one_file(f"import x from '{address}'; x();"))
    assert f'Cannot import "{address}": nothing is loaded from the network' in str(error)
    assert error.diagnostics[0].column == 15


async def test_an_address_that_a_package_imports_is_refused_too(tools: Toolchain) -> None:
    project = Project(
        {"main.ts": "import 'a'"},
        "main.ts",
        dependencies={"node_modules/a/index.js": "export * from 'https://a.example/x.js'"},
    )
    assert (await refused(tools, project)).diagnostics[0].file == "node_modules/a/index.js"


@pytest.mark.parametrize(
    "statement",
    [
        "import x from '/etc/passwd' with { type: 'text' }",
        "import x from '/etc/passwd' with { type: 'bytes' }",
        "import x from '/proc/self/environ' with { type: 'text' }",
        "import x from '../secret.json'",
        "import x from '../../../../../../etc/passwd' with { type: 'text' }",
        "import x from '/project/../etc/passwd' with { type: 'text' }",
        "import x from 'file:///etc/passwd' with { type: 'text' }",
        "const x = require('/etc/hostname')",
        "const x = await import('../../secret.json')",
        "import { x } from './b' with { type: 'macro' }",
        "import x from '.'",
        "import x from '/'",
    ],
)
async def test_no_import_reaches_the_host(tools: Toolchain, statement: str) -> None:
    error = await refused(tools, one_file(f"{statement}; globalThis.out = x;", b="export const x = 1;"))
    assert error.diagnostics[0].place.startswith("src/main.ts:1:")


async def test_configuration_reaches_no_file_of_the_host(tools: Toolchain) -> None:
    built = await tools.bundle(
        Project(
            {"main.ts": "globalThis.out = 1", "tsconfig.json": '{"extends": "/etc/passwd"}'},
            "main.ts",
        )
    )
    assert [warning.text for warning in built.warnings] == ['Cannot find base config file "/etc/passwd"']


async def test_files_of_an_earlier_build_are_gone(tools: Toolchain) -> None:
    await tools.bundle(one_file("import './secret'", secret="export const x = 'mine'"))
    error = await refused(tools, one_file("import './secret'"))
    assert 'Could not resolve "./secret"' in str(error)
    error = await refused(tools, one_file("import './b'", b="import { x } from './secret'; x;"))
    assert error.diagnostics[0].file == "src/b.ts"


async def test_an_earlier_build_with_an_error_leaves_nothing_either(tools: Toolchain) -> None:
    await refused(tools, one_file("import './secret'; let 1;", secret="1"))
    assert 'Could not resolve "./secret"' in str(await refused(tools, one_file("import './secret'")))


async def test_a_changed_file_is_not_taken_from_a_cache(tools: Toolchain, v8: V8) -> None:
    for n in (1, 2):
        built = await tools.bundle(
            one_file("import { x } from './b'; globalThis.out = x", b=f"export const x = {n}")
        )
        assert v8.value(built.bundle.code, of="out") == n


@pytest.mark.parametrize("opening", ["(", "[", "{", "x=>", "!", "a?b:", "`${"])
async def test_code_that_is_nested_too_deeply_is_refused_and_the_next_build_works(
    tools: Toolchain, opening: str
) -> None:
    error = await refused(tools, one_file(opening * 100_000))
    assert error.diagnostics
    assert (await tools.bundle(one_file("1"))).bundle


async def test_a_mebibyte_on_one_line_is_bundled(tools: Toolchain, v8: V8) -> None:
    numbers = "1," * ((MAX_BYTES - 100) // 2)
    built = await tools.bundle(one_file(f"globalThis.out = [{numbers}].length"))
    assert v8.value(built.bundle.code, of="out") == (MAX_BYTES - 100) // 2


async def test_an_error_at_the_end_of_a_very_long_line_is_shown_in_part(tools: Toolchain) -> None:
    error = await refused(tools, one_file(f"const é = ['{'é' * 400_000}']; x x"))
    (diagnostic,) = error.diagnostics
    assert diagnostic.column == len("const é = ['") + 400_000 + len("']; x x")
    assert diagnostic.source_line.endswith("']; x x")
    assert len(str(error)) < 1000
    assert str(error).split("\n")[2].endswith(" " * 150 + "^")


async def test_control_characters_of_a_source_do_not_reach_the_terminal(tools: Toolchain) -> None:
    error = await refused(tools, one_file("'\x1b[31mred\x1b[0m' x"))
    assert "\x1b" not in str(error)


async def test_only_some_of_many_errors_are_shown(tools: Toolchain) -> None:
    imports = "\n".join(f"import a{n} from './no{n}'; a{n}();" for n in range(250))
    error = await refused(tools, one_file(imports))
    assert len(error.diagnostics) == 100
    assert str(error).endswith("… and 90 more")


async def test_too_much_source_never_gets_to_the_bundler() -> None:
    with pytest.raises(InvalidProject, match="may have 1,048,576"):
        one_file("x" * (MAX_BYTES + 1))


async def test_a_slow_build_is_killed_at_its_limit_and_the_next_one_works() -> None:
    # Each unresolved import costs esbuild milliseconds: these would take more than a minute.
    slow = one_file("\n".join(f"import a{n} from './no{n}'; a{n}();" for n in range(20_000)))
    async with Toolchain(ToolLimits(seconds=3.0, children=1)) as tools:
        await tools.bundle(one_file("1"))
        with pytest.raises(ToolTimeout, match="the bundler took longer than 3 s"):
            await tools.bundle(slow)
        assert (await tools.bundle(one_file("1"))).bundle
