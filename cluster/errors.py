"""What can go wrong with a cluster.

FloraError
├── Unavailable    this machine cannot run one; the text says what is missing
├── CannotBuild    the Go build failed; the text ends with its last lines
├── CannotStart    a process died, or was not ready in time; the text ends with its log
└── Refused        the API server said no
"""

from __future__ import annotations

from flora_core.errors import FloraError


class Unavailable(FloraError):
    """What a cluster needs is not on this machine."""


class CannotBuild(FloraError):
    """The binaries could not be built."""


class CannotStart(FloraError):
    """A part of the cluster did not come up."""


class CannotStop(FloraError):
    """Something of a cluster is left."""


class Refused(FloraError):
    """An answer of the API server that is none of success."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        """Kubernetes' word for it, like Invalid, Forbidden, Conflict."""
        self.message = message
