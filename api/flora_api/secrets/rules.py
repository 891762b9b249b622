"""What may be stored as a secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from flora_api.errors import BadRequest
from flora_core.allowed_hosts import parse_allowed_host
from flora_core.errors import InvalidInput

VALUE_BYTES: Final = 16 << 10
"""Of one value, in UTF-8: the longest private keys and service account files fit."""

SECRETS_A_GUILD: Final = 100
BYTES_A_GUILD: Final = 256 << 10
"""Of all values of a guild: they go to a pod in one line, escaped as JSON."""

HOSTS_A_SECRET: Final = 32
HOST_LENGTH: Final = 270

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret as it is to be stored."""

    name: str
    value: str = field(repr=False)
    allowed_hosts: tuple[str, ...]


def checked_name(name: str) -> str:
    """``name``, which could be an environment variable's; raises BadRequest."""
    if _NAME.fullmatch(name) is None:
        raise BadRequest(
            f"{name[:70]!r} is no name of a secret: use letters, digits and '_', at most 64, "
            "with no digit at the start, as in WEATHER_KEY",
            code="INVALID_SECRET_NAME",
        )
    return name


def checked(name: str, value: str, allowed_hosts: Sequence[str]) -> NewSecret:
    """A secret that may be stored; raises BadRequest, which never shows the value."""
    checked_name(name)
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise BadRequest(f"the value of {name} is no text", code="INVALID_SECRET_VALUE") from None
    if not size:
        raise BadRequest(
            f"the value of {name} is empty; delete the secret if it is not needed any more",
            code="INVALID_SECRET_VALUE",
        )
    if size > VALUE_BYTES:
        raise BadRequest(
            f"the value of {name} has {size:,} bytes and may have {VALUE_BYTES:,}",
            code="INVALID_SECRET_VALUE",
        )
    return NewSecret(name, value, _checked_hosts(name, allowed_hosts))


def checked_all(secrets: Sequence[NewSecret]) -> list[NewSecret]:
    """Secrets that are to be stored together; raises BadRequest."""
    if not secrets:
        raise BadRequest("secrets: name at least one", code="INVALID_REQUEST")
    if len(secrets) > SECRETS_A_GUILD:
        raise BadRequest(
            f"secrets: there are {len(secrets)}, and a guild may have {SECRETS_A_GUILD}",
            code="INVALID_REQUEST",
        )
    names = [secret.name for secret in secrets]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadRequest(f"secrets: {twice[0]} is there twice", code="INVALID_REQUEST")
    return list(secrets)


def _checked_hosts(name: str, hosts: Sequence[str]) -> tuple[str, ...]:
    if len(hosts) > HOSTS_A_SECRET:
        raise BadRequest(
            f"allowed_hosts: {name} has {len(hosts)} and may have {HOSTS_A_SECRET}",
            code="INVALID_ALLOWED_HOST",
        )
    longest = max(hosts, key=len, default="")
    if len(longest) > HOST_LENGTH:
        raise BadRequest(
            f"allowed_hosts: {longest[:40]!r}… is too long: a host may have {HOST_LENGTH} characters",
            code="INVALID_ALLOWED_HOST",
        )
    try:
        for host in hosts:
            parse_allowed_host(host)
    except InvalidInput as error:
        raise BadRequest(f"allowed_hosts: {error}", code="INVALID_ALLOWED_HOST") from None
    return tuple(dict.fromkeys(host.strip().lower() for host in hosts))
