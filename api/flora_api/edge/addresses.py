"""Which address a request comes from. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

IPV6_PREFIX = 64
"""A household has at least so many addresses to itself, and they count as one."""


def client_address(peer: str, forwarded: Sequence[str], *, trusted: int) -> str:
    """The address to count by. ``forwarded``: values of X-Forwarded-For, in order.

    Each proxy adds the address that it was called from, so of what ``trusted`` proxies of ours say the one
    furthest from us is the client's; what stands before it anybody may have written.
    """
    said = [part.strip() for value in forwarded for part in value.split(",") if part.strip()]
    if not trusted or not said:
        return counted(peer)
    return counted(said[-trusted] if len(said) >= trusted else said[0], otherwise=peer)


@lru_cache(maxsize=4096)
def counted(address: str, *, otherwise: str = "") -> str:
    """``address`` as it is counted: IPv4 as it is, IPv6 by its network; ``otherwise`` when it is none."""
    try:
        ip = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return counted(otherwise) if otherwise else "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((int(ip), IPV6_PREFIX), strict=False).network_address)
    return str(ip)
