"""Tokens in the system's keyring: Keychain, Credential Locker, Secret Service.

Where there is none, or it does not answer in time, callers are told so and keep the token themselves. A
keyring may ask its user to unlock it, so that it has some seconds for an answer.
"""

from __future__ import annotations

from typing import Final

from flora_cli.in_time import answer_within

SERVICE: Final = "flora"
ANSWER_SECONDS: Final = 30.0
"""A person may have to type a password."""


def put(url: str, token: str) -> bool:
    """Keep the token of ``url``; whether the keyring has it now."""

    def act() -> bool:
        ring = _ring()
        if ring is None:
            return False
        ring.set_password(SERVICE, url, token)
        return ring.get_password(SERVICE, url) == token

    return answer_within(ANSWER_SECONDS, act, otherwise=False)


def get(url: str) -> str:
    """The token of ``url``; empty when the keyring has none, or is none."""

    def act() -> str:
        ring = _ring()
        return (ring.get_password(SERVICE, url) or "") if ring is not None else ""

    return answer_within(ANSWER_SECONDS, act, otherwise="")


def delete(url: str) -> None:
    """Forget the token of ``url``, if there is one."""

    def act() -> None:
        ring = _ring()
        if ring is not None:
            ring.delete_password(SERVICE, url)

    answer_within(ANSWER_SECONDS, act, otherwise=None)


def _ring():  # noqa: ANN202  keyring is imported here alone
    """The keyring; None when this system has none."""
    import keyring  # noqa: PLC0415  # a fifth of a second that most commands do not need
    from keyring.backends import fail, null  # noqa: PLC0415

    ring = keyring.get_keyring()
    return None if isinstance(ring, (fail.Keyring, null.Keyring)) else ring
