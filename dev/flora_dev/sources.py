"""What ``flora dev`` deploys: one folder with a script, or a folder of GuildDeployment documents.

Both are watched. A ``Source`` reads everything anew after each change: at most some hundred small files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import yaml
from watchfiles import DefaultFilter, awatch

from flora_core.errors import InvalidInput
from flora_core.ids import GuildId
from flora_core.manifest import GuildDeployment, InvalidManifest, parse_manifest
from flora_core.toolchain import Project
from flora_core.wire.control import DEFAULT_LIMITS, Limits
from flora_dev.secrets import VALUES, DevSecrets, manifest_secrets, read_secrets, read_values

QUIET_MILLISECONDS: Final = 50
"""Changes closer together than this are one: editors write a file in several steps."""

MANIFEST_SUFFIXES: Final = (".yaml", ".yml", ".json")

NOBODY: Final = GuildId("0")
"""Stands where a document cannot be read and its guild is not known."""


@dataclass(slots=True, frozen=True)
class Wanted:
    """One guild as the sources want it."""

    guild: GuildId
    name: str
    """What to call it: its folder or its document."""
    read: Callable[[], Project] | None = None
    """Raises InvalidProject; None when ``problem`` is set or the guild is suspended."""
    limits: Limits = DEFAULT_LIMITS
    hibernates: bool = True
    problem: str = ""
    """Why the document cannot be used."""
    secrets: DevSecrets = field(default_factory=DevSecrets)


class Source(Protocol):
    folder: Path

    def wanted(self) -> list[Wanted]:
        """Every guild that should run something, read now."""
        ...


class FolderSource:
    """One project for one guild; raises InvalidInput when ``folder`` is none."""

    def __init__(
        self,
        folder: Path,
        guild: GuildId,
        *,
        entrypoint: str | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        _check_folder(folder)
        self._given = secrets or {}
        self.folder = folder
        self._guild = guild
        self._entrypoint = entrypoint

    def wanted(self) -> list[Wanted]:
        name = self.folder.resolve().name
        try:
            secrets = read_secrets(self.folder, self._given)
        except InvalidInput as error:
            return [Wanted(self._guild, name, problem=str(error))]
        return [Wanted(self._guild, name, self._read, secrets=secrets)]

    def _read(self) -> Project:
        return Project.from_folder(self.folder, self._entrypoint, deployed=True)


class ManifestSource:
    """A folder of GuildDeployment documents, any number in a file; raises InvalidInput for no folder."""

    def __init__(self, folder: Path) -> None:
        _check_folder(folder)
        self.folder = folder
        self._last_good: dict[Path, list[Wanted]] = {}

    def wanted(self) -> list[Wanted]:
        """All documents; the first of a guild counts, a second is a problem of its own.

        While a file cannot be read, the guilds it had before go on.
        """
        found: dict[GuildId, Wanted] = {}
        problems: list[Wanted] = []
        kept: list[Wanted] = []
        try:
            values = read_values(self.folder / VALUES)
        except InvalidInput as error:
            values = {}
            problems.append(Wanted(GuildId("0"), VALUES, problem=str(error)))
        for path in sorted(self.folder.iterdir()):
            if path.suffix not in MANIFEST_SUFFIXES or not path.is_file():
                continue
            good: list[Wanted] = []
            before = len(problems)
            for place, manifest in _documents(path):
                if isinstance(manifest, InvalidManifest):
                    problems.append(Wanted(NOBODY, place, problem=f"{place}: {manifest}"))
                elif manifest.guild in found:
                    problem = f"{place}: guild {manifest.guild} has a document already"
                    problems.append(Wanted(NOBODY, place, problem=problem))
                else:
                    found[manifest.guild] = wanted = _wanted(manifest, values)
                    good.append(wanted)
            if len(problems) > before:
                kept += self._last_good.get(path, [])
            else:
                self._last_good[path] = good
        for wanted in kept:
            found.setdefault(wanted.guild, wanted)
        return [*found.values(), *problems]


_ODD_VALUES = (ValueError, KeyError, RecursionError)
"""What PyYAML lets through for a date that is none, an unknown boolean, a thousand brackets."""


def _documents(path: Path) -> list[tuple[str, GuildDeployment | InvalidManifest]]:
    """Every document of a file, with where it stands."""
    try:
        documents = list(yaml.safe_load_all(path.read_text()))
    except (yaml.YAMLError, UnicodeDecodeError, OSError, *_ODD_VALUES) as error:
        why = str(error).splitlines() or [type(error).__name__]
        return [(path.name, InvalidManifest(f"not YAML: {why[0]}"))]
    read: list[tuple[str, GuildDeployment | InvalidManifest]] = []
    for number, document in enumerate(documents, start=1):
        place = path.name if len(documents) == 1 else f"{path.name}#{number}"
        if document is None:
            continue
        try:
            read.append((place, parse_manifest(document)))
        except InvalidManifest as error:
            read.append((place, error))
    return read


def _wanted(manifest: GuildDeployment, values: Mapping[str, str]) -> Wanted:
    spec, name = manifest.spec, manifest.metadata.name
    if spec.suspend:
        return Wanted(manifest.guild, name)
    source = spec.source
    if source.files is None:
        problem = f"{name}: only spec.source.files can be run here; configMapRef and bundleRef need a cluster"
        return Wanted(manifest.guild, name, problem=problem)
    files = source.files
    return Wanted(
        manifest.guild,
        name,
        lambda: Project(files=files, entrypoint=source.entrypoint),
        limits=manifest.limits,
        secrets=manifest_secrets(spec.secrets, values),
        hibernates=manifest.hibernates,
    )


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        raise InvalidInput(f"there is no folder {folder}; `flora init {folder}` makes one")
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is a file; name the folder it is in")


class _Sources(DefaultFilter):
    """Everything but what tools write: caches, dependencies, ``.flora``."""

    ignore_dirs = (*DefaultFilter.ignore_dirs, ".flora", "dist", "build", "out")


async def changes(folder: Path) -> AsyncIterator[None]:
    """Yields after every change below ``folder``."""
    async for _ in awatch(folder, watch_filter=_Sources(), step=QUIET_MILLISECONDS, rust_timeout=1000):
        yield None
