"""What ``flora dev`` is given to deploy: folders and documents on disk, and the changes it hears of."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flora_core.errors import InvalidInput, InvalidProject
from flora_core.ids import GuildId
from flora_core.wire.control import Limits
from flora_dev.sources import FolderSource, ManifestSource, Wanted, changes

PATIENCE = 5.0


def document(guild: str, **spec: Any) -> str:
    source = {"files": {"src/main.ts": f"console.log({guild})"}}
    return msgspec.yaml.encode(
        {
            "apiVersion": "flora.uwu.network/v1alpha1",
            "kind": "GuildDeployment",
            "metadata": {"name": f"guild-{guild}"},
            "spec": {"guildId": guild, "source": source, **spec},
        }
    ).decode()


@pytest.fixture
def guilds(tmp_path: Path) -> Path:
    folder = tmp_path / "guilds"
    folder.mkdir()
    return folder


def wanted(folder: Path) -> dict[str, Wanted]:
    """By guild; those without one under their name."""
    return {w.name if w.guild == "0" else w.guild: w for w in ManifestSource(folder).wanted()}


# ---------------------------------------------------------------- documents


def test_every_document_of_every_file_is_a_guild(guilds: Path) -> None:
    (guilds / "a.yaml").write_text(document("1") + "---\n" + document("2"))
    (guilds / "b.yml").write_text("---\n" + document("3") + "---\n")
    (guilds / "c.json").write_text(
        '{"apiVersion": "flora.uwu.network/v1alpha1", "kind": "GuildDeployment", "metadata": {"name": "guild-4"}, "spec": {"guildId": "4", "source": {"files": {"src/main.ts": ""}}}}'
    )
    assert list(wanted(guilds)) == ["1", "2", "3", "4"]
    assert not any(entry.problem for entry in wanted(guilds).values())


def test_other_files_and_folders_are_nobodys_documents(guilds: Path) -> None:
    for name in ("README.md", "a.yaml~", ".a.yaml.swp", "#a.yaml#", "a.yaml.tmp", "yaml"):
        (guilds / name).write_text("kind: [")
    (guilds / "folder.yaml").mkdir()
    (guilds / "folder.yaml" / "b.yaml").write_text(document("1"))
    (guilds / "empty.yaml").write_text("")
    assert wanted(guilds) == {}


def test_a_document_gives_its_project_and_limits(guilds: Path) -> None:
    limits = {"cpuMilliseconds": 50, "memoryMebibytes": 32}
    source = {"entrypoint": "bot.ts", "files": {"bot.ts": "run()"}}
    (guilds / "a.yaml").write_text(document("1", limits=limits, source=source))
    entry = wanted(guilds)["1"]
    assert (entry.name, entry.limits, entry.hibernates) == ("guild-1", Limits(50, 32), True)
    assert entry.read is not None
    assert (entry.read().entrypoint, dict(entry.read().files)) == ("bot.ts", {"bot.ts": "run()"})


def test_an_entrypoint_that_is_no_file_of_the_document_is_told_when_it_is_read(guilds: Path) -> None:
    (guilds / "a.yaml").write_text(document("1", source={"entrypoint": "no.ts", "files": {"bot.ts": ""}}))
    read = wanted(guilds)["1"].read
    assert read is not None
    with pytest.raises(InvalidProject, match=r"no\.ts"):
        read()


def test_a_suspended_guild_has_nothing_to_read_and_no_problem(guilds: Path) -> None:
    (guilds / "a.yaml").write_text(document("1", suspend=True))
    assert (wanted(guilds)["1"].read, wanted(guilds)["1"].problem) == (None, "")


@pytest.mark.parametrize(
    "source", [{"configMapRef": {"name": "x"}}, {"bundleRef": {"sha256": "ab" * 32}}], ids=["map", "bundle"]
)
def test_what_only_a_cluster_can_run_says_so_under_its_guild(guilds: Path, source: dict[str, Any]) -> None:
    (guilds / "a.yaml").write_text(document("1", source=source))
    assert "need a cluster" in wanted(guilds)["1"].problem


BROKEN = {
    "no YAML": ("kind: [", "a.yaml: not YAML"),
    "tabs": ("kind:\n\t- x", "a.yaml: not YAML"),
    "a list": ("- kind: x", "a.yaml: a document should be a mapping"),
    "a text": ("hello", "a.yaml: a document should be a mapping"),
    "another kind": (
        document("1").replace("GuildDeployment", "Pod"),
        "a.yaml: this is Pod of flora.uwu.network/v1alpha1",
    ),
    "an id that is a number": (
        document("1").replace("guildId: '1'", "guildId: 1"),
        "a.yaml: spec.guildId: Ex",
    ),
    "a date where a text should be": (
        document("1").replace("guild-1", "2024-01-01"),
        "a.yaml: metadata.name: Expected `str`",
    ),
    "an unknown tag": ("!python/object:os.system {}", "a.yaml: not YAML"),
    "a second broken one": (document("1") + "---\n[]", "a.yaml#2: a document should be"),
}


@pytest.mark.parametrize(("text", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_wrong_document_is_one_line_that_names_its_file(guilds: Path, text: str, problem: str) -> None:
    (guilds / "a.yaml").write_text(text)
    (guilds / "good.yaml").write_text(document("7"))
    *others, last = ManifestSource(guilds).wanted()
    assert last.problem.startswith(problem)
    assert "\n" not in last.problem
    assert "7" in {entry.guild for entry in others}, "its neighbour is not disturbed"


def test_bytes_that_are_no_text_are_a_problem_of_their_file(guilds: Path) -> None:
    (guilds / "a.yaml").write_bytes(b"\xff\xfe\x00")
    assert "not YAML" in wanted(guilds)["a.yaml"].problem


def test_of_two_documents_for_a_guild_the_first_counts(guilds: Path) -> None:
    (guilds / "a.yaml").write_text(document("1", limits={"cpuMilliseconds": 11}))
    (guilds / "b.yaml").write_text(document("1", limits={"cpuMilliseconds": 22}))
    found = wanted(guilds)
    assert found["1"].limits.cpu_milliseconds == 11
    assert found["b.yaml"].problem == "b.yaml: guild 1 has a document already"


def test_a_document_that_was_broken_and_is_mended_is_read_anew(guilds: Path) -> None:
    source = ManifestSource(guilds)
    (guilds / "a.yaml").write_text("kind: [")
    assert [entry.guild for entry in source.wanted()] == ["0"]
    (guilds / "a.yaml").write_text(document("1"))
    assert [(entry.guild, entry.problem) for entry in source.wanted()] == [("1", "")]
    (guilds / "a.yaml").unlink()
    assert source.wanted() == []


# ---------------------------------------------------------------- folders


def test_a_folder_is_one_guild_read_when_it_is_asked_for(tmp_path: Path) -> None:
    source = FolderSource(tmp_path, GuildId("1"), entrypoint="a.ts")
    (only,) = source.wanted()
    assert (only.guild, only.name) == ("1", tmp_path.name)
    assert only.read is not None
    with pytest.raises(InvalidProject):
        only.read()
    (tmp_path / "a.ts").write_text("run()")
    assert dict(only.read().files) == {"a.ts": "run()"}


@pytest.mark.parametrize("make", [ManifestSource, lambda folder: FolderSource(folder, GuildId("1"))])
def test_what_is_no_folder_is_told_at_once(tmp_path: Path, make: Callable[[Path], object]) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InvalidInput, match=r"there is no folder .*nowhere; `flora init .*nowhere` makes one"):
        make(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match="file is a file; name the folder it is in"):
        make(file)


# ---------------------------------------------------------------- watching


class Watched:
    """Counts the changes that were heard of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard = 0

    async def watch(self) -> None:
        async for _ in changes(self.folder):
            self.heard += 1

    async def hears(self, act: Callable[[], object]) -> bool:
        """Whether a change is heard of after ``act``, before one that is made to be heard of."""
        before = self.heard
        await asyncio.to_thread(act)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while self.heard == before:
                    await asyncio.sleep(0.005)
        return self.heard > before


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    folder = tmp_path / "bot"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.ts").write_text("one")
    watched = Watched(folder)
    task = asyncio.create_task(watched.watch())
    async with asyncio.timeout(PATIENCE):
        while not watched.heard:  # until the watch is there
            (folder / "start.ts").write_text(str(asyncio.get_running_loop().time()))
            await asyncio.sleep(0.02)
    await settled(watched)
    yield watched
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def settled(watched: Watched) -> None:
    """What was changed so far has been heard of: the quiet time of the watch passes without a change."""
    async with asyncio.timeout(PATIENCE):
        quiet = 0
        while quiet < 5:
            before = watched.heard
            await asyncio.sleep(0.05)
            quiet = quiet + 1 if watched.heard == before else 0


