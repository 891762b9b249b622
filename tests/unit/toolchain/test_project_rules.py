from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_core.errors import InvalidInput, InvalidProject
from flora_core.toolchain import Project
from flora_core.toolchain.paths import MAX_BYTES, MAX_DEPENDENCY_FILES, MAX_FILES, MAX_PATH_BYTES, check_path

segments = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._ -]{0,20}", fullmatch=True).filter(
    lambda text: text != "node_modules"
)
paths = st.lists(segments, min_size=1, max_size=5).map("/".join)


def project(*files: str, entrypoint: str = "main.ts", **texts: str) -> Project:
    return Project(dict.fromkeys(files or ("main.ts",), "1") | texts, entrypoint)


# ---------------------------------------------------------------- paths


@given(path=paths)
def test_ordinary_paths_are_taken(path: str) -> None:
    check_path(path)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "is empty"),
        ("/etc/passwd", "is absolute"),
        ("C:/x.ts", "is absolute"),
        ("../x.ts", "contains '..'"),
        ("src/../x.ts", "contains '..'"),
        ("./x.ts", "has an empty segment or a '.'"),
        ("src//x.ts", "has an empty segment or a '.'"),
        ("src/x.ts/", "has an empty segment or a '.'"),
        ("src\\x.ts", "contains a backslash"),
        ("a\nb.ts", "contains a character that cannot be shown"),
        ("a\0b.ts", "contains a character that cannot be shown"),
        ("a\u202eb.ts", "contains a character that cannot be shown"),
        ("a\ud800.ts", "contains a character that cannot be shown"),
        ("é" * 128, f"is longer than {MAX_PATH_BYTES} bytes"),
    ],
)
def test_a_path_that_is_not_relative_and_normalised_is_refused(path: str, problem: str) -> None:
    with pytest.raises(InvalidProject, match=r"write it like 'src/main.ts'") as caught:
        project("main.ts", **{path: ""})
    assert problem in str(caught.value)


@given(path=st.text(max_size=40))
def test_a_path_that_is_taken_stays_below_its_folder(path: str) -> None:
    try:
        check_path(path)
    except InvalidProject:
        return
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/"))
    assert path.isprintable()
    path.encode()


@given(path=paths, insert=st.sampled_from(["..", ".", "", "a\\b", "a\x7f"]), at=st.integers(0, 5))
def test_one_bad_segment_anywhere_is_seen(path: str, insert: str, at: int) -> None:
    parts = path.split("/")
    parts.insert(at, insert)
    with pytest.raises(InvalidProject):
        check_path("/".join(parts))


def test_the_text_of_an_error_stays_short() -> None:
    with pytest.raises(InvalidProject) as caught:
        check_path("/" + "x" * 10_000)
    assert len(str(caught.value)) < 200


# ---------------------------------------------------------------- the whole


def test_a_project_has_its_files_in_order_and_nobody_changes_them() -> None:
    made = project("b.ts", "main.ts", "a.ts")
    assert list(made.files) == ["a.ts", "b.ts", "main.ts"]
    with pytest.raises(TypeError):
        made.files["c.ts"] = "1"
    with pytest.raises(AttributeError):
        made.entrypoint = "a.ts"


def test_a_project_does_not_follow_changes_to_what_it_was_made_from() -> None:
    files = {"main.ts": "1"}
    made = Project(files, "main.ts")
    files["../x"] = "2"
    assert list(made.files) == ["main.ts"]


@given(order=st.permutations(["main.ts", "a.ts", "b/c.ts"]))
def test_projects_are_equal_in_any_order(order: list[str]) -> None:
    assert Project(dict.fromkeys(order, "1"), "main.ts") == project("main.ts", "a.ts", "b/c.ts")


def test_a_project_needs_a_file() -> None:
    with pytest.raises(InvalidProject, match=r"at least its entrypoint"):
        Project({}, "main.ts")


def test_blank_files_are_files() -> None:
    assert Project({"main.ts": ""}, "main.ts").files == {"main.ts": ""}


@pytest.mark.parity(63)
def test_too_many_files_are_refused() -> None:
    Project({f"f{n}.ts": "" for n in range(MAX_FILES)}, "f0.ts")
    with pytest.raises(InvalidProject, match=r"has 201 files and may have 200"):
        Project({f"f{n}.ts": "" for n in range(MAX_FILES + 1)}, "f0.ts")


