"""Finding the ``flora dev`` that runs: what it leaves, who may read it, and which one is meant."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flora_core.errors import InvalidInput
from flora_core.running import NothingRuns, Running, all_running, choose, register, state_folder


def running(folder: Path | str, *, pid: int = 0) -> Running:
    return Running(pid or os.getpid(), str(folder), "http://127.0.0.1:1", "a-secret")


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_was_registered_is_found(tmp_path: Path) -> None:
    file = register(running("/bot"), within=tmp_path / "dev")
    assert all_running(within=tmp_path / "dev") == [running("/bot")]
    file.unlink()
    assert all_running(within=tmp_path / "dev") == []


def test_only_its_user_can_read_the_token(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        file = register(running("/bot"), within=tmp_path / "dev")
    finally:
        os.umask(old)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_file_of_before_is_replaced_and_does_not_keep_its_rights(tmp_path: Path) -> None:
    loose = tmp_path / f"{os.getpid()}.json"
    loose.write_text("old")
    loose.chmod(0o666)
    file = register(running("/bot"), within=tmp_path)
    assert file == loose
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / f"{os.getpid()}.json").symlink_to(target)
    register(running("/bot"), within=tmp_path / "dev")
    assert not target.exists()


def test_one_whose_process_is_gone_is_forgotten(tmp_path: Path) -> None:
    file = register(running("/bot", pid=dead_pid()), within=tmp_path)
    assert all_running(within=tmp_path) == []
    assert not file.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 5}', "\xff"])
def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "1.json").write_text(text, encoding="latin-1")
    register(running("/bot"), within=tmp_path)
    assert [found.folder for found in all_running(within=tmp_path)] == ["/bot"]


def test_without_a_folder_nothing_runs(tmp_path: Path) -> None:
    assert all_running(within=tmp_path / "never") == []


def test_the_token_is_in_no_text() -> None:
    assert "a-secret" not in repr(running("/bot"))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"XDG_RUNTIME_DIR": "/run/user/1", "XDG_STATE_HOME": "/s"}, "/run/user/1/flora/dev"),
        ({"XDG_STATE_HOME": "/s"}, "/s/flora/dev"),
        ({"HOME": "/home/ann"}, "/home/ann/.local/state/flora/dev"),
    ],
)
def test_where_the_files_are(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert state_folder() == Path(expected)


# ---------------------------------------------------------------- which one

ANYWHERE = Path("/elsewhere")


def test_the_only_one_is_meant_from_anywhere() -> None:
    assert choose([running("/bots/a")], here=ANYWHERE).folder == "/bots/a"


def test_of_several_the_one_around_us_is_meant() -> None:
    several = [running("/bots/a"), running("/bots/b")]
    assert choose(several, here=Path("/bots/b/src")).folder == "/bots/b"


def test_of_one_within_another_the_inner_one_is_meant() -> None:
    several = [running("/bots"), running("/bots/a"), running("/bots/ab")]
    assert choose(several, here=Path("/bots/a/src")).folder == "/bots/a"
    assert choose(several, here=Path("/bots/c")).folder == "/bots"


def test_a_folder_that_is_named_counts_alone() -> None:
    several = [running("/bots/a"), running("/bots/b")]
    assert choose(several, here=Path("/bots/b"), wanted=Path("/bots/a")).folder == "/bots/a"
    with pytest.raises(NothingRuns, match="no `flora dev` runs for /bots/c; start it: flora dev /bots/c"):
        choose(several, here=Path("/bots/b"), wanted=Path("/bots/c"))


def test_when_it_is_not_clear_the_folders_are_named() -> None:
    with pytest.raises(InvalidInput, match=r"/bots/a, /bots/b.*--project"):
        choose([running("/bots/b"), running("/bots/a")], here=ANYWHERE)


def test_two_for_the_same_folder_are_not_clear_either() -> None:
    with pytest.raises(InvalidInput, match="--project"):
        choose([running("/a", pid=1), running("/a", pid=2)], here=Path("/a"))


def test_when_nothing_runs_it_says_how_to_start_one() -> None:
    with pytest.raises(NothingRuns, match="start one: flora dev my-bot"):
        choose([], here=ANYWHERE)