HEARD: dict[str, Callable[[Path], object]] = {
    "a change": lambda folder: (folder / "src" / "main.ts").write_text("two"),
    "a new file": lambda folder: (folder / "src" / "new.ts").write_text(""),
    "a deleted file": lambda folder: (folder / "src" / "main.ts").unlink(),
    "a renamed file": lambda folder: (folder / "src" / "main.ts").rename(folder / "src" / "index.ts"),
    "a file in a new folder": lambda folder: (
        (folder / "lib").mkdir(),
        (folder / "lib" / "a.ts").write_text("x"),
    ),
    "an editor's way: write beside, then replace": lambda folder: (
        (folder / "src" / "main.ts.new").write_text("two"),
        os.replace(folder / "src" / "main.ts.new", folder / "src" / "main.ts"),  # noqa: PTH105
    ),
    "tsconfig.json": lambda folder: (folder / "tsconfig.json").write_text("{}"),
}


@pytest.mark.parametrize("act", HEARD.values(), ids=HEARD)
async def test_what_an_author_does_is_heard(watched: Watched, act: Callable[[Path], object]) -> None:
    assert await watched.hears(lambda: act(watched.folder))


@pytest.mark.parametrize(
    "path",
    [
        "src/main.ts~",
        "src/.main.ts.swp",
        "node_modules/x/index.js",
        ".git/index",
        ".flora/flora.d.ts",
        "dist/a.js",
    ],
)
async def test_what_tools_write_is_not(watched: Watched, path: str) -> None:
    target = watched.folder / path

    def write() -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("x")

    await asyncio.to_thread(write)
    await settled(watched)
    before = watched.heard
    await asyncio.to_thread(target.write_text, "y")
    await settled(watched)
    assert watched.heard == before
    assert await watched.hears(lambda: (watched.folder / "src" / "main.ts").write_text("two"))


