"""Names to addresses, once for each request, and connections to exactly those.

``Resolver.resolve`` looks a name up and checks every address that comes back; when one of them may not be
reached the name is refused as a whole, since which one a connection takes is chance. ``Pinned`` then gives
a connector these addresses and no others: between the check and the connection nobody is asked again, so a
name server that changes its mind (DNS rebinding) changes nothing.

Look-ups are ``getaddrinfo`` on threads of their own: it cannot be cancelled, and must not hold up those
who read files. A guild has a few at a time, so that names which never answer keep only its own waiting.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from flora_core.ids import GuildId
from flora_runtime.fetch import limits
from flora_runtime.fetch.address import AddressRules, parse_address
from flora_runtime.fetch.errors import FetchRefused

Lookup = Callable[[str], list[str]]
"""All addresses of a name; blocks, and raises OSError."""

ADDRESSES_MOST: Final = 16


def system_lookup(host: str) -> list[str]:
    """What the machine's own resolver says."""
    infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


class Resolver:
    """See the module's text."""

    def __init__(self, rules: AddressRules, *, lookup: Lookup = system_lookup) -> None:
        self._rules = rules
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(limits.LOOKUP_THREADS, thread_name_prefix="fetch-dns")
        self._busy: Counter[GuildId] = Counter()

    async def resolve(self, guild: GuildId, host: str) -> list[str]:
        """The addresses of ``host``, all of them allowed; raises FetchRefused."""
        if parse_address(host) is not None:
            return self._check(host, [host])
        if self._busy[guild] >= limits.GUILD_LOOKUPS:
            raise FetchRefused("FETCH_TOO_MANY", "too many host names are being looked up; await them")
        found = asyncio.get_running_loop().run_in_executor(self._threads, self._lookup, host)
        self._busy[guild] += 1
        found.add_done_callback(lambda ended: self._ended(guild, ended))
        try:
            # Whoever is cancelled stops waiting; the thread stays busy, and is counted until it ends.
            addresses = await asyncio.shield(found)
        except (OSError, UnicodeError):
            raise FetchRefused("FETCH_FAILED", f"there is no host {host}") from None
        return self._check(host, addresses)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self, guild: GuildId, found: asyncio.Future[list[str]]) -> None:
        if not found.cancelled():
            found.exception()  # looked at, also when nobody waits any more
        self._busy[guild] -= 1
        if not self._busy[guild]:
            del self._busy[guild]

    def _check(self, host: str, addresses: list[str]) -> list[str]:
        for text in addresses:
            address = parse_address(text)
            if address is None or not self._rules.permits(address):
                raise FetchRefused(
                    "FETCH_FORBIDDEN_ADDRESS",
                    f"{host} is not on the public internet; scripts reach nothing else",
                )
        if not addresses:
            raise FetchRefused("FETCH_FAILED", f"there is no host {host}")
        return addresses[:ADDRESSES_MOST]


class Pinned(AbstractResolver):
    """Answers with the addresses it was made with, whatever is asked."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""
