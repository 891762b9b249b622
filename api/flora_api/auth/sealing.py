"""What lies in Redis for somebody who holds a secret id: found by the id's hash, sealed with a key from it.

Whoever reads Redis can neither take over a session nor use its Discord tokens: the id is in the browser's
cookie alone.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ID_BYTES: Final = 32
ID_LENGTH: Final = 43
_NONCE: Final = 12


def make_id() -> str:
    """256 random bits in base64url."""
    return secrets.token_urlsafe(ID_BYTES)


def could_be_id(text: str) -> bool:
    """Whether ``make_id`` could have made it."""
    return len(text) == ID_LENGTH and text.isascii() and text.replace("-", "").replace("_", "").isalnum()


def place_of(secret: str, purpose: str) -> str:
    """Under which name its record lies; tells nothing of ``secret``."""
    return _derived(secret, f"place {purpose}").hex()


def csrf_of(secret: str) -> str:
    """What pages of ours know and others do not."""
    return urlsafe_b64encode(_derived(secret, "csrf")).rstrip(b"=").decode()


def seal(secret: str, purpose: str, record: bytes) -> bytes:
    """``record`` for nobody but who has ``secret``."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(_derived(secret, f"key {purpose}")).encrypt(nonce, record, purpose.encode())


def unseal(secret: str, purpose: str, sealed: bytes) -> bytes | None:
    """The record; None when it was sealed for another, or changed."""
    key = AESGCM(_derived(secret, f"key {purpose}"))
    try:
        return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode())
    except (InvalidTag, ValueError):
        return None


def _derived(secret: str, what: str) -> bytes:
    return hmac.new(secret.encode(), f"flora {what}".encode(), hashlib.sha256).digest()
