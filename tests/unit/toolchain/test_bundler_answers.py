from __future__ import annotations

import msgspec
import pytest

from flora_core.errors import BundleFailed, BundleTooLarge, ToolError
from flora_core.toolchain import Diagnostic, Project, bundler, checker
from flora_core.toolchain.bundle import CODE_LIMIT, MAP_LIMIT
from flora_core.toolchain.frames import Answer, Failure, Tool

PROJECT = Project({"main.ts": "1"}, "main.ts", dependencies={"node_modules/a/index.js": "1"})


def answer(**result: object) -> Answer:
    return Answer(result=msgspec.Raw(msgspec.json.encode(result)))


def test_a_request_holds_the_project_and_the_limits() -> None:
    request = bundler.request(PROJECT)
    assert (request.tool, request.entrypoint) == (Tool.BUNDLER, "main.ts")
    assert (request.files, request.dependencies) == ({"main.ts": "1"}, {"node_modules/a/index.js": "1"})
    assert (request.code_limit, request.map_limit) == (CODE_LIMIT, MAP_LIMIT)
    assert checker.request(PROJECT).tool is Tool.CHECKER


def test_code_and_map_make_a_bundle() -> None:
    built = bundler.built(PROJECT, answer(code="x", source_map="{}", code_size=1, map_size=2))
    assert (built.bundle.entrypoint, built.bundle.code, built.bundle.source_map) == ("main.ts", "x", "{}")
    assert built.warnings == []


def test_errors_fail_the_bundle_and_are_all_given() -> None:
    errors = [Diagnostic(f"error {n}", "main.ts", n + 1, 1, 1, "x", 0) for n in range(12)]
    with pytest.raises(BundleFailed, match="… and 2 more") as caught:
        bundler.built(PROJECT, answer(errors=errors))
    assert caught.value.diagnostics == errors


@pytest.mark.parametrize(
    ("sizes", "text"),
    [((CODE_LIMIT + 1, 5), "the bundle has"), ((5, MAP_LIMIT + 1), "the bundle's source map has")],
)
def test_sizes_without_code_say_what_is_too_large(sizes: tuple[int, int], text: str) -> None:
    with pytest.raises(BundleTooLarge, match=text):
        bundler.built(PROJECT, answer(code_size=sizes[0], map_size=sizes[1]))


def test_a_stack_that_ran_out_is_the_codes_fault() -> None:
    with pytest.raises(BundleFailed, match="nested too deeply"):
        bundler.built(PROJECT, Answer(failure=Failure.DEPTH))
    (diagnostic,) = checker.diagnostics(Answer(failure=Failure.DEPTH))
    assert "nested too deeply" in diagnostic.text


@pytest.mark.parametrize(
    "result", [b"1", b"{", b'{"code": 1}', b'{"errors": [{}], "diagnostics": [1]}', b"null"]
)
def test_an_answer_that_is_none_is_a_tool_error(result: bytes) -> None:
    with pytest.raises(ToolError):
        bundler.built(PROJECT, Answer(result=msgspec.Raw(result)))
    with pytest.raises(ToolError):
        checker.diagnostics(Answer(result=msgspec.Raw(result)))


@pytest.mark.parametrize(
    ("path", "notes", "note"),
    [
        (
            "fs",
            ['The package "fs" wasn\'t found on the file system but is built into node.'],
            "fs is part of Node.js",
        ),
        ("./a", [], "no such file is in the project"),
        ("../a", [], "no such file is in the project"),
        ("/a", [], "no such file is in the project"),
        ("#internal", [], "no such file is in the project"),
        ("zod/v4", ["You can mark the path as external"], "`npm install zod`"),
        ("@a/b/c", [], "`npm install @a/b`"),
    ],
)
def test_an_import_that_leads_nowhere_is_explained(path: str, notes: list[str], note: str) -> None:
    explained = bundler.explained(Diagnostic(f'Could not resolve "{path}"', notes=notes))
    (found,) = explained.notes
    assert note in found


def test_other_diagnostics_keep_their_notes() -> None:
    diagnostic = Diagnostic("The symbol is declared twice", notes=["a.ts:1:1: here"])
    assert bundler.explained(diagnostic) is diagnostic


@pytest.mark.parametrize(
    ("path", "text", "place"),
    [
        ("tsconfig.json", '{"emitDecoratorMetadata": true}', "tsconfig.json:1:2"),
        ("tsconfig.base.json", '{\n  "a": 1, "emitDecoratorMetadata" :true}', "tsconfig.base.json:2:11"),
        ("sub/tsconfig.json", '\r\n\t"emitDecoratorMetadata":\n true', "sub/tsconfig.json:2:2"),
        ("tsconfig.json", '{"emitDecoratorMetadata": false}', None),
        ("tsconfig.json", '// "emitDecoratorMetadata": true', None),
        ("other.json", '{"emitDecoratorMetadata": true}', None),
    ],
)
def test_metadata_of_decorators_is_warned_about_where_it_is_asked_for(
    path: str, text: str, place: str | None
) -> None:
    project = Project({"main.ts": "1", path: text}, "main.ts")
    warnings = bundler.built(project, answer(code="x")).warnings
    assert [warning.place for warning in warnings] == ([] if place is None else [place])
