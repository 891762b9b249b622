"""Every error flora raises on purpose.

    FloraError
    ├── InvalidInput            somebody outside gave us something wrong; the text says what to do
    │   ├── InvalidSnowflake    not a Discord id
    │   ├── InvalidSettings     a setting that stops the start
    │   ├── InvalidProject      a script project that cannot be bundled as it stands
    │   ├── InvalidBundle       bytes that are no bundle of ours
    │   └── BundleFailed        the bundler's own verdict: syntax, unresolved import …
    │       └── BundleTooLarge
    ├── WireError               bytes from another process that are no frame of ours
    │   ├── FrameTooLarge
    │   ├── MalformedFrame
    │   ├── UnknownFrame        names the kind
    │   └── TruncatedStream     the stream ended inside a frame
    ├── NoPods                  a guild cannot be placed: there is nothing to place it on
    ├── ToolError               the JavaScript tools (bundler, checker) themselves failed
    │   ├── ToolBusy            too much waits for them already
    │   ├── ToolTimeout
    │   └── ToolDied
    ├── DatabaseError           Postgres would not do what it was asked
    │   ├── DatabaseGone        it cannot be reached, or does not answer: try again later
    │   ├── DatabaseRefused     it will not have us: user, password, database or rights
    │   └── NotMigrated         it lacks what this version keeps there
    └── AssetsMissing           this installation lacks a file that the build should have made

Errors of one component live in that component. A text is one or two lines and tells what to do next;
``InvalidInput`` and its children are the ones the CLI turns into exit code 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flora_core.toolchain.diagnostics import Diagnostic


class FloraError(Exception):
    """Base of all errors that flora raises on purpose."""


class InvalidInput(FloraError):
    """Somebody outside flora gave something that cannot be used."""


class InvalidSnowflake(InvalidInput):
    """A text that should be a Discord id is none."""

    def __init__(self, text: object, *, field: str) -> None:
        shown = repr(text) if len(repr(text)) <= 40 else repr(text)[:37] + "..."
        super().__init__(
            f"{field}: {shown} is not a Discord id; give its 15 to 20 digits "
            "(Discord: Settings > Advanced > Developer Mode, then right-click > Copy ID)"
        )
        self.field = field


class InvalidSettings(InvalidInput):
    """A setting is missing or wrong; the text names its variable."""


class InvalidProject(InvalidInput):
    """A script project that cannot be bundled as it stands: no entrypoint, too many files, bad path."""


class InvalidBundle(InvalidInput):
    """Bytes that should be a bundle are none, or not as flora writes them."""


class BundleFailed(InvalidInput):
    """The bundler refused the author's code; the text shows where and why."""

    def __init__(self, text: str, diagnostics: Sequence[Diagnostic] = ()) -> None:
        super().__init__(text)
        self.diagnostics = list(diagnostics)


class BundleTooLarge(BundleFailed):
    """The bundle, or its source map, is over the limit."""

    def __init__(self, size: int, *, limit: int, what: str = "bundle") -> None:
        super().__init__(
            f"the {what} has {size:,} bytes and may have {limit:,}: remove data or dependencies from it"
        )
        self.size = size
        self.limit = limit


class WireError(FloraError):
    """Bytes that another process sent are not what the protocol allows."""

    reason = "malformed"
    """Value of the ``reason`` label where such frames are counted."""


class FrameTooLarge(WireError):
    """A frame is larger than its stream allows; it was not read further."""

    reason = "too_large"

    def __init__(self, size: int, *, limit: int) -> None:
        super().__init__(f"frame of {size} bytes is over the limit of {limit}")
        self.size = size
        self.limit = limit


class MalformedFrame(WireError):
    """A frame that is not valid JSON, or lacks a field, or has one of the wrong type."""


class UnknownFrame(WireError):
    """A well-formed frame of a kind this version does not know."""

    reason = "unknown_kind"

    def __init__(self, kind: object) -> None:
        super().__init__(f"unknown frame kind {str(kind)[:64]!r}")
        self.kind = kind


class TruncatedStream(WireError):
    """A stream ended in the middle of a frame."""

    reason = "truncated"


class NoPods(FloraError):
    """There is no pod (or worker) to place a guild on."""

    def __init__(self, guild: object) -> None:
        super().__init__(f"guild {guild} cannot be placed: there are no pods")


class ToolError(FloraError):
    """A JavaScript tool failed for a reason that is not the author's."""


class ToolBusy(ToolError):
    """The tools have more to do than they can take on; try again in a moment."""


class ToolTimeout(ToolError):
    """A tool ran longer than its limit and was killed."""


class ToolDied(ToolError):
    """A tool process ended without an answer: out of memory, or killed from outside."""


class DatabaseError(FloraError):
    """Postgres would not do what it was asked. No text of these holds the database's URL or password."""


class DatabaseGone(DatabaseError):
    """Postgres cannot be reached, or does not answer in time; what was asked may have been done or not."""


class DatabaseRefused(DatabaseError):
    """Postgres answers, and will not have us: user, password, database or rights are wrong."""


class NotMigrated(DatabaseError):
    """The database lacks a table or column that this version needs."""


class AssetsMissing(FloraError):
    """A file that the SDK build makes is not there."""
