"""Which addresses a script may reach. Pure.

Refused is what is not the public internet, after IANA's special-purpose registries (RFC 6890 and its
updates), and what clouds answer to their machines on. IPv6 is the other way round: only global unicast
(2000::/3) is let through, less the ranges in it that are special or carry an IPv4 address inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED_4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; some clouds' metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host, to each of its machines
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # IETF protocol assignments; Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_GLOBAL_6: Final = IPv6Network("2000::/3")
_REFUSED_6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments, among them Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3ffe::/16",  # the 6bone, given back
        "3fff::/20",  # documentation
    )
)


@dataclass(slots=True, frozen=True)
class AddressRules:
    """What an installation adds: its own ranges to refuse, and hosts of a test or a laptop to allow."""

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()
    """Stronger than ``allow``."""

    def permits(self, address: Address) -> bool:
        """Whether a script may connect to ``address``."""
        if getattr(address, "scope_id", None) or _within(address, self.deny):
            return False
        if (
            isinstance(address, IPv6Address) and address in _NAT64
        ):  # allowed: then what it leads to counts as well
            return _within(address, self.allow) and self.permits(IPv4Address(int(address) & 0xFFFFFFFF))
        return _within(address, self.allow) or is_public(address)


def is_public(address: Address) -> bool:
    """Whether ``address`` is on the public internet."""
    if isinstance(address, IPv4Address):
        return not _within(address, _REFUSED_4)
    return address in _GLOBAL_6 and not _within(address, _REFUSED_6)


def parse_networks(text: str) -> tuple[Network, ...]:
    """CIDR ranges (``10.96.0.0/12``) or single addresses, separated by commas or white space.

    Raises ValueError naming the first that is none.
    """
    networks: list[Network] = []
    for part in text.replace(",", " ").split():
        try:
            networks.append(ip_network(part))
        except ValueError:
            raise ValueError(f"{part!r} is no range of addresses like 10.96.0.0/12") from None
    return tuple(networks)


def parse_address(text: str) -> Address | None:
    """An address in its usual notation; None for anything else."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
