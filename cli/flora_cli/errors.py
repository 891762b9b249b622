"""What goes wrong between the command line and an API, and what ``flora`` exits with then.

    CliError                1
    ├── Refused             1  the API understood, and says no: 409, 507; `code` says why
    ├── NotLoggedIn         3  401, or there is no token
    ├── NotAllowed          3  403
    ├── NotThere            4  404, or what was named is not there
    └── Unavailable         5  nobody answers, or not now: no connection, TLS, 429, 5xx

What was given wrongly (400, 413) is ``flora_core``'s InvalidInput, which ends with 2. Texts say what to do;
none holds a token.
"""

from __future__ import annotations

from typing import Any, ClassVar

from flora_core.errors import FloraError


class CliError(FloraError):
    """Base of these."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, code: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.details = details or {}


class Refused(CliError):
    """Not as things are now."""


class NotLoggedIn(CliError):
    """Nobody is, or the token is no longer good."""

    exit_code = 3


class NotAllowed(CliError):
    """Somebody is, and may not do this."""

    exit_code = 3


class NotThere(CliError):
    """What was named is not there."""

    exit_code = 4


class Unavailable(CliError):
    """Nobody answers there, or not now: it may work later."""

    exit_code = 5
