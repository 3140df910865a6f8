"""Calls refused with 488: who placed them, what was offered, and what helps."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.registrations.refused_offers import (
    Offer,
    Refusal,
    datagram,
    explain,
    read_offer,
    refusals,
)

PHONE, PBX = "192.0.2.7", "192.0.2.10"
AUTH = 'Digest username="100", realm="asterisk", nonce="x", response="y"'


def packet(source: str, target: str, payload: bytes, port: int = 5060, protocol: int = 17) -> bytes:
    """An IPv4 packet with a UDP datagram."""
    udp = struct.pack("!HHHH", 5062 if source == PHONE else port, port, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, protocol, 0)
    return head + ip_address(source).packed + ip_address(target).packed + udp


def invite(call: str, sdp: str = "", headers: str = "") -> bytes:
    """A phone calls."""
    text = (
        f'INVITE sip:101@{PBX} SIP/2.0\r\nFrom: "x" <sip:anonymous@x>;tag=1\r\nCall-ID: {call}\r\n'
        f"CSeq: 2 INVITE\r\n{headers}\r\n"
    )
    return packet(PHONE, PBX, (text + sdp.replace("\n", "\r\n")).encode())


def answer(call: str, status: int = 488, method: str = "INVITE") -> bytes:
    """The PBX answers."""
    text = f"SIP/2.0 {status} X\r\nCall-ID: {call}\r\nCSeq: 2 {method}\r\n\r\n"
    return packet(PBX, PHONE, text.encode())


G729 = "v=0\nm=audio 4000 RTP/AVP 18 101\na=rtpmap:101 telephone-event/8000\n"
OPUS = "v=0\nm=audio 4000 RTP/AVP 107 9\na=rtpmap:107 opus/48000/2\n"
SRTP = "v=0\nm=audio 4000 RTP/SAVP 0 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\n"


def test_a_refused_call_is_named_once_with_caller_and_offer() -> None:
    packets = [
        invite("a", G729),
        answer("a", 401),
        invite("a", G729, f"Authorization: {AUTH}\r\n"),
        answer("a"),
        # Seen on a second interface.
        invite("a", G729, f"Authorization: {AUTH}\r\n"),
        answer("a"),
        invite("b", G729),
        answer("b", 200),
        answer("c"),
        answer("a", 488, "UPDATE"),
        b"garbage",
    ]
    assert refusals(packets, 5060) == [Refusal("100", "192.0.2.7:5062", Offer("RTP/AVP", ("g729",)))]


@pytest.mark.parametrize(
    ("sdp", "offer", "said"),
    [
        (
            G729,
            Offer("RTP/AVP", ("g729",)),
            "100 (x:1) offers g729; here its codecs are ulaw, alaw",
        ),
        (OPUS, Offer("RTP/AVP", ("opus", "g722")), "offers opus, g722; here its codecs are ulaw, alaw"),
        (
            SRTP,
            Offer("RTP/SAVP", ("ulaw", "alaw")),
            "wants encrypted media (RTP/SAVP), which",
        ),
        ("", Offer("", ()), "offers no audio; here its codecs are ulaw, alaw"),
    ],
)
def test_what_was_offered_and_what_helps(sdp: str, offer: Offer, said: str) -> None:
    carried = datagram(invite("a", sdp), 5060)
    assert carried is not None
    assert read_offer(carried[1]) == offer
    assert said in explain(Refusal("100", "x:1", offer), ("ulaw", "alaw"))


def test_what_is_no_whole_datagram_of_the_port_is_left_alone() -> None:
    whole = packet(PHONE, PBX, b"x")
    assert datagram(whole, 5060) == ("192.0.2.7:5062", b"x")
    assert datagram(whole, 5061) is None
    assert datagram(packet(PHONE, PBX, b"x", protocol=6), 5060) is None
    assert datagram(whole[:6] + b"\x20\x00" + whole[8:], 5060) is None, "a fragment"
    assert datagram(whole[:20], 5060) is None
    assert datagram(b"\x60" + whole[1:], 5060) is None
