"""The OPTIONS client, against what may come over the wire, and against a socket that answers so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip import options as sip

ANSWER = "SIP/2.0 401 Unauthorized\r\nCall-ID: {call}\r\nServer: Asterisk\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("SIP/2.0 200 OK\r\nCall-ID: me\r\n\r\n", (200, "OK", None), id="final"),
        pytest.param("SIP/2.0 503\r\nCall-ID: me\r\n\r\n", (503, "", None), id="no phrase"),
        pytest.param("SIP/2.0 200 OK\r\ni: me\r\n\r\n", (200, "OK", None), id="compact header"),
        pytest.param(
            "SIP/2.0 200 OK\r\nCALL-ID: me\r\nUser-Agent: x\r\n\r\n", (200, "OK", "x"), id="user agent"
        ),
        pytest.param("SIP/2.0 100 Trying\r\nCall-ID: me\r\n\r\n", None, id="provisional"),
        pytest.param("SIP/2.0 200 OK\r\nCall-ID: other\r\n\r\n", None, id="somebody else's"),
        pytest.param("OPTIONS sip:me SIP/2.0\r\nCall-ID: me\r\n\r\n", None, id="a request"),
    ],
)
def test_parse_answer(text: str, expected: tuple[int, str, str | None] | None) -> None:
    assert sip.parse_answer(text.encode(), "me") == expected


@pytest.mark.parametrize("text", ["HTTP/1.1 200 OK\r\n\r\n", "SIP/2.0 OK\r\n\r\n", "", "SIP/2.0 2000 OK"])
def test_what_is_not_sip_is_named(text: str) -> None:
    with pytest.raises(sip.SipBadAnswer, match="is not SIP"):
        sip.parse_answer(text.encode(), "me")


def call_of(request: bytes) -> str:
    """The Call-ID of a request."""
    return next(
        line.split(": ")[1] for line in request.decode().split("\r\n") if line.startswith("Call-ID: ")
    )


@contextmanager
def udp_server(reply: Callable[[int, str], list[bytes]]) -> Iterator[int]:
    """Answer the n-th datagram (from 0) with what ``reply(n, call)`` gives; yields the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)

        def serve() -> None:
            for count in range(2):
                request, source = server.recvfrom(4096)
                answers = reply(count, call_of(request))
                for answer in answers:
                    server.sendto(answer, source)
                if answers:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


@contextmanager
def tcp_server(reply: Callable[[str], list[bytes]]) -> Iterator[int]:
    """Answer one connection with pieces, then close it; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                for piece in reply(call_of(connection.recv(4096))):
                    connection.sendall(piece)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


def test_udp_resends_and_passes_over_what_is_not_the_answer() -> None:
    def reply(count: int, call: str) -> list[bytes]:
        final = ANSWER.format(call=call).encode()
        return [b"SIP/2.0 100 Trying\r\nCall-ID: " + call.encode() + b"\r\n\r\n", final] if count else []

    with udp_server(reply) as port:
        answer = sip.options("127.0.0.1", port, timeout=3)
    assert (answer.status, answer.reason, answer.server) == (401, "Unauthorized", "Asterisk")
    assert answer.seconds >= sip.FIRST_RESEND_SECONDS


def test_tcp_puts_pieces_together() -> None:
    def reply(call: str) -> list[bytes]:
        body = b"SIP/2.0 183 Progress\r\nCall-ID: " + call.encode() + b"\r\nl: 4\r\n\r\nbody"
        final = ANSWER.format(call=call).encode()
        return [body + final[:20], final[20:]]

    with tcp_server(reply) as port:
        assert sip.options("127.0.0.1", port, "tcp", timeout=3).status == 401


def test_silence_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        with pytest.raises(
            sip.SipNoAnswer, match=rf"OPTIONS sip:127.0.0.1:{port} over UDP: no answer within 0.1 s"
        ):
            sip.options("127.0.0.1", port, timeout=0.1)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_refusal_is_named(transport: str) -> None:
    with socket.socket(
        socket.AF_INET, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    ) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(sip.SipUnreachable, match="Connection refused"):
        sip.options("127.0.0.1", port, transport, timeout=2)


def test_a_closed_connection_is_named() -> None:
    with (
        tcp_server(lambda call: [b"SIP/2.0 2"]) as port,
        pytest.raises(sip.SipBadAnswer, match="ended without"),
    ):
        sip.options("127.0.0.1", port, "tcp", timeout=2)


@pytest.mark.parametrize(
    ("host", "transport", "user"),
    [
        pytest.param("127.0.0.1", "sctp", None, id="transport"),
        pytest.param("127.0.0.1", "udp", "a\r\nVia: b", id="header in user"),
        pytest.param("a b", "udp", None, id="blank in host"),
    ],
)
def test_what_cannot_be_asked_is_refused(host: str, transport: str, user: str | None) -> None:
    with pytest.raises(ValueError, match=r"must be|cannot be"):
        sip.options(host, 5060, transport, user=user)


def test_the_request_is_complete() -> None:
    request = sip.Request("sip:192.0.2.1:5060", "udp", "100", "2001:db8::1", 40000, "call", "tag", "branch")
    assert request.encode().decode().split("\r\n") == [
        "OPTIONS sip:192.0.2.1:5060 SIP/2.0",
        "Via: SIP/2.0/UDP [2001:db8::1]:40000;rport;branch=branch",
        "Max-Forwards: 70",
        "From: <sip:100@[2001:db8::1]:40000>;tag=tag",
        "To: <sip:192.0.2.1:5060>",
        "Call-ID: call",
        "CSeq: 1 OPTIONS",
        "Contact: <sip:100@[2001:db8::1]:40000;transport=udp>",
        "Accept: application/sdp",
        "User-Agent: callcenter-probe",
        "Content-Length: 0",
        "",
        "",
    ]
