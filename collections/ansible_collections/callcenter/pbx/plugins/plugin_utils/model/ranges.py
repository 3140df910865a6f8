"""Networks and ranges of addresses, as people write them."""

from __future__ import annotations

import socket
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

Network = IPv4Network | IPv6Network


class Range(NamedTuple):
    """A network as numbers: lists of a hundred thousand are compared in a blink."""

    version: int
    first: int
    last: int

    def overlaps(self, other: Range) -> bool:
        """True when both share an address (never across families)."""
        return self.version == other.version and self.first <= other.last and other.first <= self.last


def parse_network(text: str) -> Network | None:
    """Return ``text`` (an address or network of either family, without host bits) as a network, or None."""
    for family in (IPv4Network, IPv6Network):
        try:
            return family(text)
        except ValueError:
            continue
    return None


def parse_range(text: str) -> Range | None:
    """Return ``text`` as `parse_network` would, in numbers; IPv4 without the cost of `ipaddress`."""
    address, slash, length = text.partition("/")
    try:
        first = int.from_bytes(socket.inet_pton(socket.AF_INET, address), "big")
    except (OSError, ValueError):
        network = parse_network(text)
        if network is None:
            return None
        return Range(network.version, int(network.network_address), int(network.broadcast_address))
    if not slash:
        return Range(4, first, first)
    if not (length.isascii() and length.isdigit() and len(length) <= 2 and int(length) <= 32):
        return None
    size = 1 << (32 - int(length))
    return Range(4, first, first + size - 1) if first % size == 0 else None


def overlap(one: Network, other: Network) -> bool:
    """True when the two networks share an address (never across families)."""
    return one.version == other.version and one.overlaps(other)
