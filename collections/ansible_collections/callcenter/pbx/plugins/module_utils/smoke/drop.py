# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Prove with packets that SIP-BLACKLIST drops.

Addresses for documentation, which nobody on the internet has, are banned for seconds, and packets with them
as sender come in through an interface of our own. It exists as long as this process holds it open, whatever
happens. Each ban's own counter tells how many packets were dropped, so nobody else's packets take part.
"""

from __future__ import annotations

import fcntl
import os
import random
import re
import socket
import struct
import subprocess
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import BANNED, NEVER, SETS
from ansible_collections.callcenter.pbx.plugins.module_utils.host.command import ENVIRONMENT

PACKETS = 3
_WAIT_SECONDS = 1.0
_BAN_SECONDS = 10

_IPV6_ADDRESSES = Path("/proc/net/if_inet6")
_TENTATIVE = 0x40
_GLOBAL = "00"

_DEVICE = Path("/dev/net/tun")
_DEVICE_NUMBER = os.makedev(10, 200)
_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000

# Of the networks for documentation (RFC 5737, RFC 3849): ours, and within it the senders.
_OUR_END = {4: "192.0.2.254", 6: "2001:db8:ffff:ffff::1"}
_LENGTH = {4: 24, 6: 32}
_KEEPALIVE = b"\r\n\r\n"  # were it let through, a SIP stack would take it for a keepalive


class Untried(Exception):
    """It cannot be tried on this host; the text says why."""


@dataclass(frozen=True)
class Way:
    """A way packets take: what it leads to, as people read it, and where to (None: to our own end)."""

    name: str
    version: int
    port: int
    address: str | None = None


def ways(ports: Mapping[str, Sequence[str]], sip_port: int) -> list[Way]:
    """Return the ways to try: where SIP goes to the container, and where to the host itself.

    :param ports: the container's ports (``5060/udp``), each with what it is bound to (``0.0.0.0 5060``)
    :param sip_port: which of them is SIP's; bans bind SIP and audio alone
    """
    found = []
    for binding in ports.get(f"{sip_port}/udp", ()):
        address, _, number = binding.rpartition(" ")
        version = ip_address(address).version
        name = "published ports" if version == 4 else "published ports, IPv6"
        found.append(Way(name, version, int(number), None if ip_address(address).is_unspecified else address))
    published = {one.version for one in found}
    host = [Way("the host", 4, sip_port), Way("the host, IPv6", 6, sip_port)]
    return [one for one in host if one.version not in published] + found


def prove(ports: Mapping[str, Sequence[str]], sip_port: int) -> dict[str, Any]:
    """Send packets as banned sources along each way.

    :returns: ``error``, why it could not be tried or None, and ``ways``: ``name``, ``sent`` and ``dropped``
    """
    try:
        with _interface() as (descriptor, versions):
            senders = {
                _sender(way.version, number): way for number, way in enumerate(ways(ports, sip_port), start=1)
            }
            senders = {sender: way for sender, way in senders.items() if way.version in versions}
            return {"error": None, "ways": _try(descriptor, senders)}
    except (OSError, Untried) as error:
        return {"error": str(error), "ways": []}


def _try(descriptor: int, senders: Mapping[str, Way]) -> list[dict[str, Any]]:
    for sender, way in senders.items():
        if _is_in(NEVER[way.version], sender):
            raise Untried(f"{sender}, an address for documentation, is protected on this host")
    # Lists of bogons have these networks in them: then the list drops the packets, before a ban could.
    listed = {sender for sender, way in senders.items() if _is_in(SETS[way.version], sender)}
    former = _listed_packets(listed)
    names = {sender: BANNED[way.version] for sender, way in senders.items()}
    _ipset(
        f"add {name} {sender} timeout {_BAN_SECONDS} comment smoke -exist\n" for sender, name in names.items()
    )
    try:
        for sender, way in senders.items():
            packet = udp_packet(sender, way.address or _OUR_END[way.version], way.port)
            for _ in range(PACKETS):
                os.write(descriptor, packet)
        counted = _count(senders, listed, former)
    finally:
        _ipset(f"del {name} {sender} -exist\n" for sender, name in names.items())
    return [
        {"name": way.name, "sent": PACKETS, "dropped": counted.get(sender, 0)}
        for sender, way in senders.items()
    ]


def _sender(version: int, number: int) -> str:
    """Return an address for one way; another one each time, so that two runs at once do not meet."""
    if version == 4:
        return f"192.0.2.{number * 50 + random.randrange(50)}"
    # The set of bans holds whole networks of 64 bits, named by their first address.
    return f"2001:db8:{number:x}:{random.randrange(1, 0x10000):x}::"


def _is_in(name: str, address: str) -> bool:
    argv = ("ipset", "-quiet", "test", name, address)
    return subprocess.run(argv, check=False, env=ENVIRONMENT).returncode == 0


def _count(senders: Mapping[str, Way], listed: Collection[str], former: Mapping[str, int]) -> dict[str, int]:
    """Return the packets that were dropped of each sender, waiting for those still on their way.

    :param listed: the senders whose packets the list counts, not the ban
    :param former: what the list had counted of them before
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    versions = {one.version for one in senders.values()}
    while True:
        counted = counters("".join(_run("ipset", "save", BANNED[version]) for version in versions))
        counted.update(
            (sender, packets - former[sender]) for sender, packets in _listed_packets(listed).items()
        )
        if all(counted.get(sender, 0) >= PACKETS for sender in senders) or time.monotonic() > deadline:
            return counted
        time.sleep(0.05)


