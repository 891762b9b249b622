"""What goes wrong between the operator and others.

FloraError
└── OperatorError
    ├── KubeError           the API server did not do what it was asked
    │   ├── Unreachable     it did not answer, or said that it cannot just now
    │   ├── Throttled       it said when to come back
    │   ├── Conflict        somebody else was quicker
    │   ├── Missing         there is no such object
    │   ├── Expired         a resourceVersion that it no longer knows: list anew
    │   └── Refused         it will not, however often it is asked
    └── Unavailable         the bundler or its database cannot be had now
"""

from __future__ import annotations

from flora_core.errors import FloraError


class OperatorError(FloraError):
    """Base of all errors of the operator."""


class KubeError(OperatorError):
    """The API server did not do what it was asked."""


class Unreachable(KubeError):
    """It did not answer, or it cannot now."""


class Throttled(KubeError):
    """Too much was asked of it; ask again after ``seconds``."""

    def __init__(self, text: str, *, seconds: float) -> None:
        super().__init__(text)
        self.seconds = seconds


class Conflict(KubeError):
    """The object has changed in between, or is another one of the same name."""


class Missing(KubeError):
    """There is no such object (any more)."""


class Expired(KubeError):
    """A resourceVersion is too old to go on from."""


class Refused(KubeError):
    """It understood, and says no: forbidden, or invalid."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class Unavailable(OperatorError):
    """The bundler, or the database behind it, cannot be had now; it may be later."""