@pytest.mark.parity(63)
@pytest.mark.parametrize("char", ["a", "é", "😀"])
def test_bytes_are_counted_not_characters(char: str) -> None:
    size = len(char.encode())
    Project({"main.ts": char * (MAX_BYTES // size)}, "main.ts")
    with pytest.raises(InvalidProject, match=r"may have 1,048,576"):
        Project({"main.ts": char * (MAX_BYTES // size), "b.ts": char}, "main.ts")


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(InvalidProject, match=r"'main.ts' is not valid text"):
        Project({"main.ts": "'\ud83d'"}, "main.ts")


def test_paths_that_differ_only_in_case_are_refused() -> None:
    with pytest.raises(InvalidProject, match=r"'(a|A).ts' and '(a|A).ts' differ only in case"):
        project("main.ts", "a.ts", "A.ts")


@pytest.mark.parametrize("file", ["src", "SRC"])
def test_a_file_where_a_folder_must_be_is_refused(file: str) -> None:
    with pytest.raises(InvalidProject, match=rf"'{file}' is a file and a folder"):
        project("main.ts", file, "src/a.ts")


@pytest.mark.parametrize("path", ["node_modules/a/index.js", "packages/a/node_modules/b.js"])
def test_dependencies_are_no_sources(path: str) -> None:
    with pytest.raises(InvalidProject, match=r"belongs to a dependency"):
        project("main.ts", path)


def test_an_invalid_project_is_invalid_input() -> None:
    with pytest.raises(InvalidInput):
        Project({}, "main.ts")


# ---------------------------------------------------------------- the entrypoint


@pytest.mark.parametrize("ending", ["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs"])
def test_an_entrypoint_is_typescript_or_javascript(ending: str) -> None:
    assert project(f"main.{ending}", entrypoint=f"main.{ending}").entrypoint == f"main.{ending}"


@pytest.mark.parametrize("path", ["main.json", "main", "main.d.ts", "main.d.mts", "main.ts.txt", "main.TS"])
def test_any_other_file_cannot_be_run(path: str) -> None:
    with pytest.raises(InvalidProject, match=r"cannot be run; it must end in one of \.ts"):
        project(path, entrypoint=path)


def test_an_entrypoint_that_is_missing_names_the_near_ones() -> None:
    with pytest.raises(
        InvalidProject, match=r"'src/mian.ts' is not among the project's files; did you mean src/main.ts\?"
    ):
        project("src/main.ts", "zzz.ts", entrypoint="src/mian.ts")


def test_an_entrypoint_that_resembles_nothing_names_what_there_is() -> None:
    with pytest.raises(InvalidProject, match=r"there are a.ts, b.ts, c.ts, d.ts, e.ts, …"):
        project(*(f"{name}.ts" for name in "abcdef"), entrypoint="0123456789")


# ---------------------------------------------------------------- dependencies


def with_dependencies(**files: str) -> Project:
    return Project({"main.ts": ""}, "main.ts", dependencies=files)


def test_dependencies_are_counted_apart() -> None:
    large = {f"node_modules/a/{n}.js": "x" * 10_000 for n in range(300)}
    assert len(with_dependencies(**large).dependencies) == 300


@pytest.mark.parametrize(
    "path", ["a.js", "src/node_modules/a.js", "node_modules", "/node_modules/a.js", "node_modules/../a.js"]
)
def test_dependencies_are_below_node_modules(path: str) -> None:
    with pytest.raises(InvalidProject):
        with_dependencies(**{path: ""})


def test_too_many_dependencies_are_refused() -> None:
    with pytest.raises(InvalidProject, match=r"5,001 files and may have 5,000"):
        with_dependencies(**{f"node_modules/a/{n}.js": "" for n in range(MAX_DEPENDENCY_FILES + 1)})


def test_too_large_dependencies_are_refused() -> None:
    with pytest.raises(
        InvalidProject, match=r"the dependencies have 20,971,530 bytes and may have 20,971,520"
    ):
        with_dependencies(**{f"node_modules/a/{n}.js": "x" * 2_097_153 for n in range(10)})
