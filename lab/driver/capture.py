"""What a lab host sent and received: tcpdump in the host, read here into SIP messages and RTP flows."""

from __future__ import annotations

import io
import ipaddress
import itertools
import struct
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import dpkt

from lab.driver.machine import PATIENCE, WORK_DIR, Machine
from lab.driver.messages import Media, SipMessage, parse_message

_RTCP_TYPES = range(192, 224)
_SEQUENCES = 1 << 16


@dataclass(frozen=True)
class Address:
    """One end of a packet."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class CapturedMessage:
    """A SIP message on the wire; ``time`` in seconds since the epoch."""

    time: float
    source: Address
    destination: Address
    message: SipMessage


@dataclass(frozen=True)
class RtpPacket:
    """The header of one RTP packet."""

    time: float
    source: Address
    destination: Address
    ssrc: int
    sequence: int
    payload_type: int


@dataclass(frozen=True)
class RtpFlow:
    """The packets of one SSRC from one address to another.

    Attributes:
        packets: seen, without duplicates.
        lost: missing between the first and the last sequence number.
        seconds: between the first and the last packet.
        longest_gap: the longest time (seconds) between two packets.
    """

    source: Address
    destination: Address
    ssrc: int
    payload_types: frozenset[int]
    packets: int
    lost: int
    seconds: float
    longest_gap: float


@dataclass(frozen=True)
class Leg:
    """One call as one host saw it.

    Attributes:
        messages: of the Call-ID, in order of time.
        sent: RTP of this host towards the PBX; None without any.
        received: RTP from the PBX to this host; None without any.
    """

    host: str
    call_id: str
    messages: tuple[CapturedMessage, ...]
    sent: RtpFlow | None
    received: RtpFlow | None

    @property
    def invites(self) -> list[SipMessage]:
        """Every INVITE request of the leg (the second one answers a challenge), retransmissions left out."""
        seen: dict[int, SipMessage] = {}
        for item in self.messages:
            if item.message.is_request and item.message.method == "INVITE":
                seen.setdefault(item.message.cseq, item.message)
        return list(seen.values())

    @property
    def story(self) -> str:
        """Every message with its time, for the report of a failed test."""
        start = self.messages[0].time if self.messages else 0.0
        return "\n".join(
            f"{item.time - start:7.3f} {item.source.host}:{item.source.port} > "
            f"{item.destination.host}:{item.destination.port} "
            f"{item.message.status or ''} {item.message.method} (CSeq {item.message.cseq})"
            for item in self.messages
        )

    def requests(self, method: str) -> list[CapturedMessage]:
        """The requests of one method, retransmissions included."""
        return [item for item in self.messages if item.message.is_request and item.message.method == method]

    def statuses(self, method: str = "INVITE") -> list[int]:
        """The status codes that answered one method, in order."""
        return [
            item.message.status
            for item in self.messages
            if item.message.status and item.message.method == method
        ]


@dataclass(frozen=True)
class Recording:
    """Everything one host sent and received while it was recorded."""

    host: str
    sip: tuple[CapturedMessage, ...]
    rtp: tuple[RtpPacket, ...]

    @cached_property
    def flows(self) -> list[RtpFlow]:
        """All RTP, by source, destination and SSRC."""
        return rtp_flows(self.rtp)

    def requests(self, method: str) -> list[SipMessage]:
        """All requests of one method in either direction, retransmissions included."""
        return [
            item.message for item in self.sip if item.message.is_request and item.message.method == method
        ]

    def received_invites(self) -> list[SipMessage]:
        """The INVITEs that reached this host, retransmissions included."""
        return [
            item.message
            for item in self.sip
            if item.destination.host == self.host
            and item.message.is_request
            and item.message.method == "INVITE"
        ]

    @cached_property
    def legs(self) -> list[Leg]:
        """All calls this host took part in, in order of their first message."""
        call_ids = dict.fromkeys(item.message.call_id for item in self.sip if item.message.method == "INVITE")
        return [self.leg(call_id) for call_id in call_ids]

    def leg(self, call_id: str) -> Leg:
        """The call with that Call-ID, with the RTP between the two addresses its SDP bodies named."""
        messages = tuple(item for item in self.sip if item.message.call_id == call_id)
        own = _announced_media(item for item in messages if item.source.host == self.host)
        other = _announced_media(item for item in messages if item.source.host != self.host)
        flows = [item for item in self.flows if own and other and own.port and other.port]
        return Leg(
            self.host,
            call_id,
            messages,
            sent=_busiest(
                item
                for item in flows
                if own
                and other
                and item.source == Address(self.host, own.port)
                and item.destination == Address(other.address, other.port)
            ),
            received=_busiest(
                item
                for item in flows
                if own
                and other
                and item.destination == Address(self.host, own.port)
                and item.source == Address(other.address, other.port)
            ),
        )

    def leg_from(self, caller: str) -> Leg:
        """The one call whose From has that number.

        Raises:
            AssertionError: there is none, or more than one.
        """
        found = [leg for leg in self.legs if f"sip:{caller}@" in leg.invites[0].header("from")]
        assert len(found) == 1, (
            f"{self.host} has {len(found)} calls from {caller}: {[leg.call_id for leg in self.legs]}"
        )
        return found[0]


def read_recording(host: str, content: bytes) -> Recording:
    """Read a capture file.

    Args:
        host: the address of the host where it was made.
        content: of the file (pcap).
    """
    sip: list[CapturedMessage] = []
    rtp: list[RtpPacket] = []
    for time, source, destination, payload in _datagrams(content):
        if _is_rtp(payload, source.port, destination.port):
            sequence, ssrc = struct.unpack("!H4xI", payload[2:12])
            rtp.append(RtpPacket(time, source, destination, ssrc, sequence, payload[1] & 0x7F))
        elif (message := parse_message(payload.decode(errors="replace"))) is not None:
            sip.append(CapturedMessage(time, source, destination, message))
    return Recording(host, tuple(sip), tuple(rtp))


def rtp_flows(packets: Iterable[RtpPacket]) -> list[RtpFlow]:
    """Group packets by source, destination and SSRC, and count what is missing."""
    groups: dict[tuple[Address, Address, int], list[RtpPacket]] = {}
    for packet in packets:
        groups.setdefault((packet.source, packet.destination, packet.ssrc), []).append(packet)
    return [_flow(group) for group in groups.values()]


def _flow(packets: list[RtpPacket]) -> RtpFlow:
    first = packets[0]
    position, seen = first.sequence, {first.sequence}
    for packet in packets[1:]:
        # The signed distance from the newest position copes with the wrap at 65536 and with reordering.
        distance = (packet.sequence - position + _SEQUENCES // 2) % _SEQUENCES - _SEQUENCES // 2
        seen.add(position + distance)
        position = max(position, position + distance)
    times = [packet.time for packet in packets]
    return RtpFlow(
        first.source,
        first.destination,
        first.ssrc,
        frozenset(packet.payload_type for packet in packets),
        packets=len(seen),
        lost=max(seen) - min(seen) + 1 - len(seen),
        seconds=times[-1] - times[0],
        longest_gap=max((after - before for before, after in itertools.pairwise(times)), default=0.0),
    )


def _busiest(flows: Iterable[RtpFlow]) -> RtpFlow | None:
    return max(flows, key=lambda flow: flow.packets, default=None)


def _announced_media(messages: Iterable[CapturedMessage]) -> Media | None:
    media = [item.message.media for item in messages]
    return next((item for item in reversed(media) if item is not None), None)


def _is_rtp(payload: bytes, *ports: int) -> bool:
    return len(payload) >= 12 and payload[0] >> 6 == 2 and payload[1] not in _RTCP_TYPES and 53 not in ports


def _datagrams(content: bytes) -> Iterator[tuple[float, Address, Address, bytes]]:
    if not content:
        return
    for time, frame in dpkt.pcap.Reader(io.BytesIO(content)):
        ip = dpkt.ethernet.Ethernet(frame).data
        if not isinstance(ip, dpkt.ip.IP) or not isinstance(ip.data, dpkt.udp.UDP | dpkt.tcp.TCP):
            continue
        source, destination = (str(ipaddress.ip_address(raw)) for raw in (ip.src, ip.dst))
        yield time, Address(source, ip.data.sport), Address(destination, ip.data.dport), bytes(ip.data.data)


class Recordings:
    """What several hosts saw; filled when the recording ends."""

    def __init__(self) -> None:
        self._by_name: dict[str, Recording] = {}

    def of(self, machine: Machine) -> Recording:
        """One host's part.

        Raises:
            KeyError: the recording still runs, or did not include that host.
        """
        return self._by_name[machine.name]

    def add(self, machine: Machine, recording: Recording) -> None:
        self._by_name[machine.name] = recording


@contextmanager
def record(*machines: Machine) -> Iterator[Recordings]:
    """Record the traffic of these hosts for the time of a with block; read the result after it.

    Raises:
        DriverError: tcpdump cannot run on one of them.
    """
    recordings = Recordings()
    with ThreadPoolExecutor(max_workers=len(machines)) as pool:
        tcpdumps = list(pool.map(_Tcpdump, machines))
        try:
            yield recordings
        finally:
            for machine, content in zip(machines, pool.map(_Tcpdump.stop, tcpdumps), strict=True):
                recordings.add(machine, read_recording(machine.address, content))


class _Tcpdump:
    """A running tcpdump in one host."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._file = WORK_DIR / f"capture-{next(_serial)}.pcap"
        # -U: a packet is in the file when the next command runs, not a buffer later.
        # -B (KiB): a busy machine must not make tcpdump lose what the host did receive.
        options = ["-i", "eth0", "-n", "-U", "-B", "16384", "--immediate-mode", "-Z", "root"]
        self._process = machine.start(["tcpdump", *options, "-w", str(self._file), "udp or tcp"], "tcpdump")
        machine.run(
            ["sh", "-c", f"until grep -q 'listening on' {self._process.output_file}; do sleep 0.02; done"],
            PATIENCE,
        )

    def stop(self) -> bytes:
        """End it and return the capture file's content; the file is removed."""
        self._process.stop("INT")
        content = self._machine.read(self._file)
        self._machine.run(["rm", "-f", str(self._file)])
        return content


_serial = itertools.count(1)
