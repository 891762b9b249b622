"""Rendezvous hashing of guilds to runtime pods, and of a pod's guilds to its workers.

Every (guild, node) pair has a fixed weight; a guild lives on the node with the highest one. Adding a
node moves only the guilds that now weigh most on it, removing one moves only its own: the least that
can move (Thaler & Ravishankar, "Using name-based mappings to increase hit rates", 1998).

The weight is the first eight bytes, big-endian, of BLAKE2b (RFC 7693) with digest size 8 over
``guild + 0x00 + node`` in UTF-8. This is part of flora's interface: whoever wants to know where a guild
lives may compute it in any language, and it must never change while a cluster holds data.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from flora_core.errors import NoPods
from flora_core.ids import GuildId, PodName


def weight(guild: GuildId, node: str) -> int:
    """How strongly ``guild`` is drawn to ``node``: 0 to 2**64 - 1."""
    digest = blake2b(f"{guild}\0{node}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def owner(guild: GuildId, pods: Sequence[PodName]) -> PodName:
    """The pod that should hold ``guild``.

    Raises NoPods when ``pods`` is empty. Ties, which take two equal 64-bit hashes, go to the pod whose
    name sorts last, so that the order of ``pods`` never matters.
    """
    if not pods:
        raise NoPods(guild)
    return max(pods, key=lambda pod: (weight(guild, pod), pod))


def worker_of(guild: GuildId, workers: int) -> int:
    """The worker, 0 to ``workers`` - 1, that runs ``guild`` inside its pod; raises NoPods below one."""
    if workers < 1:
        raise NoPods(guild)
    return max(range(workers), key=lambda worker: (weight(guild, f"worker-{worker}"), worker))
