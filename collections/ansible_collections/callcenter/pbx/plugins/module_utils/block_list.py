# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Long block lists: read from plain text, merged, spelled, and packed for the way to the host.

A list has up to a million entries, so a network is one number here, its key: the first address, then eight
bits of prefix length. Keys sort by address, the wider network first. The usual spellings are read without
the `ipaddress` module; `parse_network` takes over for everything unusual.
"""

from __future__ import annotations

import base64
import json
import socket
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall_networks import (
    BITS,
    Network,
    Protected,
    parse_network,
)

Keys = Mapping[int, Sequence[int]]
"""Keys by IP version (4, 6)."""

_LENGTH_BITS = 8
_LENGTH_MASK = (1 << _LENGTH_BITS) - 1
_ANY_LINES = 5
_PART = 3
_SHOWN_TEXT = 60

RESERVED = tuple(
    Protected(name, parse_network(text)[0])
    for name, text in (
        ("this network", "0.0.0.0/8"),
        ("private network", "10.0.0.0/8"),
        ("carrier-grade NAT", "100.64.0.0/10"),
        ("loopback", "127.0.0.0/8"),
        ("link-local network", "169.254.0.0/16"),
        ("private network", "172.16.0.0/12"),
        ("private network", "192.168.0.0/16"),
        ("multicast", "224.0.0.0/4"),
        ("reserved network", "240.0.0.0/4"),
        ("loopback and unspecified address", "::/127"),
        ("private network", "fc00::/7"),
        ("link-local network", "fe80::/10"),
        ("multicast", "ff00::/8"),
    )
)
"""What no source on the internet can be. Labs live in documentation and benchmark networks."""


@dataclass(frozen=True)
class Fault:
    """A line that is no entry: its number in the file (from 1) and its text, shortened."""

    line: int
    text: str


@dataclass(frozen=True)
class PlainList:
    """What a plain list says.

    :param keys: its networks, merged
    :param entries: lines that are an entry
    :param faults: lines that are neither entry nor comment
    """

    keys: Keys
    entries: int
    faults: tuple[Fault, ...]

    @property
    def is_mostly_garbage(self) -> bool:
        """Tell whether this is no block list: more than 5 faults, and more than a third of its lines."""
        lines = self.entries + len(self.faults)
        return len(self.faults) > _ANY_LINES and len(self.faults) * _PART > lines


def key_of(network: Network) -> int:
    """Return a network's key."""
    return network.first << _LENGTH_BITS | network.length


def network_of(version: int, key: int) -> Network:
    """Return the network of a key."""
    return Network(version, key >> _LENGTH_BITS, key & _LENGTH_MASK)


def parse_plain(text: str) -> PlainList:
    """Read a plain list: one address or network a line, comments from ``#`` or ``;`` to the line's end."""
    pton, inet = socket.inet_pton, socket.AF_INET
    hosts: list[bytes] = []
    found: dict[int, list[int]] = {4: [], 6: []}
    faults: list[Fault] = []
    for number, line in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), start=1):
        try:
            hosts.append(pton(inet, line))
            continue
        except (OSError, ValueError):
            entry = line.partition("#")[0].partition(";")[0].strip()
        if not entry:
            continue
        try:
            version, key = _parse_entry(entry)
        except ValueError:
            shown = entry if len(entry) <= _SHOWN_TEXT else entry[: _SHOWN_TEXT - 3] + "..."
            faults.append(Fault(number, shown))
            continue
        found[version].append(key)
    entries = len(hosts) + sum(map(len, found.values()))
    found[4] += (int.from_bytes(host, "big") << _LENGTH_BITS | 32 for host in hosts)
    keys = {version: merge_keys(keys, version) for version, keys in found.items()}
    return PlainList(keys, entries, tuple(faults))


def _parse_entry(entry: str) -> tuple[int, int]:
    """Return version and key of one entry; `ValueError` when it is none."""
    address, slash, length = entry.partition("/")
    if not slash or (len(length) <= 2 and length.isascii() and length.isdigit() and int(length) <= 32):
        try:
            first = int.from_bytes(socket.inet_pton(socket.AF_INET, address), "big")
        except (OSError, ValueError):
            pass  # IPv6, or nothing
        else:
            bits = int(length) if slash else 32
            return 4, (first >> (32 - bits) << (32 - bits)) << _LENGTH_BITS | bits
    network = parse_network(entry)[0]
    return network.version, key_of(network)


