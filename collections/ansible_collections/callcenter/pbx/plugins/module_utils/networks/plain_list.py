# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Long block lists: read from plain text, merged, spelled, and packed for the way to the host.

A list has up to a million entries, so a network is one number here, its key: the first address, then eight
bits of prefix length. Keys sort by address, the wider network first. Addresses are read without the
`ipaddress` module, which takes twenty times as long.

A list may come from somebody who means harm, so what it costs to read is bounded: by its length alone.
"""

from __future__ import annotations

import base64
import functools
import ipaddress
import json
import socket
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import (
    BITS,
    FAMILY,
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
_MOST_FAULTS = 10_000
_SHOWN_TEXT = 60
_LONGEST_ENTRY = 100
_BLOCK_CHARACTERS = 1 << 18
_MAPPED = 0xFFFF  # the upper part of an IPv4 address that is written as IPv6
_MAPPED_BITS = 96

WIDEST_LISTED = {4: 8, 6: 16}
"""Prefix lengths: no wider block of addresses was ever given to one holder."""


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
    :param faults: lines that are neither entry nor comment; behind the last of very many nothing was read
    """

    keys: Keys
    entries: int
    faults: tuple[Fault, ...]

    @property
    def is_mostly_garbage(self) -> bool:
        """Tell whether this is no block list: more than 5 faults, and more than a third of its lines."""
        lines = self.entries + len(self.faults)
        return self.is_cut or (len(self.faults) > _ANY_LINES and len(self.faults) * _PART > lines)

    @property
    def is_cut(self) -> bool:
        """Tell whether reading ended early, for more than 10,000 faults."""
        return len(self.faults) > _MOST_FAULTS


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
    for number, line in enumerate(_lines(text.removeprefix("\ufeff")), start=1):
        if not line or line[0] in "#;":
            continue
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
            if len(faults) > _MOST_FAULTS:
                break
            continue
        found[version].append(key)
    entries = len(hosts) + sum(map(len, found.values()))
    found[4] += (int.from_bytes(host, "big") << _LENGTH_BITS | 32 for host in hosts)
    keys = {version: merge_keys(keys, version) for version, keys in found.items()}
    return PlainList(keys, entries, tuple(faults))


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text by blocks: all of them at once may take ten times the text's memory."""
    begin = 0
    while begin < len(text):
        reach = begin + _BLOCK_CHARACTERS
        end = (text.rfind("\n", begin, reach) + 1) or (text.find("\n", reach) + 1) or len(text)
        yield from text[begin:end].replace("\r\n", "\n").removesuffix("\n").split("\n")
        begin = end


def _parse_entry(entry: str) -> tuple[int, int]:
    """Return version and key of one entry; `ValueError` when it is none."""
    if len(entry) > _LONGEST_ENTRY:
        raise ValueError("longer than any network is written")
    address, slash, length = entry.partition("/")
    version = 6 if ":" in address else 4
    try:
        first = int.from_bytes(socket.inet_pton(FAMILY[version], address), "big")
    except OSError as error:
        raise ValueError(str(error)) from error
    bits = _read_length(version, length) if slash else BITS[version]
    if version == 6 and bits >= _MAPPED_BITS and first >> BITS[4] == _MAPPED:
        version, first, bits = 4, first & ((1 << BITS[4]) - 1), bits - _MAPPED_BITS
    free = BITS[version] - bits
    return version, (first >> free << free) << _LENGTH_BITS | bits


@functools.lru_cache(maxsize=1024)
def _read_length(version: int, text: str) -> int:
    """Return the prefix length that digits or a mask mean; `ValueError` when they mean none."""
    return ipaddress.ip_network(f"{'0.0.0.0' if version == 4 else '::'}/{text}").prefixlen


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


def too_wide(keys: Keys) -> list[Network]:
    """Return the networks that no list may name, for what they would block of the internet."""
    wide = (
        network_of(version, key)
        for version, group in keys.items()
        for key in group
        if key & _LENGTH_MASK < WIDEST_LISTED[version]
    )
    return [network for network in wide if not _is_reserved(network)]


def _is_reserved(network: Network) -> bool:
    """Tell whether all of a network is reserved, as in lists that begin with what cannot be a source."""
    begin = network.first
    for guard in (one.network for one in RESERVED if one.network.version == network.version):
        if guard.first <= begin <= guard.last:
            begin = guard.last + 1
    return begin > network.last


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
