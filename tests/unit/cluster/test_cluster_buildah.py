"""Building images: what is built, in which order, and what is left of a build that fails. The programs are stand-ins."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cluster import buildah, images, machine
from cluster.errors import CannotBuild, Unavailable
from cluster.images import Recipe

DOES = """
echo "$@" >> {calls}
shift 4  # --root and --runroot
case $1 in
  images) [ -e {calls}.base ] && echo docker.io/library/debian:bookworm-slim ;;
  bud) case "$*" in *bookworm-slim*) touch {calls}.base ;; esac ;;
  push) archive=${{3#docker-archive:}}; echo image > "${{archive%%:*}}" ;;
esac
exit 0
"""


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the programs; what buildah was asked is in ``calls``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "buildah", DOES.format(calls=tmp_path / "calls"))
    program(folder / "debootstrap", 'mkdir -p "$3/usr/share/doc/apt" "$3/etc"')
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "Dockerfile").write_text("FROM scratch AS build\n")
    return Recipe("flora-one:1", tmp_path / "Dockerfile", tmp_path, (), stages=("build",))


def calls(tools: Path) -> list[str]:
    """The commands of buildah, without where its storage is."""
    return [line.split(maxsplit=4)[4] for line in (tools.parent / "calls").read_text().splitlines()]


def test_the_base_comes_first_then_the_stage_to_keep_then_the_image(tools: Path, recipe: Recipe) -> None:
    said: list[str] = []
    (archive,) = buildah.build([recipe], say=said.append)
    assert archive == recipe.archive()
    assert archive.read_text() == "image\n"
    done = calls(tools)
    assert [command.split()[0] for command in done] == ["images", "bud", "bud", "bud", "push", "rmi"]
    assert "--tag docker.io/library/debian:bookworm-slim" in done[1]
    assert "--target build --tag flora-one-build" in done[2]
    assert "--tag flora-one:1" in done[3]
    assert all("--isolation chroot --pull-never" in command for command in done[2:4])
    assert done[4].endswith(":docker.io/library/flora-one:1")
    assert said[0] == "making the base image debian:bookworm-slim of Debian's packages, once"
    assert said[1] == "building flora-one:1"
    assert said[2].startswith("built flora-one:1 in ")


def test_what_is_in_the_cache_is_not_built_again(tools: Path, recipe: Recipe) -> None:
    buildah.build([recipe], say=str)
    before = calls(tools)
    said: list[str] = []
    buildah.build([recipe], say=said.append)
    assert calls(tools) == before
    assert said == []


def test_another_source_is_built_on_the_same_base(tools: Path, recipe: Recipe) -> None:
    buildah.build([recipe], say=str)
    recipe.dockerfile.write_text("FROM scratch AS other\n")
    said: list[str] = []
    buildah.build([recipe], say=said.append)
    assert said[0] == "building flora-one:1"
    assert len(list(images.cache().glob("flora-one-1-*.tar"))) == 2


def test_a_build_that_fails_leaves_no_archive_and_shows_the_end_of_what_was_written(
    tools: Path, recipe: Recipe
) -> None:
    program(tools / "buildah", 'case "$*" in *bud*) echo "STEP 3: no such package"; exit 100 ;; esac')
    with pytest.raises(CannotBuild, match=r"buildah failed with 100(.|\n)*STEP 3: no such package"):
        buildah.build([recipe], say=str)
    assert list(images.cache().glob("*.tar")) == []
    assert list(images.cache().glob("*.new")) == []


def test_an_archive_that_was_not_finished_is_none(tools: Path, recipe: Recipe) -> None:
    program(
        tools / "buildah",
        "for last; do :; done; archive=${last#docker-archive:}; "
        'case "$*" in *push*) echo half > "${archive%%:*}"; exit 1 ;; esac',
    )
    with pytest.raises(CannotBuild):
        buildah.build([recipe], say=str)
    assert not recipe.archive().exists()
    assert list(images.cache().glob("*.new")) == []


def test_what_takes_too_long_is_ended(tools: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buildah, "SECONDS", 0.2)
    program(tools / "buildah", "sleep 60")
    with pytest.raises(CannotBuild, match=r"buildah was not done within 0\.2 s"):
        buildah.build([recipe], say=str)


def test_without_the_programs_it_says_which_and_who_may_install_them(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable, match="what Debian has as buildah debootstrap; install it as root"):
        buildah.build([recipe], say=str)
