"""Proof Key for Code Exchange, S256 (RFC 7636): whoever began a login is who ends it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def make_verifier() -> str:
    """256 bits, as 43 characters."""
    return secrets.token_urlsafe(32)


def challenge_of(verifier: str) -> str:
    """What is shown first, from which nobody can tell ``verifier``."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_challenge(text: str) -> bool:
    """Whether this could be a challenge: 256 bits in base64url."""
    return _CHALLENGE.fullmatch(text) is not None


def proves(verifier: str, challenge: str) -> bool:
    """Whether ``challenge`` was made from ``verifier``; takes as long for any of a length."""
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    return hmac.compare_digest(challenge_of(verifier), challenge)
