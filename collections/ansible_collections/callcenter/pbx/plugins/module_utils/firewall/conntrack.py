# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Forget connections: the kernel's connection tracking, over netlink (ctnetlink).

One socket for any number of entries, where the program `conntrack` is one process for each.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

NETLINK_NETFILTER = 12
_SUBSYSTEM = 1 << 8  # ctnetlink
_GET = _SUBSYSTEM | 1
_DELETE = _SUBSYSTEM | 2
_REQUEST, _ACKNOWLEDGE, _DUMP = 1, 4, 0x300
_ERROR, _DONE = 2, 3
_TUPLES = (1, 2)  # original direction, reply
_ZONE, _ID = 18, 12
_ADDRESSES = (1, 2, 3, 4)  # IPv4 source and destination, IPv6 source and destination
_FLAGS = 0xC000  # nested, network byte order
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_FAMILY = struct.Struct("=BBH")
_BUFFER_BYTES = 1 << 20
_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Flow:
    """A tracked connection: the addresses of both directions, and what names it to the kernel."""

    version: int
    addresses: frozenset[int]
    name: bytes


def forget(is_wanted: Callable[[Flow], bool]) -> int:
    """Delete the connections that `is_wanted` picks, and return their number.

    :raises OSError: the kernel does not track connections, or this process may not ask
    """
    count = 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        kernel.settimeout(_TIMEOUT_SECONDS)
        kernel.bind((0, 0))
        for version, family in FAMILIES.items():
            kernel.send(message(_GET, _REQUEST | _DUMP, family))
            for flow in [flow for flow in _flows(_dump(kernel), version) if is_wanted(flow)]:
                kernel.send(message(_DELETE, _REQUEST | _ACKNOWLEDGE, family, flow.name))
                error = acknowledged(kernel.recv(_BUFFER_BYTES))
                if error == 0:
                    count += 1
                elif error != _GONE:
                    raise OSError(error, os.strerror(error))
    return count


_GONE = 2  # ENOENT: it ended by itself


def message(kind: int, flags: int, family: int, attributes: bytes = b"") -> bytes:
    """Return one request."""
    body = _FAMILY.pack(family, 0, 0) + attributes
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 0, 0) + body


def acknowledged(data: bytes) -> int:
    """Return the error number of an acknowledgement, 0 for success."""
    number: int = struct.unpack_from("=i", data, _HEADER.size)[0]
    return -number


def _dump(kernel: socket.socket) -> Iterator[bytes]:
    """Yield the body of every message of a dump."""
    while True:
        for kind, body in messages(kernel.recv(_BUFFER_BYTES)):
            if kind == _DONE:
                return
            if kind == _ERROR:
                number = -struct.unpack_from("=i", body)[0]
                raise OSError(number, os.strerror(number))
            yield body


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split what one read returned into (type, body)."""
    while len(data) >= _HEADER.size:
        length, kind = _HEADER.unpack_from(data)[:2]
        yield kind, data[_HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def attributes(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (type, value, whole attribute with its padding) of a run of attributes."""
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        end = (length + 3) & ~3
        yield kind & ~_FLAGS, data[_ATTRIBUTE.size : length], data[:end]
        data = data[end:]


def _flows(bodies: Iterable[bytes], version: int) -> Iterator[Flow]:
    for body in bodies:
        yield read_flow(body, version)


def read_flow(body: bytes, version: int) -> Flow:
    """Read one tracked connection."""
    addresses: set[int] = set()
    name = b""
    for kind, value, whole in attributes(body[_FAMILY.size :]):
        if kind in _TUPLES:
            addresses |= _tuple_addresses(value)
        if kind in (_TUPLES[0], _ZONE, _ID):
            name += whole
    return Flow(version, frozenset(addresses), name)


def _tuple_addresses(data: bytes) -> set[int]:
    return {
        int.from_bytes(address, "big")
        for kind, value, _ in attributes(data)
        if kind == 1  # the addresses; 2 would be protocol and ports
        for place, address, _ in attributes(value)
        if place in _ADDRESSES
    }
