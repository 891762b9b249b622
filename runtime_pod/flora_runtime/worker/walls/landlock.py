"""Landlock: the kernel takes the file system, TCP, and signals to others from this thread and its children.

A ruleset that handles a right and grants it nowhere denies it everywhere. It asks the kernel which rights it
knows (its ABI) and handles all of them: ABI 1 has files, 4 TCP, 5 ioctl on devices, 6 signals and abstract
sockets (``<linux/landlock.h>``, Documentation/userspace-api/landlock.rst). What is open already stays usable.
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from typing import Final

_CREATE_RULESET: Final = 444  # the same on every architecture
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1

NETWORK_ABI: Final = 4
SCOPE_ABI: Final = 6

_FILES: Final = (1 << 13) - 1
_REFER: Final = 1 << 13
_TRUNCATE: Final = 1 << 14
_IOCTL_DEVICE: Final = 1 << 15
_TCP: Final = 0b11  # bind, connect
_SCOPES: Final = 0b11  # abstract unix sockets, signals

_ATTRIBUTES: Final = struct.Struct("=QQQ")


@dataclass(slots=True, frozen=True)
class Handled:
    """Rights that are taken away."""

    files: int
    network: int
    scopes: int

    def encode(self, abi: int) -> bytes:
        """As ``struct landlock_ruleset_attr``, as long as ``abi`` knows it."""
        size = 8 if abi < NETWORK_ABI else 16 if abi < SCOPE_ABI else 24
        return _ATTRIBUTES.pack(self.files, self.network, self.scopes)[:size]


def all_rights(abi: int) -> Handled:
    """Everything that landlock of this ABI can take away."""
    files = _FILES
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEVICE)):
        if abi >= since:
            files |= right
    return Handled(files, _TCP if abi >= NETWORK_ABI else 0, _SCOPES if abi >= SCOPE_ABI else 0)


def abi() -> int:
    """The kernel's; 0 when it has no landlock, or it is switched off."""
    return max(0, ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _ASK_VERSION))


def restrict(known: int) -> None:
    """Take all rights that ABI ``known`` has from this thread and what it starts; raises OSError.

    The process must have given up new privileges before.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = all_rights(known).encode(known)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        raise _error("landlock_create_ruleset")
    try:
        if libc.syscall(_RESTRICT_SELF, ruleset, 0) < 0:
            raise _error("landlock_restrict_self")
    finally:
        os.close(ruleset)


def _error(call: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}")
