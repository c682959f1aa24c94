"""Addresses that webhooks may be sent to: public ones, and those the operator allows."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

Address = IPv4Address | IPv6Address

# Global unicast is 2000::/3 and nothing else; these parts of it are not the public Internet:
# protocol assignments with Teredo, documentation, 6to4 (which wraps an IPv4 address).
_GLOBAL = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = [
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]
# The standard library's tables leave out: protocol assignments, 6to4 relays.
_NOT_PUBLIC_4 = [ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24")]
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether an address is a unicast address of the public Internet.

    An IPv4 address inside IPv6 (mapped, or NAT64's well-known prefix) is checked as IPv4, because
    the packet is sent there.
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None:
            return address in _GLOBAL and not any(address in part for part in _NOT_PUBLIC_6)
        address = inner
    special = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not special and not any(address in part for part in _NOT_PUBLIC_4)


@dataclass(frozen=True)
class AllowList:
    """Hosts and networks that are allowed although they are not public, and without TLS."""

    hosts: frozenset[str]
    networks: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse host names, addresses and networks, separated by spaces or commas.

        Raises:
            ValueError: an entry with a slash is not a network.
        """
        entries = text.replace(",", " ").lower().split()
        networks = [entry for entry in entries if "/" in entry or _is_address(entry)]
        names = (entry.rstrip(".") for entry in entries if entry not in networks)
        return cls(frozenset(names), tuple(str(ip_network(entry)) for entry in networks))

    def names(self, host: str) -> bool:
        """Whether the list contains a host, by name or by address."""
        return host in self.hosts or (_is_address(host) and self._covers(ip_address(host)))

    def permits(self, host: str, addresses: Iterable[Address]) -> list[Address]:
        """Return the addresses of a host that connections are allowed to."""
        named = host in self.hosts
        return [one for one in addresses if named or is_public(one) or self._covers(one)]

    def _covers(self, address: Address) -> bool:
        return any(address in ip_network(network) for network in self.networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
