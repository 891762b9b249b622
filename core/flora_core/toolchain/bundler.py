"""What the bundler is asked, and what its answer means. Pure; ``toolchain`` does the asking.

esbuild does the work (``bundler.js``). Its notes are written for people who call it themselves, so those
that would mislead a script's author are replaced here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from flora_core.errors import BundleFailed, BundleTooLarge, ToolError
from flora_core.toolchain.bundle import CODE_LIMIT, MAP_LIMIT, Built, Bundle
from flora_core.toolchain.diagnostics import Diagnostic, render_all
from flora_core.toolchain.frames import Answer, Failure, Request, Tool
from flora_core.toolchain.project import Project

_UNRESOLVED: Final = re.compile(r'Could not resolve "(.*)"')
_PACKAGE: Final = re.compile(r"(@[\w~-][\w.~-]*/)?[\w~-][\w.~-]*", re.ASCII)
_NODE_NOTE: Final = "built into node"
_METADATA: Final = re.compile(r'(?m)^(?P<before>(?:(?!//).)*?)"emitDecoratorMetadata"\s*:\s*true')


class _Bundled(Struct, frozen=True):
    """What ``bundler.js`` answers: code and map, or errors, or only sizes when those are too large."""

    code: str | None = None
    source_map: str = ""
    code_size: int = 0
    map_size: int = 0
    errors: list[Diagnostic] = []
    warnings: list[Diagnostic] = []


def request(project: Project) -> Request:
    """The request that bundles ``project``."""
    return Request(
        tool=Tool.BUNDLER,
        entrypoint=project.entrypoint,
        files=dict(project.files),
        dependencies=dict(project.dependencies),
        code_limit=CODE_LIMIT,
        map_limit=MAP_LIMIT,
    )


def built(project: Project, answer: Answer) -> Built:
    """The bundle of ``project``; raises BundleFailed or BundleTooLarge."""
    if answer.failure is Failure.DEPTH:
        raise _failed([Diagnostic(text="the code is nested too deeply to be bundled")])
    try:
        bundled = msgspec.json.decode(answer.result, type=_Bundled)
    except msgspec.DecodeError as error:
        raise ToolError(f"the bundler's answer cannot be read: {error}") from None
    if bundled.errors:
        raise _failed([explained(error) for error in bundled.errors])
    if bundled.code is None:
        if bundled.code_size > CODE_LIMIT:
            raise BundleTooLarge(bundled.code_size, limit=CODE_LIMIT)
        raise BundleTooLarge(bundled.map_size, limit=MAP_LIMIT, what="bundle's source map")
    warnings = [explained(warning) for warning in bundled.warnings]
    bundle = Bundle(project.entrypoint, bundled.code, bundled.source_map)
    return Built(bundle, [*warnings, *_unsupported(project)])


def explained(diagnostic: Diagnostic) -> Diagnostic:
    """``diagnostic`` with notes that help where esbuild's own would not."""
    if diagnostic.code == "empty-import-meta":
        return replace(diagnostic, text="import.meta is empty: a script is no module once it is bundled")
    unresolved = _UNRESOLVED.fullmatch(diagnostic.text)
    if unresolved is None:
        return diagnostic
    return replace(diagnostic, notes=[_how_to_resolve(unresolved[1], diagnostic.notes)])


def _how_to_resolve(path: str, notes: object) -> str:
    if _NODE_NOTE in str(notes):
        return f"{path} is part of Node.js; scripts run in V8 without it and use what flora gives them"
    package = _PACKAGE.match(path)
    if package is None:
        return "no such file is in the project; only its own files can be imported, and case counts"
    return (
        f"{package[0]} is not in the project. If it is an npm package, `npm install {package[0]}` and deploy "
        "the folder; if it is an alias, say so in `paths` of tsconfig.json"
    )


def _unsupported(project: Project) -> Iterator[Diagnostic]:
    """Warnings about options that esbuild passes over in silence."""
    for path, text in project.files.items():
        if not path.rpartition("/")[2].startswith("tsconfig"):
            continue
        for match in _METADATA.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield Diagnostic(
                "emitDecoratorMetadata has no effect: without types, Reflect.getMetadata finds none",
                file=path,
                line=line,
                column=len(match["before"]) + 1,
                length=len('"emitDecoratorMetadata"'),
                source_line=text.split("\n")[line - 1].rstrip("\r")[:200],
                caret=len(match["before"]),
                severity="warning",
            )


def _failed(diagnostics: list[Diagnostic]) -> BundleFailed:
    return BundleFailed(render_all(diagnostics), diagnostics)
