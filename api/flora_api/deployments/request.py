"""What somebody wants deployed, checked before anything is done about it. Pure but for ``bundled``.

What is refused here is refused in the same words as ``flora check`` and the cluster's admission do it,
because it is the same code (``flora_core.toolchain``) or the same rule.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from flora_api.deployments.revisions import MESSAGE_LIMIT
from flora_api.errors import ApiError, BadRequest, TooLarge, Unavailable
from flora_core.database import Bundles
from flora_core.errors import (
    BundleFailed,
    BundleTooLarge,
    InvalidBundle,
    InvalidProject,
    ToolBusy,
    ToolError,
    ToolTimeout,
)
from flora_core.ids import Sha256
from flora_core.toolchain import Bundle, Diagnostic, Project, Toolchain, content_address
from flora_core.toolchain.paths import SCRIPTS, check_files, is_script

SHOWN_DIAGNOSTICS: Final = 20


@dataclass(frozen=True, slots=True)
class Sources:
    """Files that are to be bundled here."""

    project: Project


@dataclass(frozen=True, slots=True)
class Prebuilt:
    """A bundle that its deployer made, and the files that it may have been made of."""

    bundle: Bundle
    files: Mapping[str, str] | None


Wanted = Sources | Prebuilt


class BundlingFailed(BadRequest):
    """The author's code does not bundle."""

    default_code = "BUNDLE_FAILED"


def wanted(
    *,
    entry: str,
    files: Sequence[tuple[str, str]] | None,
    bundle: str | None,
    source_map: str | None,
) -> Wanted:
    """What is to be run; raises BadRequest or TooLarge."""
    if files is None and bundle is None:
        raise BadRequest(
            "give files (what you wrote) or bundle (what was made of it)", code="NOTHING_TO_DEPLOY"
        )
    sources = None if files is None else as_files(files)
    try:
        if bundle is None:
            assert sources is not None
            project = Project(sources, entry)
            check_contents(project.files, entry)
            return Sources(project)
        if sources is not None:
            check_files(sources)
        return Prebuilt(_client_bundle(entry, bundle, source_map), sources)
    except InvalidProject as error:
        raise BadRequest(str(error), code="INVALID_PROJECT") from None


def as_files(given: Sequence[tuple[str, str]]) -> dict[str, str]:
    """By path; raises BadRequest when a path is there twice."""
    files = dict(given)
    if len(files) != len(given):
        seen: set[str] = set()
        twice = next(path for path, _ in given if path in seen or seen.add(path))
        raise BadRequest(f"the file {twice[:80]!r} is there twice; leave one out", code="INVALID_PROJECT")
    return files


def check_contents(files: Mapping[str, str], entry: str) -> None:
    """Raises InvalidProject for what cannot be source code, or does nothing."""
    for path, text in files.items():
        if "\0" in text:
            raise InvalidProject(f"{path!r} is not text; leave it out")
    if not files[entry].strip():
        raise InvalidProject(f"the entrypoint {entry!r} is empty; write your script in it")


def check_message(message: str) -> str:
    """What a deployer says; raises BadRequest."""
    text = message.strip()
    if any(not char.isprintable() and char not in "\n\t" for char in text):
        raise BadRequest("the message has a character that cannot be shown; leave it out")
    if len(text) > MESSAGE_LIMIT:
        raise BadRequest(f"the message has {len(text):,} characters and may have {MESSAGE_LIMIT}")
    return text


async def bundled(project: Project, toolchain: Toolchain, bundles: Bundles) -> Sha256:
    """Have Postgres keep the bundle of ``project``, made now or earlier; raises ApiError."""
    address = await asyncio.to_thread(content_address, project)
    if (known := await bundles.built_from(address)) is not None:
        return known.sha256
    bundle, _ = await build(project, toolchain)
    return (await bundles.put(bundle, sources=address)).sha256


async def build(project: Project, toolchain: Toolchain) -> tuple[Bundle, list[Diagnostic]]:
    """The bundle, and what the author should know; raises ApiError."""
    try:
        built = await toolchain.bundle(project)
    except BundleTooLarge as error:
        raise TooLarge(str(error), code="BUNDLE_TOO_LARGE") from None
    except BundleFailed as error:
        raise BundlingFailed(str(error), details={"diagnostics": as_details(error.diagnostics)}) from None
    except ToolError as error:
        raise tool_trouble(error) from None
    return built.bundle, built.warnings


def tool_trouble(error: ToolError) -> ApiError:
    """What a deployer is told when it is not known whether his code is at fault."""
    if isinstance(error, ToolTimeout):
        return BadRequest(str(error), code="BUNDLE_TIMEOUT")
    if isinstance(error, ToolBusy):
        return Unavailable(str(error), code="BUNDLER_BUSY", retry_after=5)
    return Unavailable(f"the bundler failed: {error}", code="BUNDLER_UNAVAILABLE", retry_after=5)


def as_details(diagnostics: Sequence[Diagnostic]) -> list[Any]:
    """The first of them, as JSON has them."""
    return msgspec.to_builtins(list(diagnostics[:SHOWN_DIAGNOSTICS]))


def _client_bundle(entry: str, code: str, source_map: str | None) -> Bundle:
    if not is_script(entry):
        raise InvalidProject(
            f"the entrypoint {entry[:80]!r} cannot be run; it must end in one of {' '.join(SCRIPTS)}"
        )
    if not code.strip():
        raise BadRequest("the bundle is empty", code="INVALID_BUNDLE")
    if "\0" in code:
        raise BadRequest("the bundle is not text", code="INVALID_BUNDLE")
    if source_map:
        _check_source_map(source_map)
    try:
        return Bundle(entry, code, source_map or "")
    except BundleTooLarge as error:
        raise TooLarge(str(error), code="BUNDLE_TOO_LARGE") from None
    except InvalidBundle as error:
        raise BadRequest(str(error), code="INVALID_BUNDLE") from None


def _check_source_map(text: str) -> None:
    """Stacks are mapped by it in the workers, which take no trouble over what is none."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict):
        raise BadRequest("source_map: its contents are no source map (ECMA-426)", code="INVALID_BUNDLE")
