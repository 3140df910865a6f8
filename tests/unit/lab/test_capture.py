"""Captures: lost packets are counted, legs are found, nothing else is taken for audio."""

from __future__ import annotations

import io
import struct

import dpkt
import pytest

from lab.driver.audio import Audio, Direction, assert_two_way_audio
from lab.driver.capture import Address, RtpPacket, read_recording, rtp_flows

PBX = Address("192.0.2.1", 10000)
PHONE = Address("192.0.2.100", 6000)


def packets(
    sequences: list[int], source: Address = PHONE, destination: Address = PBX, ssrc: int = 1
) -> list[RtpPacket]:
    return [
        RtpPacket(index * 0.02, source, destination, ssrc, number, 0)
        for index, number in enumerate(sequences)
    ]


@pytest.mark.parametrize(
    ("sequences", "received", "lost"),
    [
        ([1, 2, 3, 4], 4, 0),
        ([1, 2, 5, 6], 4, 2),
        ([1, 3, 2, 4], 4, 0),
        ([1, 1, 2, 2, 3], 3, 0),
        ([65534, 65535, 0, 1], 4, 0),
        ([65533, 1, 65535], 3, 2),
        ([7], 1, 0),
    ],
    ids=["whole", "gap", "reordered", "duplicates", "wrap", "wrap-gap-reordered", "single"],
)
def test_lost_packets_are_counted(sequences: list[int], received: int, lost: int) -> None:
    (flow,) = rtp_flows(packets(sequences))
    assert (flow.packets, flow.lost) == (received, lost)


def test_flows_are_kept_apart_by_source_destination_and_ssrc() -> None:
    mixed = (
        packets([1, 2])
        + packets([1, 2], ssrc=2)
        + packets([1], source=Address("192.0.2.100", 6002))
        + packets([9], source=PBX, destination=PHONE)
    )
    assert sorted(flow.packets for flow in rtp_flows(mixed)) == [1, 1, 2, 2]


def test_longest_silence_is_measured() -> None:
    flow = rtp_flows(
        [RtpPacket(time, PHONE, PBX, 1, number, 0) for number, time in enumerate((0, 0.02, 0.52, 0.54))]
    )[0]
    assert flow.longest_gap == pytest.approx(0.5)
    assert flow.seconds == pytest.approx(0.54)


def sip(start: str, cseq: str, sdp: str = "") -> bytes:
    return f"{start}\r\nFrom: <sip:100@x>;tag=1\r\nCall-ID: one\r\nCSeq: {cseq}\r\n\r\n{sdp}".encode()


def sdp(address: Address) -> str:
    return f"c=IN IP4 {address.host}\r\nm=audio {address.port} RTP/AVP 0\r\n"


def rtp(sequence: int, ssrc: int = 7, kind: int = 0) -> bytes:
    return struct.pack("!BBHII", 0x80, kind, sequence, 0, ssrc) + bytes(160)


def capture(*datagrams: tuple[Address, Address, bytes]) -> bytes:
    """A capture file with these UDP datagrams, 20 ms apart."""
    stream = io.BytesIO()
    writer = dpkt.pcap.Writer(stream)
    for index, (source, destination, payload) in enumerate(datagrams):
        udp = dpkt.udp.UDP(sport=source.port, dport=destination.port, data=payload)
        udp.ulen = 8 + len(payload)
        ip = dpkt.ip.IP(src=octets(source), dst=octets(destination), p=dpkt.ip.IP_PROTO_UDP, data=udp)
        ip.len = 20 + udp.ulen
        writer.writepkt(bytes(dpkt.ethernet.Ethernet(data=ip)), ts=index * 0.02)
    return stream.getvalue()


def octets(address: Address) -> bytes:
    return bytes(int(part) for part in address.host.split("."))


SIP_PBX, SIP_PHONE = Address(PBX.host, 5060), Address(PHONE.host, 5060)
CALL = (
    (SIP_PHONE, SIP_PBX, sip("INVITE sip:101@x SIP/2.0", "1 INVITE", sdp(PHONE))),
    (SIP_PHONE, SIP_PBX, sip("INVITE sip:101@x SIP/2.0", "1 INVITE", sdp(PHONE))),
    (SIP_PBX, SIP_PHONE, sip("SIP/2.0 401 Unauthorized", "1 INVITE")),
    (SIP_PHONE, SIP_PBX, sip("INVITE sip:101@x SIP/2.0", "2 INVITE", sdp(PHONE))),
    (SIP_PBX, SIP_PHONE, sip("SIP/2.0 200 OK", "2 INVITE", sdp(PBX))),
    (PHONE, PBX, rtp(1)),
    (PHONE, PBX, rtp(2)),
    (PBX, PHONE, rtp(50)),
    (PBX, PHONE, rtp(1, kind=200)),  # RTCP
    (Address("192.0.2.66", 4000), PHONE, rtp(1)),  # somebody else's
)


def test_leg_has_its_messages_and_its_own_audio() -> None:
    leg = read_recording(PHONE.host, capture(*CALL)).leg("one")
    assert [invite.cseq for invite in leg.invites] == [1, 2]
    assert leg.statuses() == [401, 200]
    assert leg.sent is not None
    assert (leg.sent.packets, leg.sent.destination) == (2, PBX)
    assert leg.received is not None
    assert (leg.received.packets, leg.received.source) == (1, PBX)


def test_audio_from_another_address_than_announced_does_not_count() -> None:
    private = Address("10.0.0.1", 10000)
    spoilt = [(private if source == PBX else source, destination, data) for source, destination, data in CALL]
    leg = read_recording(PHONE.host, capture(*spoilt)).leg("one")
    assert leg.received is None


def test_received_invites_are_those_of_others() -> None:
    assert read_recording(PHONE.host, capture(*CALL)).received_invites() == []
    assert len(read_recording(PBX.host, capture(*CALL)).received_invites()) == 3


def test_leg_is_found_by_its_caller() -> None:
    recording = read_recording(PHONE.host, capture(*CALL))
    assert recording.leg_from("100").call_id == "one"
    with pytest.raises(AssertionError, match="has 0 calls from 10"):
        recording.leg_from("10")


def test_empty_capture_has_nothing() -> None:
    recording = read_recording(PHONE.host, b"")
    assert (recording.sip, recording.rtp, recording.legs) == ((), (), [])


def direction(sent: int, received: list[int]) -> Direction:
    return Direction(
        "a to b",
        rtp_flows(packets(list(range(sent))))[0] if sent else None,
        rtp_flows(packets(received))[0] if received else None,
    )


@pytest.mark.parametrize(
    ("sent", "received", "lost"),
    [
        (100, list(range(100)), 0.0),
        (100, list(range(98)), 0.02),
        (100, [*range(50), *range(51, 101)], 1 / 101),
        (100, [], 1.0),
        (0, [], 1.0),
    ],
    ids=["none", "by-count", "by-gap", "silence", "nothing-sent"],
)
def test_loss_is_the_worse_of_count_and_gaps(sent: int, received: list[int], lost: float) -> None:
    assert direction(sent, received).lost == pytest.approx(lost)


def test_audio_reads_as_a_line_for_a_person() -> None:
    both = direction(100, list(range(99)))
    line = "a to b: 99 of 100 packets, 1.0% lost"
    assert str(Audio(both, both)) == f"{line}; {line}"


def test_one_way_audio_is_no_audio() -> None:
    leg = read_recording(PHONE.host, capture(*(item for item in CALL if item[0] != PBX))).leg("one")
    with pytest.raises(AssertionError, match="too little"):
        assert_two_way_audio(leg, leg, seconds=0.04)
