"""Images of flora's components, and of what tests need beside them.

An image is known by its *address*, a digest of all that it is made of. Its archive is kept in the cache under
that address, so what has not changed is neither built nor loaded again.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster.errors import Unavailable

ROOT: Final = Path(__file__).parents[1]
BASE: Final = "debian:bookworm-slim"
"""What the Dockerfiles begin with."""

COMPONENTS: Final = {
    "gateway": "gateway_pod",
    "operator": "operator",
    "runtime": "runtime_pod",
    "api": "api",
    "simulator": "simulator",
}
"""Each with the folder of its Dockerfile."""

KEPT: Final = 3
"""Archives of one image."""

STORES: Final = ROOT / "tests" / "cluster" / "images"


@dataclass(slots=True, frozen=True)
class Recipe:
    """What one image is made of."""

    name: str
    """With its tag: ``flora-gateway:0.1.0``."""
    dockerfile: Path
    context: Path
    files: tuple[Path, ...]
    """All that the Dockerfile copies."""
    stages: tuple[str, ...] = ()
    """Those to keep between two builds, besides the last."""
    wheel: Path | None = None
    """Flora's; what the Dockerfile takes away again of its packages does not count."""

    @property
    def full_name(self) -> str:
        """As Kubernetes completes it."""
        return f"docker.io/library/{self.name}"

    def address(self) -> str:
        """Sixteen hexadecimal digits that are others when anything of it is."""
        digest = hashlib.sha256(BASE.encode())
        for path in (self.dockerfile, *self.files):
            digest.update(f"\0{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
        if self.wheel is not None:
            digest.update(_digest_of(self.wheel, kept_packages(self.dockerfile.read_text())))
        return digest.hexdigest()[:16]

    def archive(self) -> Path:
        """Where the archive of this address is, or will be."""
        return cache() / f"{self.name.replace(':', '-')}-{self.address()}.tar"


def version() -> str:
    """Flora's: the tag of its images."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def components(wheel: Path, names: Iterable[str] = COMPONENTS) -> list[Recipe]:
    """Those of flora's own, of which ``wheel`` is a part. Raises Unavailable for one that there is not."""
    files = (ROOT / "pyproject.toml", ROOT / "requirements.lock")
    recipes: list[Recipe] = []
    for name in names:
        if name not in COMPONENTS:
            raise Unavailable(f"there is no image {name}; there are {', '.join(COMPONENTS)}")
        dockerfile = ROOT / COMPONENTS[name] / "Dockerfile"
        image = f"flora-{name}:{version()}"
        recipes.append(Recipe(image, dockerfile, ROOT, files, stages=("build",), wheel=wheel))
    return recipes


def kept_packages(dockerfile: str) -> frozenset[str]:
    """Those of flora's packages that an image keeps of the wheel. Raises Unavailable when it does not say."""
    kept = re.search(r"grep -vxE '\./flora_\(([a-z|]+)\)'", dockerfile)
    if kept is None:
        raise Unavailable("the Dockerfile does not say which packages of the wheel it keeps")
    return frozenset(f"flora_{name}" for name in kept[1].split("|"))


def _digest_of(wheel: Path, packages: frozenset[str]) -> bytes:
    """Of the files in ``packages``."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.partition("/")[0] in packages:
                digest.update(f"\0{name}\0".encode() + hashlib.sha256(archive.read(name)).digest())
    return digest.digest()


def stores() -> list[Recipe]:
    """Postgres and Redis, for clusters that no registry can be reached from."""
    recipes: list[Recipe] = []
    for folder in sorted(path.parent for path in STORES.glob("*/Dockerfile")):
        files = tuple(sorted(path for path in folder.iterdir() if path.name != "Dockerfile"))
        recipes.append(Recipe(f"flora-test-{folder.name}:1", folder / "Dockerfile", folder, files))
    return recipes


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    """Of images and of what builds them: ``$XDG_CACHE_HOME/flora/images``."""
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache"
    return Path(base) / "flora" / "images"


def forget_oldest(recipe: Recipe) -> None:
    """Delete archives of ``recipe`` but those used last: another checkout may want its own again."""
    pattern = f"{recipe.name.replace(':', '-')}-{'[0-9a-f]' * 16}.tar"
    by_use = sorted(cache().glob(pattern), key=lambda path: path.stat().st_mtime)
    for archive in by_use[:-KEPT]:
        archive.unlink(missing_ok=True)
