"""What the API answers when it does not do what it was asked: ``{"message", "code", "details"}``.

    ApiError
    ├── BadRequest          400  the request is wrong; the message says what to write instead
    ├── Unauthorized        401  nobody is logged in, or the token is not (or no longer) good
    ├── Forbidden           403  somebody is, and may not do this
    ├── NotFound            404
    ├── Conflict            409  not as things are now: another deploy is under way, say
    ├── TooLarge            413
    ├── TooMany             429  with Retry-After
    ├── QuotaExceeded       507
    └── Unavailable         503  something that this needs cannot be had now, with Retry-After

``code`` is for programs and never changes; ``message`` is for people and says what to do. Neither holds a
secret, a token, or what a library's exception says.
"""

from __future__ import annotations

from typing import Any, ClassVar

from flora_core.errors import FloraError


class ApiError(FloraError):
    """Base of what a route may answer instead of what was asked for."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        details: dict[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.details = details or {}
        self.retry_after = retry_after
        """Seconds, for the header of that name."""


class BadRequest(ApiError):
    status = 400
    default_code = "BAD_REQUEST"


class Unauthorized(ApiError):
    status = 401
    default_code = "UNAUTHORIZED"


class Forbidden(ApiError):
    status = 403
    default_code = "FORBIDDEN"


class NotFound(ApiError):
    status = 404
    default_code = "NOT_FOUND"


class Conflict(ApiError):
    status = 409
    default_code = "CONFLICT"


class TooLarge(ApiError):
    status = 413
    default_code = "TOO_LARGE"


class TooMany(ApiError):
    status = 429
    default_code = "RATE_LIMITED"


class QuotaExceeded(ApiError):
    status = 507
    default_code = "QUOTA_EXCEEDED"


class Unavailable(ApiError):
    status = 503
    default_code = "UNAVAILABLE"
