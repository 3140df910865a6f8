# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Networks of a block list: read, normalise, and find those that must never be blocked.

Lists are long, so a network is a plain tuple of numbers and the usual spelling is read without the
`ipaddress` module, which takes over for everything unusual and for saying what is wrong. What is too long
even for that, `block_list` reads.
"""

from __future__ import annotations

import ipaddress
import socket
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, Protocol

BITS = {4: 32, 6: 128}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_MAPPED_PREFIX = 0xFFFF << 32  # ::ffff:0:0/96 holds the IPv4 addresses
_MAPPED_LENGTH = 96


class Network(NamedTuple):
    """A network: IP version (4 or 6), first address as a number, prefix length in bits."""

    version: int
    first: int
    length: int

    @property
    def last(self) -> int:
        """The last address as a number."""
        return self.first | ((1 << (BITS[self.version] - self.length)) - 1)

    def __str__(self) -> str:
        """Spell the network as the kernel lists it: canonical, a single address without its length."""
        address = socket.inet_ntop(FAMILY[self.version], self.first.to_bytes(BITS[self.version] // 8, "big"))
        return address if self.length == BITS[self.version] else f"{address}/{self.length}"


@dataclass(frozen=True)
class Entry:
    """One item of a block list: its place in the list (from 1), its spelling there, what it means."""

    position: int
    text: str
    network: Network


@dataclass(frozen=True)
class BlockList:
    """A block list as read: valid `entries`, `faults` that are not, `notes` of what was adjusted."""

    entries: tuple[Entry, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Protected:
    """A network that must never be blocked, and what it is."""

    name: str
    network: Network


@dataclass(frozen=True)
class Conflict:
    """An entry that overlaps a protected network."""

    entry: Entry
    protected: Protected

    def __str__(self) -> str:
        return (
            f"entry {self.entry.position}, {self.entry.text}, overlaps "
            f"{self.protected.network} ({self.protected.name})"
        )


def parse_network(text: str) -> tuple[Network, str | None]:
    """Read an address or network, IPv4 or IPv6.

    :returns: the network and, when the text was not its normal form, a note of what was adjusted
    :raises ValueError: when the text is neither; the message names it
    """
    text = text.strip()
    try:
        return Network(4, int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big"), 32), None
    except (OSError, ValueError):
        pass  # not a plain IPv4 address
    try:
        if "%" in text:
            raise ValueError("an address with an interface means nothing in a list")
        interface = ipaddress.ip_interface(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is neither an address nor a network such as 192.0.2.7 or 2001:db8::/32"
        ) from error
    network = Network(interface.version, int(interface.network.network_address), interface.network.prefixlen)
    note = None
    if int(interface.ip) != network.first:
        note = f"{text} has host bits set; taken as {network}"
    if network.version == 6 and network.length >= _MAPPED_LENGTH and network.first >> 32 == 0xFFFF:
        network = Network(4, network.first - _MAPPED_PREFIX, network.length - _MAPPED_LENGTH)
        note = f"{text} is an IPv4 address written as IPv6; taken as {network}"
    return network, note


def read_block_list(items: Sequence[object]) -> BlockList:
    """Read the items of a block list: texts, or mappings with `address` and perhaps `reason`."""
    entries: list[Entry] = []
    faults: list[str] = []
    notes: list[str] = []
    for position, item in enumerate(items, start=1):
        text = item.get("address") if isinstance(item, Mapping) else item
        if not isinstance(text, str) or not text.strip():
            faults.append(f"entry {position}: {item!r} has no address")
            continue
        try:
            network, note = parse_network(text)
        except ValueError as error:
            faults.append(f"entry {position}: {error}")
            continue
        if note:
            notes.append(f"entry {position}: {note}")
        entries.append(Entry(position, text.strip(), network))
    return BlockList(tuple(entries), tuple(faults), tuple(notes))


def drop_covered(protected: Sequence[Protected]) -> tuple[Protected, ...]:
    """Leave out what lies within another one, so that a refusal names a network once, by its widest name."""

    def covers(outer: Protected, inner: Protected) -> bool:
        return (
            outer.network.version == inner.network.version
            and outer.network.first <= inner.network.first
            and inner.network.last <= outer.network.last
        )

    return tuple(
        inner
        for place, inner in enumerate(protected)
        if not any(
            covers(outer, inner) and (other < place or not covers(inner, outer))
            for other, outer in enumerate(protected)
            if other != place
        )
    )


def find_conflicts(entries: Iterable[Entry], protected: Sequence[Protected]) -> tuple[Conflict, ...]:
    """Pair each entry with every protected network it overlaps, in the order of the list."""
    guards = {version: [one for one in protected if one.network.version == version] for version in BITS}
    reach = Reach(one.network for one in protected)
    return tuple(
        Conflict(entry, guard)
        for entry in entries
        if reach.overlaps(entry.network)
        for guard in guards[entry.network.version]
        if entry.network.first <= guard.network.last and guard.network.first <= entry.network.last
    )


class Spanning(Protocol):
    """Anything with an IP version, a first and a last address."""

    @property
    def version(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...


class Reach:
    """Answers by bisection whether a network overlaps any of a few: most entries overlap none."""

    def __init__(self, networks: Iterable[Spanning]) -> None:
        spans: dict[int, list[tuple[int, int]]] = {version: [] for version in BITS}
        for network in networks:
            spans[network.version].append((network.first, network.last))
        self._firsts = {version: [first for first, _ in sorted(group)] for version, group in spans.items()}
        self._lasts = {
            version: list(accumulate((last for _, last in sorted(group)), max))
            for version, group in spans.items()
        }

    def overlaps(self, network: Spanning) -> bool:
        """Tell whether any network begins before this one ends and reaches its beginning."""
        begun = bisect_right(self._firsts[network.version], network.last)
        return begun > 0 and self._lasts[network.version][begun - 1] >= network.first
