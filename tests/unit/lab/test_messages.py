"""SIP text: what the call tests assert on is read correctly."""

from __future__ import annotations

import pytest

from lab.driver.messages import (
    Media,
    digest_is_right,
    digest_parameters,
    parse_media,
    parse_message,
)

SDP = "v=0\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 10000 RTP/AVP 0 8 101\r\n"
INVITE = (
    "INVITE sip:+15551234567@sip.example SIP/2.0\r\n"
    "v: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n"
    'From: "CallCenter" <sip:100@192.0.2.1>;tag=1\r\n'
    "To: <sip:+15551234567@sip.example>\r\n"
    "i: abc@192.0.2.1\r\n"
    "CSeq: 7 INVITE\r\n"
    "X-Long: one\r\n two\r\n"
    "X-Long: three\r\n"
    "Content-Type: application/sdp\r\n"
    "\r\n" + SDP
)
# The worked example of RFC 2617, section 3.5.
RFC_2617 = (
    'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", '
    'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)


def test_request_is_read() -> None:
    message = parse_message(INVITE)
    assert message is not None
    assert (message.method, message.uri, message.status) == ("INVITE", "sip:+15551234567@sip.example", 0)
    assert (message.call_id, message.cseq) == ("abc@192.0.2.1", 7)
    assert message.header("via").startswith("SIP/2.0/UDP")
    assert message.all("x-long") == ["one two", "three"]
    assert message.header("contact") == ""
    assert message.media == Media("192.0.2.1", 10000, (0, 8, 101))


def test_response_has_the_method_it_answers() -> None:
    message = parse_message("SIP/2.0 486 Busy Here\r\nCSeq: 2 INVITE\r\n\r\n")
    assert message is not None
    assert (message.is_request, message.status, message.method, message.uri) == (False, 486, "INVITE", "")


@pytest.mark.parametrize("text", ["", "\r\n\r\n", "jaK", "GET / HTTP/1.1\r\n\r\n", "INVITE sip:x"])
def test_anything_else_is_no_message(text: str) -> None:
    assert parse_message(text) is None


@pytest.mark.parametrize(
    ("sdp", "media"),
    [
        ("", None),
        ("c=IN IP4 192.0.2.1\nm=video 4000 RTP/AVP 96", None),
        ("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0", Media("192.0.2.1", 4000, (0,))),
        ("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.2", Media("192.0.2.2", 4000, (0,))),
        (
            "c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8\nm=audio 5000 RTP/AVP 0\nc=IN IP4 192.0.2.9",
            Media("192.0.2.1", 4000, (8,)),
        ),
    ],
    ids=["empty", "no-audio", "session-address", "media-address-wins", "first-audio-line"],
)
def test_first_audio_line_is_read(sdp: str, media: Media | None) -> None:
    assert parse_media(sdp) == media


def test_digest_parameters_are_unquoted() -> None:
    given = digest_parameters('Digest username="Ad min", realm="a,b", nc=00000001,qop=auth')
    assert given == {"username": "Ad min", "realm": "a,b", "nc": "00000001", "qop": "auth"}


def rfc_request(authorization: str = RFC_2617, uri: str = "/dir/index.html", method: str = "GET") -> str:
    return f"{method} {uri} SIP/2.0\r\nAuthorization: {authorization}\r\nCSeq: 1 {method}\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "password", "right"),
    [
        (rfc_request(), "Circle Of Life", True),
        (rfc_request(), "circle of life", False),
        (rfc_request(RFC_2617.replace("6629fae4", "6629fae5")), "Circle Of Life", False),
        (rfc_request(uri="/dir/other.html"), "Circle Of Life", False),
        (rfc_request(method="PUT"), "Circle Of Life", False),
        (rfc_request(RFC_2617.replace("dcd98b71", "dcd98b72")), "Circle Of Life", False),
        (rfc_request(RFC_2617.replace("Mufasa", "Scar")), "Circle Of Life", False),
        (rfc_request("Digest "), "Circle Of Life", False),
    ],
    ids=["right", "password", "response", "uri", "method", "nonce", "user", "none"],
)
def test_digest_is_recomputed(text: str, password: str, right: bool) -> None:
    request = parse_message(text)
    assert request is not None
    assert (
        digest_is_right(
            request,
            "Mufasa",
            password,
            realm="testrealm@host.com",
            nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        )
        is right
    )
