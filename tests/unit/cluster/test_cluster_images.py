"""What images are made of, when they are fresh, and what their Dockerfiles have in common."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

import pytest

from cluster import images
from cluster.errors import Unavailable
from cluster.images import BASE, COMPONENTS, ROOT, Recipe, components, stores

WHEEL = Path("dist/flora-0.1.0-py3-none-any.whl")
DOCKERFILES = [ROOT / folder / "Dockerfile" for folder in COMPONENTS.values()]
ids = list(COMPONENTS)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "data").write_text("1")
    return Recipe("flora-one:1", tmp_path / "Dockerfile", tmp_path, (tmp_path / "data",))


def test_an_image_is_named_after_its_component_and_flora_s_version() -> None:
    (gateway,) = components(WHEEL, ["gateway"])
    assert gateway.name == f"flora-gateway:{images.version()}"
    assert gateway.full_name == f"docker.io/library/flora-gateway:{images.version()}"
    assert gateway.dockerfile == ROOT / "gateway_pod" / "Dockerfile"


def test_a_component_that_there_is_not_is_told_with_those_there_are() -> None:
    with pytest.raises(
        Unavailable, match="no image web; there are gateway, operator, runtime, api, simulator"
    ):
        components(WHEEL, ["web"])


def test_the_same_sources_have_the_same_address(recipe: Recipe) -> None:
    assert recipe.address() == recipe.address()
    assert re.fullmatch("[0-9a-f]{16}", recipe.address())


@pytest.mark.parametrize("name", ["Dockerfile", "data"])
def test_any_change_makes_another_address(recipe: Recipe, name: str) -> None:
    before = recipe.address()
    (recipe.context / name).write_text("2")
    assert recipe.address() != before


def wheel_of(folder: Path, **packages: str) -> Path:
    """A wheel with one module in each of ``packages``."""
    wheel = folder / WHEEL.name
    with zipfile.ZipFile(wheel, "w") as archive:
        for package, source in packages.items():
            archive.writestr(f"{package}/__init__.py", source)
        archive.writestr("flora-0.1.0.dist-info/RECORD", repr(packages))
    return wheel


def changed(tmp_path: Path, **packages: str) -> set[str]:
    """Components whose images are others when ``packages`` are."""
    before = {"flora_api": "1", "flora_core": "1", "flora_runtime": "1", "flora_sdk": "1", "flora_cli": "1"}
    addresses = [
        {recipe.name: recipe.address() for recipe in components(wheel_of(tmp_path, **sources))}
        for sources in (before, before | packages)
    ]
    names = {f"flora-{name}:{images.version()}": name for name in COMPONENTS}
    return {names[name] for name in addresses[0] if addresses[0][name] != addresses[1][name]}


def test_a_change_of_code_concerns_the_images_that_have_it(tmp_path: Path) -> None:
    assert changed(tmp_path, flora_api="2") == {"api"}
    assert changed(tmp_path, flora_sdk="2") == {"api", "operator", "runtime"}
    assert changed(tmp_path, flora_core="2") == set(COMPONENTS)
    assert changed(tmp_path, flora_cli="2") == set()


@pytest.mark.parametrize("path", DOCKERFILES, ids=ids)
def test_a_dockerfile_says_which_packages_it_keeps(path: Path) -> None:
    kept = images.kept_packages(path.read_text())
    program = re.findall(r'^ENTRYPOINT \["flora-(\w+)"\]$', path.read_text(), re.MULTILINE)[0]
    assert {f"flora_{program}", "flora_core"} <= kept


def test_a_dockerfile_that_does_not_say_so_is_not_built() -> None:
    with pytest.raises(Unavailable, match="which packages"):
        images.kept_packages("FROM scratch")


def test_archives_are_kept_outside_the_repository_under_their_address(recipe: Recipe) -> None:
    assert recipe.archive().parent == images.cache()
    assert recipe.archive().name == f"flora-one-1-{recipe.address()}.tar"


def test_the_archives_that_were_used_longest_ago_go(recipe: Recipe) -> None:
    images.cache().mkdir(parents=True)
    archives = [images.cache() / f"flora-one-1-{number:016x}.tar" for number in range(5)]
    for used, archive in enumerate(archives):
        archive.touch()
        os.utime(archive, (used, used))
    other = images.cache() / f"flora-one-more-1-{0:016x}.tar"
    other.touch()
    images.forget_oldest(recipe)
    assert sorted(images.cache().iterdir()) == sorted([*archives[-images.KEPT :], other])


def test_every_store_has_a_recipe_of_all_that_is_in_its_folder() -> None:
    by_name = {recipe.name: recipe for recipe in stores()}
    assert list(by_name) == ["flora-test-postgres:1", "flora-test-redis:1"]
    postgres = by_name["flora-test-postgres:1"]
    assert [path.name for path in postgres.files] == ["start.sh"]


# ---------------------------------------------------------------- Dockerfiles


@pytest.mark.parametrize("path", DOCKERFILES, ids=ids)
def test_a_dockerfile_takes_its_base_as_an_argument(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert f"ARG BASE={BASE}" in lines
    assert re.findall(r"^FROM (.*)$", path.read_text(), re.MULTILINE) == [
        "${BASE} AS python",
        "python AS build",
        "python",
    ]


@pytest.mark.parametrize("path", DOCKERFILES, ids=ids)
def test_a_dockerfile_runs_its_program_as_nobody_in_particular(path: Path) -> None:
    last = path.read_text().rpartition("FROM python\n")[2]
    assert "\nUSER 65532:65532\n" in last
    assert re.search(r'^ENTRYPOINT \["flora-\w+"\]$', last, re.MULTILINE)


@pytest.mark.parametrize("path", DOCKERFILES, ids=ids)
def test_dependencies_come_from_the_lock_with_their_hashes_and_before_the_code(path: Path) -> None:
    text = path.read_text()
    assert "--require-hashes \\\n      --constraint requirements.lock --requirement pyproject.toml" in text
    assert text.index("--requirement pyproject.toml") < text.index("COPY dist/")


def test_the_images_share_the_layers_below_their_dependencies() -> None:
    """What is written the same is built once."""
    starts = {path.read_text().partition("ARG BASE")[2].partition("VIRTUAL_ENV")[0] for path in DOCKERFILES}
    assert len(starts) == 1


def test_nothing_goes_into_a_build_but_the_wheel_and_the_lock() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert [line for line in ignored if line and not line.startswith("#")] == [
        "*",
        "!dist/flora-*.whl",
        "!pyproject.toml",
        "!requirements.lock",
    ]
    copied = {
        name
        for path in DOCKERFILES
        for name in re.findall(r"^COPY (?!--)(.*) \S+$", path.read_text(), re.MULTILINE)
    }
    assert copied == {"pyproject.toml requirements.lock", "dist/flora-*.whl"}