async def test_many_files_written_together_are_few_changes(watched: Watched) -> None:
    def write() -> None:
        for number in range(40):
            (watched.folder / "src" / f"file{number}.ts").write_text("x")

    before = watched.heard
    assert await watched.hears(write)
    await settled(watched)
    assert watched.heard - before < 10


@pytest.mark.parametrize("text", ["a: 2024-13-45", "a: !!int x", "a: !!bool foo", "[" * 5000])
def test_values_that_yaml_cannot_make_are_a_problem_of_their_file(guilds: Path, text: str) -> None:
    (guilds / "odd.yaml").write_text(text)
    (guilds / "good.yaml").write_text(document("1"))
    found = wanted(guilds)
    assert "not YAML" in found.pop("odd.yaml").problem
    assert list(found) == ["1"]


def test_guilds_of_a_file_that_breaks_for_a_moment_go_on(guilds: Path) -> None:
    file = guilds / "a.yaml"
    file.write_text(document("1") + "---\n" + document("2"))
    source = ManifestSource(guilds)
    assert [entry.guild for entry in source.wanted()] == ["1", "2"]
    file.write_text(document("1") + "---\n{")
    found = source.wanted()
    assert [entry.guild for entry in found if not entry.problem] == ["1", "2"]
    assert len([entry for entry in found if entry.problem]) == 1
    file.write_text(document("2"))
    assert [entry.guild for entry in source.wanted()] == ["2"]
    file.unlink()
    assert source.wanted() == []
