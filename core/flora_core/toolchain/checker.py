"""What the type checker is asked, and what its answer means. Pure; ``toolchain`` does the asking."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from flora_core.errors import ToolError
from flora_core.toolchain.diagnostics import Diagnostic
from flora_core.toolchain.frames import Answer, Failure, Request, Tool
from flora_core.toolchain.project import Project


class _Checked(Struct, frozen=True):
    diagnostics: list[Diagnostic]


def request(project: Project) -> Request:
    """The request that checks ``project``."""
    return Request(
        tool=Tool.CHECKER,
        entrypoint=project.entrypoint,
        files=dict(project.files),
        dependencies=dict(project.dependencies),
    )


def diagnostics(answer: Answer) -> list[Diagnostic]:
    """What was found; at most 100."""
    if answer.failure is Failure.DEPTH:
        return [Diagnostic(text="the code is nested too deeply to be checked")]
    try:
        return msgspec.json.decode(answer.result, type=_Checked).diagnostics
    except msgspec.DecodeError as error:
        raise ToolError(f"the type checker's answer cannot be read: {error}") from None
