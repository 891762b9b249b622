"""Which addresses a script may reach."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_runtime.fetch.address import Address, AddressRules, is_public, parse_address, parse_networks

v4 = st.integers(0, 2**32 - 1).map(IPv4Address)
v6 = st.integers(0, 2**128 - 1).map(IPv6Address)
global_v6 = st.integers(0x2 << 124, (0x4 << 124) - 1).map(IPv6Address)

REFUSED = {
    "this network": "0.0.0.0 0.1.2.3",
    "loopback": "127.0.0.1 127.255.255.255 ::1",
    "private": "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1",
    "link-local and the clouds' metadata": "169.254.169.254 fe80::1 fe80::1%eth0",
    "carrier-grade NAT": "100.64.0.1 100.100.100.200 100.127.255.255",
    "protocol assignments": "192.0.0.1 192.0.0.192",
    "documentation": "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff::1",
    "benchmarking": "198.18.0.1 198.19.255.255 2001:2::1",
    "multicast": "224.0.0.1 239.255.255.255 ff02::1 ff0e::1",
    "reserved and broadcast": "240.0.0.1 255.255.255.255",
    "6to4 relays": "192.88.99.1",
    "Azure's host": "168.63.129.16",
    "unspecified": "::",
    "unique local": "fc00::1 fd00:ec2::254",
    "site-local": "fec0::1",
    "IPv4-mapped": "::ffff:127.0.0.1 ::ffff:8.8.8.8",
    "IPv4-compatible": "::127.0.0.1 ::8.8.8.8",
    "IPv4-translated": "::ffff:0:10.0.0.1",
    "NAT64": "64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::a00:1",
    "6to4": "2002:7f00:1:: 2002:a00:1::1 2002:808:808::1",
    "Teredo": "2001:0:53aa:64c::1 2001::1",
    "ORCHID": "2001:10::1 2001:20::1",
    "discard-only": "100::1",
    "the 6bone": "3ffe::1",
    "outside of global unicast": "4000::1 5f00::1 8000::1 e000::1",
}
PUBLIC = (
    "1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.169.0.1 198.20.0.1 223.255.255.255"
)
PUBLIC_6 = "2606:4700:4700::1111 2a00:1450:4001::1 2001:4860:4860::8888 2400:cb00::1"


@pytest.mark.parametrize("addresses", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_the_public_internet_is_refused(addresses: str) -> None:
    assert [text for text in addresses.split() if AddressRules().permits(ip_address(text))] == []


@pytest.mark.parametrize("text", [*PUBLIC.split(), *PUBLIC_6.split()])
def test_public_addresses_are_let_through(text: str) -> None:
    assert AddressRules().permits(ip_address(text))


@given(st.one_of(v4, v6, global_v6))
def test_nothing_that_python_calls_special_is_public(address: Address) -> None:
    special = (
        address.is_private,
        address.is_loopback,
        address.is_link_local,
        address.is_multicast,
        address.is_reserved,
        address.is_unspecified,
    )
    if is_public(address):
        # Python has all of 2001::/23's few global assignments, and we have none of them.
        assert not any(special)
        assert address.is_global


@given(v4)
def test_what_python_calls_global_is_public_but_for_a_few_named_ranges(address: IPv4Address) -> None:
    ours = parse_networks("168.63.129.16 192.88.99.0/24 192.0.0.0/24 224.0.0.0/4")
    if address.is_global and not any(address in network for network in ours):
        assert is_public(address)


@given(v4)
def test_no_ipv6_notation_of_an_ipv4_address_is_public(address: IPv4Address) -> None:
    number = int(address)
    embedded = [
        number,  # compatible
        (0xFFFF << 32) | number,  # mapped
        (0xFFFF << 48) | number,  # translated
        (0x64FF9B << 96) | number,  # NAT64
        (0x2002 << 112) | (number << 80),  # 6to4
        (0x20010000 << 96) | (number ^ 0xFFFFFFFF),  # Teredo
    ]
    assert not any(is_public(IPv6Address(value)) for value in embedded)


@given(st.one_of(v4, v6))
def test_an_address_means_the_same_in_every_spelling(address: Address) -> None:
    spelled = {str(address), address.exploded, address.compressed}
    assert {is_public(ip_address(text)) for text in spelled} == {is_public(address)}


def test_an_installation_may_allow_and_deny_ranges_and_denying_is_stronger() -> None:
    rules = AddressRules(parse_networks("10.0.0.0/8, 127.0.0.1"), parse_networks("10.96.0.0/12 8.8.8.8"))
    permitted = [
        rules.permits(ip_address(t)) for t in ("10.1.1.1", "127.0.0.1", "127.0.0.2", "10.96.0.1", "8.8.8.8")
    ]
    assert permitted == [True, True, False, False, False]


def test_where_nat64_is_allowed_the_address_inside_still_counts() -> None:
    rules = AddressRules(allow=parse_networks("64:ff9b::/96"))
    assert rules.permits(ip_address("64:ff9b::808:808"))
    for inside in ("127.0.0.1", "10.0.0.1", "169.254.169.254"):
        assert not rules.permits(IPv6Address(int(IPv6Address("64:ff9b::")) | int(IPv4Address(inside))))


def test_a_zone_is_never_let_through() -> None:
    assert not AddressRules(allow=parse_networks("::/0")).permits(ip_address("fe80::1%1"))


def test_a_range_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"'10\.0\.0\.1/8' is no range"):
        parse_networks("1.1.1.1, 10.0.0.1/8")


@pytest.mark.parametrize(
    "text", ["0x7f.1", "127.1", "2130706433", "0177.0.0.1", "localhost", "1.2.3.4.", "", "١.1.1.1"]
)
def test_odd_notations_are_no_addresses(text: str) -> None:
    assert parse_address(text) is None
