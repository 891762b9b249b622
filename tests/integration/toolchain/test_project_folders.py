"""Projects read from a folder: what is taken, what is left, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from v8_process import V8

from flora_core.errors import InvalidProject
from flora_core.toolchain import Project, Toolchain
from flora_core.toolchain.paths import MAX_BYTES, MAX_DEPENDENCY_BYTES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "script"
    root.mkdir()
    return root


def text(root: Path, path: str, content: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)


def write(root: Path, *paths: str) -> None:
    """Files with nothing of interest in them."""
    for path in paths:
        text(root, path, "1")


def read(root: Path) -> list[str]:
    return list(Project.from_folder(root).files)


def test_sources_and_json_are_read_and_nothing_else(folder: Path) -> None:
    write(
        folder,
        "src/main.ts",
        "src/a.tsx",
        "src/b.js",
        "src/c.d.ts",
        "src/d.mts",
        "data/e.json",
        "tsconfig.json",
    )
    write(folder, "README.md", "src/logo.png", ".env", ".eslintrc.json", "Makefile", "package-lock.json")
    assert read(folder) == [
        "data/e.json", "src/a.tsx", "src/b.js", "src/c.d.ts", "src/d.mts", "src/main.ts", "tsconfig.json",
    ]  # fmt: skip


@pytest.mark.parity(104)
def test_output_dependencies_and_hidden_folders_are_left_out(folder: Path) -> None:
    write(folder, "src/main.ts", "src/build/mine.ts", "src/out.ts")
    write(folder, "node_modules/a/index.js", "dist/x.js", "build/x.js", "out/x.js", "coverage/x.js")
    write(folder, ".git/x.js", ".flora/x.ts", "src/.cache/x.ts", "packages/a/node_modules/b/x.js")
    assert read(folder) == ["src/build/mine.ts", "src/main.ts", "src/out.ts"]


@pytest.mark.parity(104)
def test_what_gitignore_names_stays_at_home(folder: Path) -> None:
    write(folder, "src/main.ts", "src/secrets.json", "generated/a.ts", "keys/b.json", "keys/public.json")
    text(folder, ".gitignore", "# keys\nsecrets.json\n/generated/\nkeys/*\n!keys/public.json\n")
    assert read(folder) == ["keys/public.json", "src/main.ts"]


@pytest.mark.parametrize(
    "path", ["src/main.ts", "main.ts", "src/index.ts", "index.ts", "src/main.js", "index.js"]
)
def test_the_entrypoint_is_found_by_its_name(folder: Path, path: str) -> None:
    write(folder, path, "other.ts")
    assert Project.from_folder(folder).entrypoint == path


def test_of_two_entrypoints_the_usual_one_is_taken(folder: Path) -> None:
    write(folder, "index.js", "src/index.ts", "main.ts", "src/main.ts")
    assert Project.from_folder(folder).entrypoint == "src/main.ts"


@pytest.mark.parametrize("given", ["src/bot.ts", "./src/bot.ts", "src//bot.ts"])
def test_an_entrypoint_may_be_given(folder: Path, given: str) -> None:
    write(folder, "src/main.ts", "src/bot.ts")
    assert Project.from_folder(folder, given).entrypoint == "src/bot.ts"
    assert Project.from_folder(folder, str(folder / "src/bot.ts")).entrypoint == "src/bot.ts"


def test_a_given_entrypoint_that_is_not_there_names_the_near_one(folder: Path) -> None:
    write(folder, "src/main.ts")
    with pytest.raises(InvalidProject, match=r"'src/mian.ts' is not among .* did you mean src/main.ts\?"):
        Project.from_folder(folder, "src/mian.ts")


def test_a_folder_that_is_not_there_a_file_and_an_empty_folder_say_what_to_do(folder: Path) -> None:
    with pytest.raises(InvalidProject, match=r"there is no folder .*flora init"):
        Project.from_folder(folder / "nope")
    write(folder, "a.ts")
    with pytest.raises(InvalidProject, match=r"is a file; give the folder"):
        Project.from_folder(folder / "a.ts")
    with pytest.raises(
        InvalidProject, match=r"looked for src/main.ts, main.ts, src/index.ts, index.ts, src/main.js"
    ):
        Project.from_folder(folder)


def test_a_link_inside_the_folder_is_followed(folder: Path) -> None:
    write(folder, "src/main.ts", "shared/a.ts")
    (folder / "src/shared").symlink_to("../shared")
    (folder / "src/b.ts").symlink_to("../shared/a.ts")
    assert read(folder) == ["shared/a.ts", "src/b.ts", "src/main.ts", "src/shared/a.ts"]


@pytest.mark.parametrize("target", ["../../outside", "../..", "/etc"])
def test_a_link_that_leaves_the_folder_is_refused(folder: Path, target: str) -> None:
    write(folder, "src/main.ts")
    write(folder.parent, "outside/a.ts")
    (folder / "src/away").symlink_to(target)
    with pytest.raises(InvalidProject, match=r"'src/away' is a link that leaves the folder"):
        Project.from_folder(folder)


def test_a_link_to_a_file_outside_is_refused(folder: Path) -> None:
    write(folder, "src/main.ts")
    write(folder.parent, "secret.json")
    (folder / "src/x.json").symlink_to(folder.parent / "secret.json")
    with pytest.raises(InvalidProject, match=r"'src/x.json' is a link that leaves the folder"):
        Project.from_folder(folder)


def test_links_in_a_circle_end(folder: Path) -> None:
    write(folder, "src/main.ts", "a/x.ts", "b/y.ts")
    (folder / "a/up").symlink_to("..")
    (folder / "a/b").symlink_to("../b")
    (folder / "b/a").symlink_to("../a")
    assert "src/main.ts" in read(folder)


def test_a_folder_that_is_itself_reached_by_a_link(folder: Path) -> None:
    write(folder, "src/main.ts")
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert read(link) == ["src/main.ts"]


def test_a_pipe_with_a_source_files_name_is_not_read(folder: Path) -> None:
    write(folder, "src/main.ts")
    os.mkfifo(folder / "src/pipe.ts")
    assert read(folder) == ["src/main.ts"]


def test_a_file_that_is_not_utf8_is_named(folder: Path) -> None:
    write(folder, "src/main.ts")
    (folder / "src/latin.ts").write_bytes(b"// caf\xe9")
    with pytest.raises(InvalidProject, match=r"'src/latin.ts' is not UTF-8"):
        Project.from_folder(folder)


def test_too_many_files_are_refused_before_they_are_read(folder: Path) -> None:
    write(folder, "src/main.ts", *(f"src/f{n}.ts" for n in range(200)))
    with pytest.raises(InvalidProject, match=r"201 source files .* may have 200"):
        Project.from_folder(folder)


def test_a_large_file_is_refused_before_it_is_read(folder: Path) -> None:
    write(folder, "src/main.ts")
    with (folder / "src/data.json").open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(InvalidProject, match=rf"may have {MAX_BYTES:,}; the largest is src/data.json"):
        Project.from_folder(folder)


def test_somebodys_home_folder_is_no_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flora_core.toolchain.files.MAX_ENTRIES", 20)
    write(folder, *(f"photos/{n}.png" for n in range(30)))
    with pytest.raises(InvalidProject, match=r"too much below"):
        Project.from_folder(folder)


# ---------------------------------------------------------------- npm packages


def package(root: Path, path: str, *, code: str = "module.exports = 1", **manifest: object) -> None:
    text(root, f"{path}/package.json", json.dumps({"name": path.rpartition("/")[2], **manifest}))
    text(root, f"{path}/index.js", code)


def dependencies(root: Path) -> list[str]:
    return [path for path in Project.from_folder(root).dependencies if path.endswith("index.js")]


def needing(root: Path, *names: str) -> None:
    text(root, "src/main.ts", "1")
    text(root, "package.json", json.dumps({"dependencies": dict.fromkeys(names, "*")}))


def test_only_packages_that_are_asked_for_are_read_and_what_they_need(folder: Path) -> None:
    needing(folder, "a", "@scope/b", "missing")
    package(folder, "node_modules/a", dependencies={"c": "1"})
    package(folder, "node_modules/@scope/b", peerDependencies={"a": "1", "absent": "1"})
    package(folder, "node_modules/c")
    package(folder, "node_modules/unused")
    text(folder, "node_modules/a/README.md", "x")
    text(folder, "node_modules/a/index.js.map", "{}")
    assert dependencies(folder) == [
        "node_modules/@scope/b/index.js", "node_modules/a/index.js", "node_modules/c/index.js",
    ]  # fmt: skip


def test_without_a_package_json_no_package_is_read(folder: Path) -> None:
    write(folder, "src/main.ts")
    package(folder, "node_modules/a")
    assert Project.from_folder(folder).dependencies == {}


@pytest.mark.parametrize(
    "manifest", ["{", "[]", '{"dependencies": 1}', '{"dependencies": {"../../x": "1", "..": "1", "": "1"}}']
)
def test_a_strange_package_json_asks_for_nothing(folder: Path, manifest: str) -> None:
    text(folder, "src/main.ts", "1")
    text(folder, "package.json", manifest)
    write(folder.parent, "x/index.js")
    assert Project.from_folder(folder).dependencies == {}


def test_types_of_a_package_come_along(folder: Path) -> None:
    needing(folder, "a", "@s/b")
    package(folder, "node_modules/a")
    package(folder, "node_modules/@types/a")
    package(folder, "node_modules/@types/s__b")
    package(folder, "node_modules/@types/node")
    assert [path for path in dependencies(folder) if "@types" in path] == [
        "node_modules/@types/a/index.js", "node_modules/@types/s__b/index.js",
    ]  # fmt: skip


def test_two_versions_of_a_package_stay_apart(folder: Path) -> None:
    needing(folder, "a", "b")
    package(folder, "node_modules/a", dependencies={"b": "2"}, code="module.exports = require('b')")
    package(folder, "node_modules/b", code="module.exports = 1")
    package(folder, "node_modules/a/node_modules/b", code="module.exports = 2")
    assert dependencies(folder) == [
        "node_modules/a/index.js", "node_modules/a/node_modules/b/index.js", "node_modules/b/index.js",
    ]  # fmt: skip


async def test_pnpms_tree_of_links_is_bundled_like_npms(folder: Path, v8: V8) -> None:
    needing(folder, "a", "b")
    text(folder, "src/main.ts", "import a from 'a'; import b from 'b'; globalThis.out = [a, b];")
    store = folder / "node_modules/.pnpm"
    package(
        store,
        "a@1/node_modules/a",
        dependencies={"b": "2", "c": "1"},
        code="module.exports = [require('b'), require('c')]",
    )
    package(store, "b@1/node_modules/b", code="module.exports = 'b1'")
    package(store, "b@2/node_modules/b", code="module.exports = 'b2'")
    package(store, "c@1/node_modules/c", dependencies={"b": "1"}, code="module.exports = require('b')")
    for link, target in {
        "node_modules/a": "a@1/node_modules/a",
        "node_modules/b": "b@1/node_modules/b",
        "node_modules/.pnpm/a@1/node_modules/b": "b@2/node_modules/b",
        "node_modules/.pnpm/a@1/node_modules/c": "c@1/node_modules/c",
        "node_modules/.pnpm/c@1/node_modules/b": "b@1/node_modules/b",
    }.items():
        (folder / link).symlink_to(store / target)
    project = Project.from_folder(folder)
    assert [path for path in project.dependencies if path.endswith(".js")] == [
        "node_modules/a/index.js",
        "node_modules/a/node_modules/b/index.js",
        "node_modules/b/index.js",
        "node_modules/c/index.js",
    ]
    async with Toolchain() as tools:
        built = await tools.bundle(project)
    assert v8.value(built.bundle.code, of="out") == [["b2", "b1"], "b1"]


def test_a_package_outside_the_folder_is_refused(folder: Path) -> None:
    needing(folder, "a")
    package(folder.parent, "elsewhere/a")
    (folder / "node_modules").mkdir()
    (folder / "node_modules/a").symlink_to(folder.parent / "elsewhere/a")
    with pytest.raises(InvalidProject, match=r"the package 'a' is a link that leaves the folder"):
        Project.from_folder(folder)


def test_packages_that_need_each_other_are_read_once(folder: Path) -> None:
    needing(folder, "a")
    package(folder, "node_modules/a", dependencies={"b": "1"})
    package(folder, "node_modules/b", dependencies={"a": "1"})
    assert len(dependencies(folder)) == 2


def test_packages_of_too_many_bytes_are_refused_before_they_are_read(folder: Path) -> None:
    needing(folder, "a")
    package(folder, "node_modules/a")
    with (folder / "node_modules/a/big.js").open("wb") as file:
        file.truncate(MAX_DEPENDENCY_BYTES)
    with pytest.raises(InvalidProject, match=r"5,000 files or 20 MiB .*node_modules/a"):
        Project.from_folder(folder)


def deployed(root: Path) -> Project:
    return Project.from_folder(root, deployed=True)


def test_a_deploy_takes_no_tests(folder: Path) -> None:
    write(
        folder,
        "src/main.ts",
        "src/main.test.ts",
        "src/a.spec.tsx",
        "src/test.ts",
        "src/api.spec.json",
        "contest.ts",
    )
    project = deployed(folder)
    assert list(project.files) == ["contest.ts", "src/api.spec.json", "src/main.ts", "src/test.ts"]
    assert project.left_out == ("src/a.spec.tsx", "src/main.test.ts")
    assert {"src/main.test.ts", "src/a.spec.tsx"} <= set(read(folder))


def test_a_deploy_that_starts_at_a_test_takes_that(folder: Path) -> None:
    write(folder, "src/main.test.ts", "src/other.test.ts")
    project = Project.from_folder(folder, "src/main.test.ts", deployed=True)
    assert (list(project.files), project.left_out) == (["src/main.test.ts"], ("src/other.test.ts",))


def test_floraignore_keeps_from_a_deploy_what_tests_still_have(folder: Path) -> None:
    write(folder, "src/main.ts", "fixtures/a.json", "fixtures/deep/b.json", "src/draft.ts")
    text(folder, ".floraignore", "fixtures/\ndraft.*\n")
    assert list(deployed(folder).files) == ["src/main.ts"]
    assert read(folder) == ["fixtures/a.json", "fixtures/deep/b.json", "src/draft.ts", "src/main.ts"]


def test_floraignore_brings_back_what_git_does_not_keep(folder: Path) -> None:
    write(folder, "src/main.ts", "src/generated/api.ts", "src/generated/notes.ts")
    text(folder, ".gitignore", "src/generated/*\n")
    text(folder, ".floraignore", "!src/generated/api.ts\n")
    assert list(deployed(folder).files) == ["src/generated/api.ts", "src/main.ts"]
    assert read(folder) == ["src/generated/api.ts", "src/main.ts"]


def test_tests_do_not_count_towards_what_may_be_deployed(folder: Path) -> None:
    write(folder, "src/main.ts", *(f"src/a{number}.test.ts" for number in range(200)))
    assert list(deployed(folder).files) == ["src/main.ts"]
    with pytest.raises(InvalidProject, match=r"\.gitignore or \.floraignore"):
        read(folder)


def test_packages_come_along_though_package_json_does_not(folder: Path) -> None:
    write(folder, "node_modules/a/index.js")
    text(folder, "src/main.ts", 'import "a";')
    text(folder, "package.json", json.dumps({"dependencies": {"a": "1"}}))
    text(folder, "node_modules/a/package.json", json.dumps({"name": "a", "version": "1.0.0"}))
    text(folder, ".floraignore", "package.json\n")
    project = deployed(folder)
    assert list(project.files) == ["src/main.ts"]
    assert "node_modules/a/index.js" in project.dependencies
