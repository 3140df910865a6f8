"""Reading SIP messages, with what comes over the wire."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.sip.message import (
    SipMessage,
    encode_message,
    parse_message,
)

CASES = {
    "response": (
        b"SIP/2.0 401 Unauthorized\r\nCSeq: 2 REGISTER\r\n\r\nbody: no header",
        SipMessage("", "", 401, "Unauthorized", (("cseq", "2 REGISTER"),)),
    ),
    "response without a phrase": (b"SIP/2.0 200\r\n\r\n", SipMessage("", "", 200, "", ())),
    "request": (
        b"INVITE sip:a@192.0.2.1 SIP/2.0\r\nTO: <sip:a>\r\n\r\n",
        SipMessage("INVITE", "sip:a@192.0.2.1", 0, "", (("to", "<sip:a>"),)),
    ),
    "compact names": (
        b"ACK sip:a SIP/2.0\r\nv: one\r\nv: two\r\nf: x\r\ni: call\r\nt: y\r\n\r\n",
        SipMessage(
            "ACK",
            "sip:a",
            0,
            "",
            (("via", "one"), ("via", "two"), ("from", "x"), ("call-id", "call"), ("to", "y")),
        ),
    ),
    "a header over two lines": (
        b"SIP/2.0 200 OK\r\nFrom: a\r\n  ;tag=b\r\nTo : c\r\n\r\n",
        SipMessage("", "", 200, "OK", (("from", "a ;tag=b"), ("to", "c"))),
    ),
    "keep-alive": (b"\r\n\r\n", None),
    "not SIP": (b"HTTP/1.1 200 OK\r\n\r\n", None),
    "no status": (b"SIP/2.0 9000 OK\r\n\r\n", None),
    "not text": (b"\xff\x00\x80", None),
}


@pytest.mark.parametrize(("packet", "expected"), CASES.values(), ids=CASES)
def test_messages_are_read(packet: bytes, expected: SipMessage | None) -> None:
    assert parse_message(packet) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2 REGISTER", (2, "REGISTER")), ("7  ACK", (7, "ACK")), ("x ACK", (0, "")), ("", (0, ""))],
)
def test_cseq_is_read(value: str, expected: tuple[int, str]) -> None:
    assert SipMessage("", "", 200, "OK", (("cseq", value),)).cseq == expected


def test_what_is_written_can_be_read() -> None:
    packet = encode_message("SIP/2.0 407 Proxy Authentication Required", [("Via", "a"), ("Via", "b")])
    message = parse_message(packet)
    assert message is not None
    assert (message.status, message.all("via"), message.header("content-length")) == (407, ["a", "b"], "0")
    assert packet.endswith(b"\r\n\r\n")
