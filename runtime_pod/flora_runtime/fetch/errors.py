"""Why a fetch does not happen, as the script sees it."""

from __future__ import annotations

from typing import Literal

Code = Literal[
    "INVALID_INPUT",
    "FETCH_FAILED",
    "FETCH_FORBIDDEN_ADDRESS",
    "FETCH_RATE_LIMITED",
    "FETCH_SECRET_FORBIDDEN",
    "FETCH_TIMEOUT",
    "FETCH_TOO_LARGE",
    "FETCH_TOO_MANY",
]


class FetchRefused(Exception):
    """Becomes a ``FloraError``. The text never has a URL in it: one may carry a secret's value."""

    def __init__(self, code: Code, text: str, *, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.code: Code = code
        self.retry_after = retry_after
        """Seconds."""