def merge_keys(keys: Iterable[int], version: int) -> list[int]:
    """Sort keys and leave out repetitions and networks that lie within another one."""
    last_in = [(1 << (BITS[version] - length)) - 1 for length in range(BITS[version] + 1)]
    merged: list[int] = []
    reached = -1
    for key in sorted(keys):
        first = key >> _LENGTH_BITS
        if first > reached:
            reached = first | last_in[key & _LENGTH_MASK]
            merged.append(key)
    return merged


def spell(keys: Keys) -> dict[int, list[str]]:
    """Spell networks as the kernel lists them."""
    ntop, inet, single = socket.inet_ntop, socket.AF_INET, 32
    return {
        version: [
            ntop(inet, (key >> _LENGTH_BITS).to_bytes(4, "big"))
            if version == 4 and key & _LENGTH_MASK == single
            else str(network_of(version, key))
            for key in group
        ]
        for version, group in keys.items()
    }


class Index:
    """Finds among merged networks those that overlap another one, by bisection."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._firsts = {version: [key >> _LENGTH_BITS for key in group] for version, group in keys.items()}

    def overlapping(self, network: Network) -> Sequence[int]:
        """Return the keys of the networks that share an address with this one."""
        keys, firsts = self._keys[network.version], self._firsts[network.version]
        begin = bisect_right(firsts, network.first)
        if begin and network_of(network.version, keys[begin - 1]).last >= network.first:
            begin -= 1
        return keys[begin : bisect_right(firsts, network.last)]


def leave_out(
    keys: Keys, protected: Iterable[Protected]
) -> tuple[Keys, tuple[tuple[Network, Protected], ...]]:
    """Part merged networks from those that overlap a protected one; these come with the first such."""
    index = Index(keys)
    hit: dict[tuple[int, int], Protected] = {}
    for guard in protected:
        for key in index.overlapping(guard.network):
            hit.setdefault((guard.network.version, key), guard)
    kept = {
        version: [key for key in group if (version, key) not in hit] if hit else list(group)
        for version, group in keys.items()
    }
    return kept, tuple(
        (network_of(*place), guard) for place, guard in sorted(hit.items(), key=lambda one: one[0])
    )


def describe_left_out(name: str, left_out: Sequence[tuple[Network, Protected]], shown: int = 3) -> str:
    """Say which entries of a list were left out, the first few by name."""
    few = ", ".join(f"{network} ({guard.name} {guard.network})" for network, guard in left_out[:shown])
    more = f" and {len(left_out) - shown} more" if len(left_out) > shown else ""
    entries = "entry overlaps" if len(left_out) == 1 else "entries overlap"
    return f"{name}: {len(left_out)} {entries} what must never be blocked, left out: {few}{more}"


def describe_faults(name: str, faults: Sequence[Fault], shown: int = 3) -> str:
    """Say which lines of a list mean nothing, the first few with their text."""
    few = ", ".join(f"{name}:{fault.line}: {fault.text!r}" for fault in faults[:shown])
    rest = faults[shown:]
    more = f"; and {len(rest)} more, lines {_spell_lines(rest)}" if rest else ""
    return f"no address or network, skipped: {few}{more}"


def _spell_lines(faults: Sequence[Fault], most: int = 10) -> str:
    """Spell line numbers as `4, 7-9`."""
    numbered = enumerate(fault.line for fault in faults)
    runs = [[line for _, line in run] for _, run in groupby(numbered, lambda pair: pair[1] - pair[0])]
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    return ", ".join(texts[:most]) + (", ..." if len(texts) > most else "")


def pack(content: Mapping[str, Any]) -> str:
    """Make one short text of what JSON can hold, for an argument of a module."""
    return base64.b64encode(zlib.compress(json.dumps(content).encode(), 6)).decode("ascii")


def unpack(text: str) -> dict[str, Any]:
    """Return what `pack` was given."""
    content: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(text)))
    return content
