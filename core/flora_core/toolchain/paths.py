"""Which paths and how many of them a project may have.

Paths are POSIX and relative, as an author writes them in imports. They end up in archives, on other
people's disks and in stack traces, so they are held to what works everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from flora_core.errors import InvalidProject

MAX_FILES: Final = 200
MAX_BYTES: Final = 1 << 20
"""UTF-8 bytes of all sources together: what fits in one Kubernetes object, nearly."""
MAX_DEPENDENCY_FILES: Final = 5_000
MAX_DEPENDENCY_BYTES: Final = 20 << 20
MAX_PATH_BYTES: Final = 255

SCRIPTS: Final = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
"""What can be run; declarations (``.d.ts``) cannot."""

DEPENDENCIES: Final = "node_modules"


def check_files(files: Mapping[str, str]) -> None:
    """Raises InvalidProject unless ``files`` can be the sources of a project."""
    if not files:
        raise InvalidProject("the project has no files; it needs at least its entrypoint")
    if len(files) > MAX_FILES:
        raise InvalidProject(
            f"the project has {len(files):,} files and may have {MAX_FILES}; leave out what is not needed"
        )
    for path in files:
        check_path(path)
        if DEPENDENCIES in path.split("/"):
            raise InvalidProject(
                f"{path!r} belongs to a dependency; `flora deploy` brings those along itself"
            )
    _check_sizes(files, limit=MAX_BYTES, what="the project's sources have")
    _check_clashes(files)


def check_dependencies(files: Mapping[str, str]) -> None:
    """Raises InvalidProject unless ``files`` can be the files of a project's dependencies."""
    if len(files) > MAX_DEPENDENCY_FILES:
        raise InvalidProject(
            f"the dependencies have {len(files):,} files and may have {MAX_DEPENDENCY_FILES:,}; "
            "use smaller packages, or fewer"
        )
    for path in files:
        check_path(path, limit=4 * MAX_PATH_BYTES)
        if not path.startswith(f"{DEPENDENCIES}/"):
            raise InvalidProject(f"{path!r} is no file of a dependency; those are below {DEPENDENCIES}/")
    _check_sizes(files, limit=MAX_DEPENDENCY_BYTES, what="the dependencies have")


def check_entrypoint(entrypoint: str, files: Iterable[str]) -> None:
    """Raises InvalidProject unless ``entrypoint`` is one of ``files`` and can be run."""
    if entrypoint not in files:
        near = get_close_matches(entrypoint, list(files), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {_some(sorted(files))}"
        raise InvalidProject(f"the entrypoint {entrypoint!r} is not among the project's files; {hint}")
    if not is_script(entrypoint):
        raise InvalidProject(
            f"the entrypoint {entrypoint!r} cannot be run; it must end in one of {' '.join(SCRIPTS)}"
        )


def is_script(path: str) -> bool:
    """Whether ``path`` names code that can be run."""
    return path.endswith(SCRIPTS) and not path.endswith((".d.ts", ".d.mts", ".d.cts"))


def is_test(path: str) -> bool:
    """Whether ``path`` names a test: ``main.test.ts``, ``main.spec.ts``."""
    name = path.rpartition("/")[2]
    return is_script(path) and (".test." in name or ".spec." in name)


def check_path(path: str, *, limit: int = MAX_PATH_BYTES) -> None:
    """Raises InvalidProject unless ``path`` is relative, normalised and portable."""
    problem = _problem(path, limit)
    if problem:
        shown = repr(path if len(path) <= 80 else path[:79] + "…")
        raise InvalidProject(f"the path {shown} {problem}; write it like 'src/main.ts'")


def _problem(path: str, limit: int) -> str | None:
    segments = path.split("/")
    if not path:
        return "is empty"
    if not path.isprintable():
        return "contains a character that cannot be shown"
    if len(path.encode()) > limit:
        return f"is longer than {limit} bytes"
    if "\\" in path:
        return "contains a backslash"
    if path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        return "is absolute"
    if ".." in segments:
        return "contains '..'"
    if "" in segments or "." in segments:
        return "has an empty segment or a '.'"
    return None


def _check_sizes(files: Mapping[str, str], *, limit: int, what: str) -> None:
    total = 0
    for path, text in files.items():
        try:
            total += len(text) if text.isascii() else len(text.encode())
        except UnicodeEncodeError:
            raise InvalidProject(f"{path!r} is not valid text; save it as UTF-8") from None
    if total > limit:
        raise InvalidProject(f"{what} {total:,} bytes and may have {limit:,}; leave out what is not needed")


def _check_clashes(files: Iterable[str]) -> None:
    """Two paths that macOS or Windows would take for one, or a file where there must be a folder."""
    seen: dict[str, str] = {}
    for path in files:
        other = seen.setdefault(path.casefold(), path)
        if other != path:
            raise InvalidProject(f"{other!r} and {path!r} differ only in case; rename one of them")
    for path in files:
        folder = path.rpartition("/")[0]
        while folder:
            if folder.casefold() in seen:
                raise InvalidProject(
                    f"{seen[folder.casefold()]!r} is a file and a folder; rename one of them"
                )
            folder = folder.rpartition("/")[0]


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:5]) + (", …" if len(paths) > 5 else "")
