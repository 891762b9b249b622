"""Building images without a daemon: buildah, on a base that debootstrap makes.

Both work where there are no namespaces to be had (``--isolation chroot``), and no registry: the base is
Debian's packages under the name that the Dockerfiles begin with. Layers are kept in the cache, but only those
that the next build begins with.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from cluster import images, machine
from cluster.build import alone
from cluster.errors import CannotBuild
from cluster.images import BASE, Recipe

RELEASE: Final = "bookworm"
NEEDLESS: Final = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")
"""What Debian's slim images leave out too, and what apt fetches again."""

SECONDS: Final = 900.0
"""A base takes half a minute, an image with nothing cached as long."""

LAST_LINES: Final = 25
AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
"""This machine's: it may know some that Debian does not, of a proxy say."""

AUTHORITIES_WITHIN: Final = "/run/ca-bundle.crt"

Say = Callable[[str], object]


def build(recipes: Iterable[Recipe], *, say: Say) -> list[Path]:
    """The archives of ``recipes``, built where they are not in the cache.

    Raises Unavailable where buildah is not to be had, and CannotBuild with the end of its output. Blocks.
    """
    cache = images.cache()
    cache.mkdir(parents=True, exist_ok=True)
    archives: list[Path] = []
    built = False
    with alone(cache / "build.lock", say):
        for recipe in recipes:
            archive = recipe.archive()
            archives.append(archive)
            if not archive.exists():
                machine.prepare_building(say=say)
                _make_base(cache, say)
                _build(cache, recipe, archive, say)
                built = True
            archive.touch()
            images.forget_oldest(recipe)
        if built:
            _run(cache, "rmi", "--prune")  # layers that nothing is made of any more
    return archives


def _make_base(cache: Path, say: Say) -> None:
    name = f"docker.io/library/{BASE}"
    if name in _run(cache, "images", "--format", "{{.Name}}:{{.Tag}}"):
        return
    say(f"making the base image {BASE} of Debian's packages, once")
    with tempfile.TemporaryDirectory(prefix="base-", dir=cache) as folder:
        root = Path(folder, "root")
        _watch(["debootstrap", "--variant=minbase", RELEASE, str(root)], cache / "debootstrap.log")
        for needless in NEEDLESS:
            shutil.rmtree(root / needless, ignore_errors=True)
        Path(folder, "Dockerfile").write_text('FROM scratch\nCOPY root /\nCMD ["bash"]\n')
        _run(cache, "bud", "--isolation", "chroot", "--tag", name, folder)


def _build(cache: Path, recipe: Recipe, archive: Path, say: Say) -> None:
    began = time.monotonic()
    say(f"building {recipe.name}")
    for stage in recipe.stages:  # a stage without a name loses its layers to the pruning
        _bud(cache, recipe, f"{recipe.name.split(':')[0]}-{stage}", "--target", stage)
    _bud(cache, recipe, recipe.name)
    temporary = archive.with_suffix(".new")
    try:
        _run(cache, "push", f"localhost/{recipe.name}", f"docker-archive:{temporary}:{recipe.full_name}")
        temporary.replace(archive)
    finally:
        temporary.unlink(missing_ok=True)
    size = archive.stat().st_size / 1e6
    say(f"built {recipe.name} in {time.monotonic() - began:.0f} s, {size:.0f} MB")


def _bud(cache: Path, recipe: Recipe, tag: str, *options: str) -> None:
    trusted = ["--volume", f"{AUTHORITIES}:{AUTHORITIES_WITHIN}:ro"] if AUTHORITIES.exists() else []
    if trusted and recipe.stages:
        trusted += ["--build-arg", f"CA_BUNDLE={AUTHORITIES_WITHIN}"]
    _run(
        cache,
        *("bud", "--layers", "--isolation", "chroot", "--pull-never", "--network", "host"),
        *(*trusted, *options, "--tag", tag, "--file", str(recipe.dockerfile), str(recipe.context)),
    )


def _run(cache: Path, *arguments: str) -> str:
    where = ["--root", str(cache / "storage"), "--runroot", str(cache / "run")]
    return _watch(["buildah", *where, *arguments], cache / "buildah.log")


def _watch(command: list[str], log: Path) -> str:
    """What ``command`` prints; raises CannotBuild with the end of it. It and its children end with us."""
    with log.open("w+b") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise CannotBuild(f"{command[0]} was not done within {SECONDS:g} s; see {log}") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    printed = log.read_text(errors="replace")
    if code:
        end = "\n".join(printed.splitlines()[-LAST_LINES:])
        raise CannotBuild(f"{command[0]} failed with {code}; all it wrote is in {log}:\n{end}")
    return printed
