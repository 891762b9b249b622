"""The identities that cross flora's borders, as types.

Discord's ids are unsigned 64-bit numbers ("snowflakes") that travel as decimal strings: JSON numbers
lose bits above 2**53. flora keeps them as strings in canonical form (no sign, no leading zero), checks
them once where they come in, and never again.
"""

from __future__ import annotations

import re
from typing import Final, NewType

from flora_core.errors import InvalidInput, InvalidSnowflake

GuildId = NewType("GuildId", str)
ChannelId = NewType("ChannelId", str)
PodName = NewType("PodName", str)
Sha256 = NewType("Sha256", str)
"""64 lower-case hexadecimal digits."""

_SNOWFLAKE: Final = re.compile(r"[1-9][0-9]{0,19}")
_POD_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MAX_SNOWFLAKE: Final = 2**64 - 1


def parse_snowflake(text: object, *, field: str = "id") -> str:
    """``text`` as a canonical snowflake, 1 to 2**64 - 1.

    Raises InvalidSnowflake naming ``field``. Simulated Discords number from small ids, so the length
    is not checked; a real id has 17 to 20 digits.
    """
    if not isinstance(text, str) or _SNOWFLAKE.fullmatch(text) is None or int(text) > _MAX_SNOWFLAKE:
        raise InvalidSnowflake(text, field=field)
    return text


def parse_guild_id(text: object, *, field: str = "guildId") -> GuildId:
    """``text`` as a guild id; raises InvalidSnowflake naming ``field``."""
    return GuildId(parse_snowflake(text, field=field))


def parse_pod_name(text: str, *, field: str = "pod") -> PodName:
    """``text`` as the name of a pod: a DNS label (RFC 1123, at most 63 characters)."""
    if _POD_NAME.fullmatch(text) is None:
        raise InvalidInput(
            f"{field}: {text[:70]!r} is not a pod name; use lower-case letters, digits and '-'"
        )
    return PodName(text)


def parse_sha256(text: str, *, field: str = "sha256") -> Sha256:
    """``text`` as a SHA-256 digest in hexadecimal."""
    if _SHA256.fullmatch(text) is None:
        raise InvalidInput(f"{field}: {text[:70]!r} is not a SHA-256 digest (64 hexadecimal digits)")
    return Sha256(text)
