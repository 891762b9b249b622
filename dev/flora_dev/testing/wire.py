"""What ``flora test`` and its child process say to each other: JSON, one value a line."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Struct

from flora_core.wire.control import ScriptError

Outcome = Literal["passed", "failed", "skipped"]


class Job(Struct, frozen=True):
    """One test file to run."""

    file: str
    code: str
    source_map: str
    sha256: str
    seconds: float
    """Real time that one test may take."""
    pattern: str = ""
    """Only tests with this text in their names, in any case."""
    cpu_milliseconds: int = 200
    memory_mebibytes: int = 64


class Began(Struct, frozen=True, tag="began"):
    """A test runs from now on; until the next of these it is to blame when the process dies."""

    name: str


class Ended(Struct, frozen=True, tag="ended", omit_defaults=True):
    """What became of one test; without a name it is about the file, which could not be loaded."""

    name: str
    outcome: Outcome
    milliseconds: float = 0.0
    error: ScriptError | None = None
    expected: str | None = None
    actual: str | None = None
    """Both sides of a comparison that failed, in several lines."""
    logs: list[tuple[str, str]] = []
    """Level and text of what the script logged; only of tests that failed."""


class Finished(Struct, frozen=True, tag="finished"):
    """The file is through."""


Said = Began | Ended | Finished

encode: Final = msgspec.json.Encoder().encode
decode_said: Final[msgspec.json.Decoder[Said]] = msgspec.json.Decoder(Said)
decode_job: Final = msgspec.json.Decoder(Job)
