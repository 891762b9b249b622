"""Sealing of secrets: AES-256-GCM with a ring of keys. Pure.

The first key of the ring seals, all of them open: a key is changed by putting a new one first, re-encrypting
what the old ones sealed (``rotate``), and taking the old ones out. A sealed value is bound to its guild, its
name and its key: a row that is copied to another guild or name does not open there (NIST SP 800-38D, AAD).

Nonces are 96 random bits. A key may seal 2**32 values before two may meet with a probability that counts;
nobody changes secrets that often.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from flora_core.errors import FloraError, InvalidSettings
from flora_core.ids import GuildId

VARIABLE: Final = "API_SECRET_KEYS"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
HOW: Final = 'make one with: python -c "import base64, os; print(base64.b64encode(os.urandom(32)).decode())"'

_KEY_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_PURPOSE: Final = "flora guild secret 1"


class CannotOpen(FloraError):
    """A sealed value does not open: its key is not here, or it is not what was sealed."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


class KeyRing:
    """Keys by id, 32 bytes each; the first one seals."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        if not keys:
            raise InvalidSettings(f"{VARIABLE} is not set: secrets need a key, as id:base64; {HOW}")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys}
        self.current: Final = keys[0][0]
        """Id of the key that seals."""

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._ciphers)})"

    @property
    def ids(self) -> list[str]:
        """Of all keys, the one that seals first."""
        return list(self._ciphers)

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """``id:base64`` entries, separated by commas or white space.

        Raises InvalidSettings naming the variable and the entry, and never shows a key.
        """
        keys: dict[str, bytes] = {}
        for number, entry in enumerate(text.replace(",", " ").split(), start=1):
            key_id, colon, encoded = entry.partition(":")
            if not colon or _KEY_ID.fullmatch(key_id) is None:
                raise InvalidSettings(
                    f"{VARIABLE}: entry {number} should be id:base64, with an id of letters, digits, '.', "
                    "'_' and '-', at most 32"
                )
            if key_id in keys:
                raise InvalidSettings(f"{VARIABLE}: there are two keys with the id {key_id}")
            keys[key_id] = _key(encoded, number)
        return cls(list(keys.items()))

    def seal(self, guild: GuildId, name: str, value: str) -> Sealed:
        """``value`` encrypted with the first key."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        bound = _bound(self.current, guild, name)
        return Sealed(self.current, nonce, self._ciphers[self.current].encrypt(nonce, value.encode(), bound))

    def open(self, guild: GuildId, name: str, sealed: Sealed) -> str:
        """The value; raises CannotOpen."""
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            raise CannotOpen(f"the key {sealed.key_id} is not in {VARIABLE}; add it, after the one in use")
        try:
            opened = cipher.decrypt(sealed.nonce, sealed.ciphertext, _bound(sealed.key_id, guild, name))
            return opened.decode()
        except (InvalidTag, ValueError):
            raise CannotOpen(
                f"the key {sealed.key_id} does not open what was sealed with a key of that id; "
                f"put the one that was there into {VARIABLE}"
            ) from None

    def missing(self, key_ids: Iterable[str]) -> list[str]:
        """Those of ``key_ids`` that are not in the ring."""
        return sorted(set(key_ids) - self._ciphers.keys())


def _bound(key_id: str, guild: GuildId, name: str) -> bytes:
    """What a sealed value belongs to; as JSON, because no two lists have the same."""
    return msgspec.json.encode([_PURPOSE, key_id, guild, name])


def _key(encoded: str, number: int) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidSettings(
            f"{VARIABLE}: the key of entry {number} should be {KEY_BYTES} bytes in base64; {HOW}"
        )
    return key
