"""That a change asked for with a cookie was asked for by a page of ours. Pure.

Browsers send the cookie along with whatever site asks. So such a request must carry a value that other sites
cannot read, and must not say that it comes from one.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

HEADER: Final = "X-Flora-CSRF"
SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))


def trouble(method: str, headers: Mapping[str, str], *, expected: str, origin: str) -> str | None:
    """Why the request is refused; None when it is not. ``headers`` finds names in any case; ``origin`` is
    our own, ``https://flora.example.com``."""
    if method in SAFE:
        return None
    if headers.get("sec-fetch-site", "none") == "cross-site":
        return "it comes from another site"
    if headers.get("origin", origin).lower() != origin.lower():
        return "it comes from another origin"
    if not hmac.compare_digest(headers.get(HEADER.lower(), "").encode(), expected.encode()):
        return f"the header {HEADER} should have the value that GET /api/auth/me has as csrf"
    return None