def _listed_packets(senders: Collection[str]) -> dict[str, int]:
    """Return the packets the list has counted of each sender: its network's, shared out among those in it."""
    if not senders:
        return {}
    # Parsed are those alone that have counted anything: the list may be long.
    text = "".join(_run("ipset", "save", name) for name in SETS.values())
    networks = {ip_network(member): packets for member, packets in counters(text).items() if packets}
    found = dict.fromkeys(senders, 0)
    for network, packets in networks.items():
        inside = [sender for sender in senders if ip_address(sender) in network]
        for sender in inside:
            found[sender] += packets // len(inside)
    return found


def counters(text: str) -> dict[str, int]:
    """Read `ipset save` of sets that count: packets by member."""
    return {
        member: int(packets)
        for member, packets in re.findall(r"^add \S+ (\S+) .*?packets (\d+) ", text, re.MULTILINE)
    }


@contextmanager
def _interface() -> Iterator[tuple[int, set[int]]]:
    """Make a network interface; yield the descriptor that packets are written to, and its IP versions."""
    descriptor = _open_device()
    try:
        try:
            request = fcntl.ioctl(
                descriptor, _TUNSETIFF, struct.pack("16sH22x", b"callcenter%d", _IFF_TUN | _IFF_NO_PI)
            )
        except OSError as error:
            raise Untried(f"no network interface can be made here ({error.strerror})") from error
        name = request[:16].rstrip(b"\0").decode("ascii")
        _run("ip", "address", "add", f"{_OUR_END[4]}/{_LENGTH[4]}", "dev", name)
        _run("ip", "link", "set", "dev", name, "up")
        versions = {4}
        if speaks_ipv6(_read(_IPV6_ADDRESSES)):
            # It may be switched off for new interfaces, and on for those in use.
            Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("0", encoding="ascii")
            _run("ip", "-6", "address", "add", f"{_OUR_END[6]}/{_LENGTH[6]}", "dev", name, "nodad")
            _wait_until_ready(name)
            versions.add(6)
        yield descriptor, versions
    finally:
        os.close(descriptor)  # the interface and its addresses go with it


def _wait_until_ready(name: str) -> None:
    """Wait until the interface takes packets by IPv6, which a busy machine may settle a moment later.

    The kernel shows the address before it has the route to it, without which it drops packets unseen.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        if takes_ipv6(_read(_IPV6_ADDRESSES), name) and _is_local(_OUR_END[6]):
            return
        time.sleep(0.02)
    raise Untried(f"the interface {name} takes no packets by IPv6 within {_WAIT_SECONDS:.0f} s")


def _is_local(address: str) -> bool:
    """Whether the kernel would hand a packet to this address to the host itself."""
    argv = ("ip", "-6", "route", "get", address)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    return done.stdout.startswith("local ")


def takes_ipv6(text: str, name: str) -> bool:
    """Read /proc/net/if_inet6: whether the interface has our address, and no longer tentatively."""
    own = ip_address(_OUR_END[6]).exploded.replace(":", "")
    lines = (line.split() for line in text.splitlines())
    return any(line[0] == own and line[5] == name and not int(line[4], 16) & _TENTATIVE for line in lines)


def speaks_ipv6(text: str) -> bool:
    """Read /proc/net/if_inet6: whether any address is one that others can send to."""
    return any(line.split()[3] == _GLOBAL for line in text.splitlines())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        return ""  # this kernel has no IPv6


def _open_device() -> int:
    if _DEVICE.exists():
        return os.open(_DEVICE, os.O_RDWR)
    # A container has a /dev of its own; the kernel's device is there all the same.
    node = Path(f"/dev/callcenter-tun-{os.getpid()}")
    try:
        os.mknod(node, 0o600 | 0o020000, _DEVICE_NUMBER)
        return os.open(node, os.O_RDWR)
    except OSError as error:
        raise Untried(f"there is no {_DEVICE} ({error.strerror})") from error
    finally:
        node.unlink(missing_ok=True)


def _run(*argv: str, text: str | None = None) -> str:
    try:
        done = subprocess.run(
            argv, input=text, capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=10
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise Untried(f"`{argv[0]}` does not answer ({type(error).__name__})") from error
    if done.returncode != 0:
        raise Untried(f"`{' '.join(argv)}`: {done.stderr.strip()}")
    return done.stdout


def _ipset(lines: Iterable[str]) -> None:
    _run("ipset", "restore", text="".join(lines))


def udp_packet(source: str, destination: str, port: int) -> bytes:
    """Return a whole IP packet with a UDP datagram that means nothing to anybody."""
    four = ip_address(source).version == 4
    family = socket.AF_INET if four else socket.AF_INET6
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    length = 8 + len(_KEEPALIVE)
    pseudo = ends + struct.pack("!IxxxB", length, socket.IPPROTO_UDP)
    head = struct.pack("!HHH", 5060, port, length)
    checksum = _checksum(pseudo + head + b"\0\0" + _KEEPALIVE) or 0xFFFF
    datagram = head + struct.pack("!H", checksum) + _KEEPALIVE
    if not four:
        return struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_UDP, 64) + ends + datagram
    fields = (0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP)
    header = struct.pack("!BBHHHBB", *fields)
    return header + struct.pack("!H", _checksum(header + b"\0\0" + ends)) + ends + datagram


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))
    total: int = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total
