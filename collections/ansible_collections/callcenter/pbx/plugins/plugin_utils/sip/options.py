# Copyright (c) The callcenter maintainers
# SPDX-License-Identifier: MIT
"""Ask a SIP server "are you there?": one OPTIONS request over UDP or TCP.

Standard library only, so that it serves controller plugins and modules on the target alike.  Any final answer
proves that the server speaks SIP: a 401 from a server that does not know us proves it as well as a 200.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.callcenter.pbx.plugins.module_utils.sip.message import LONGEST_ANSWER_BYTES

FIRST_RESEND_SECONDS = 0.5  # RFC 3261's T1: UDP requests are sent again after 0.5, 1, 2 and then every 4 s
LONGEST_RESEND_SECONDS = 4.0
HEADERS_END = b"\r\n\r\n"


class SipError(Exception):
    """No usable answer came; the text says what was asked, of whom, and what happened instead."""


class SipNoAnswer(SipError):
    """Silence until the deadline: nothing listens, or something on the way drops the packets."""


class SipUnreachable(SipError):
    """The network refused: connection refused, no route, unknown host name."""


class SipBadAnswer(SipError):
    """Something answered, but not with SIP."""


@dataclass(frozen=True)
class SipAnswer:
    """A final SIP answer: status code, phrase, Server (or User-Agent) header if any, seconds it took."""

    status: int
    reason: str
    server: str | None
    seconds: float


@dataclass(frozen=True)
class Request:
    """The identifiers by which the answer to one OPTIONS request is told from any other packet."""

    uri: str
    transport: str
    from_user: str
    local_host: str
    local_port: int
    call_id: str
    tag: str
    branch: str

    def encode(self) -> bytes:
        """The request as it goes over the wire."""
        local = f"{bracketed(self.local_host)}:{self.local_port}"
        lines = (
            f"OPTIONS {self.uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport.upper()} {local};rport;branch={self.branch}",
            "Max-Forwards: 70",
            f"From: <sip:{self.from_user}@{local}>;tag={self.tag}",
            f"To: <{self.uri}>",
            f"Call-ID: {self.call_id}",
            "CSeq: 1 OPTIONS",
            f"Contact: <sip:{self.from_user}@{local};transport={self.transport}>",
            "Accept: application/sdp",
            "User-Agent: callcenter-probe",
            "Content-Length: 0",
        )
        return "\r\n".join((*lines, "", "")).encode("ascii")


def options(
    host: str,
    port: int = 5060,
    transport: str = "udp",
    timeout: float = 3.0,
    user: str | None = None,
    from_user: str = "probe",
) -> SipAnswer:
    """Send one OPTIONS request and return the final answer to it.

    :param host: address or name of the server.
    :param port: its SIP port.
    :param transport: ``udp`` or ``tcp``.
    :param timeout: seconds until silence counts as no answer; UDP resends meanwhile.
    :param user: user part of the Request-URI; none by default.
    :param from_user: user part of From. A server that knows it challenges; others may log an intruder.
    :raises SipNoAnswer: nothing came in time.
    :raises SipUnreachable: the connection was refused, or there is no way there.
    :raises SipBadAnswer: what came is not SIP.
    :raises ValueError: ``transport`` is neither ``udp`` nor ``tcp``, or a value cannot be part of a URI.
    """
    if transport not in ("udp", "tcp"):
        raise ValueError(f"transport must be udp or tcp, not {transport!r}")
    target = f"{user}@{bracketed(host)}" if user else bracketed(host)
    for part in (target, from_user):
        if not part.isascii() or not part.isprintable() or " " in part:
            raise ValueError(f"{part!r} cannot be part of a SIP URI")
    uri = f"sip:{target}:{port}" + (";transport=tcp" if transport == "tcp" else "")
    asked = f"OPTIONS {uri} over {transport.upper()}"
    started = time.monotonic()
    try:
        with connect(host, port, transport, timeout) as sock:
            local_host, local_port = sock.getsockname()[:2]
            token = secrets.token_hex(12)
            request = Request(
                uri=uri,
                transport=transport,
                from_user=from_user,
                local_host=local_host,
                local_port=local_port,
                call_id=f"{token}@probe",
                tag=token[:8],
                branch=f"z9hG4bK{token}",
            )
            deadline = started + timeout
            packets = _udp_packets(sock, request.encode(), deadline)
            if transport == "tcp":
                packets = _tcp_messages(sock, request.encode(), deadline)
            for packet in packets:
                answer = parse_answer(packet, request.call_id)
                if answer is not None:
                    status, reason, server = answer
                    return SipAnswer(status, reason, server, round(time.monotonic() - started, 3))
    except TimeoutError as error:
        raise SipNoAnswer(f"{asked}: no connection within {timeout:g} s") from error
    except OSError as error:
        raise SipUnreachable(f"{asked}: {error.strerror or error}") from error
    except SipBadAnswer as error:
        raise SipBadAnswer(f"{asked}: {error}") from error
    raise SipNoAnswer(f"{asked}: no answer within {timeout:g} s")


def parse_answer(packet: bytes, call_id: str) -> tuple[int, str, str | None] | None:
    """Read a SIP message: ``(status, reason, server)`` if it is the final answer to the call, else ``None``.

    Provisional answers (1xx), answers to other calls and requests coming our way are ``None``.

    :raises SipBadAnswer: the packet is not SIP at all.
    """
    start, *fields = packet.decode("utf-8", "replace").partition("\r\n\r\n")[0].split("\r\n")
    if start.endswith("SIP/2.0"):
        return None
    version, _, rest = start.partition(" ")
    code, _, reason = rest.partition(" ")
    if version != "SIP/2.0" or not (code.isascii() and code.isdigit() and len(code) == 3):
        raise SipBadAnswer(f"the answer is not SIP: {start[:60]!r}")
    headers: dict[str, str] = {}
    for field in fields:
        name, _, value = field.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    if headers.get("call-id", headers.get("i")) != call_id or int(code) < 200:
        return None
    return int(code), reason, headers.get("server") or headers.get("user-agent")


def bracketed(host: str) -> str:
    """An IPv6 address in the brackets a URI needs, anything else as it is."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def connect(host: str, port: int, transport: str, timeout: float) -> socket.socket:
    """A connected socket to the first address that takes it; on a connected UDP one a refusal is an error."""
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    refusal: OSError = OSError(f"no address for {host}")
    for family, kind_found, protocol, _name, address in socket.getaddrinfo(host.strip("[]"), port, type=kind):
        sock = socket.socket(family, kind_found, protocol)
        try:
            sock.settimeout(timeout)
            sock.connect(address)
        except OSError as error:
            sock.close()
            refusal = error
        else:
            return sock
    raise refusal


def _udp_packets(sock: socket.socket, request: bytes, deadline: float) -> Iterator[bytes]:
    """Send, resend while it is silent, and yield whatever comes until the deadline."""
    interval = FIRST_RESEND_SECONDS
    next_send = time.monotonic()
    while (now := time.monotonic()) < deadline:
        if now >= next_send:
            sock.send(request)
            next_send = now + interval
            interval = min(2 * interval, LONGEST_RESEND_SECONDS)
        sock.settimeout(max(0.001, min(next_send, deadline) - now))
        with contextlib.suppress(TimeoutError):
            yield sock.recv(LONGEST_ANSWER_BYTES)


def _tcp_messages(sock: socket.socket, request: bytes, deadline: float) -> Iterator[bytes]:
    """Send, and yield each message's headers as they are complete, until the deadline or the stream's end.

    :raises SipBadAnswer: the stream ends, or goes on without end, before a complete header section.
    """
    sock.sendall(request)
    received = b""
    while (now := time.monotonic()) < deadline:
        sock.settimeout(deadline - now)
        try:
            chunk = sock.recv(4096)
        except TimeoutError:
            return
        received += chunk
        while HEADERS_END in received:
            message, _, received = received.partition(HEADERS_END)
            yield message
            received = received[_content_length(message) :]
        if not chunk or len(received) > LONGEST_ANSWER_BYTES:
            raise SipBadAnswer(f"the connection ended without an answer: {received[:60]!r}")


def _content_length(message: bytes) -> int:
    """Length in bytes of the body that follows a message's headers; 0 where they do not say."""
    for line in message.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() in ("content-length", "l") and value.strip().isdigit():
            return int(value.strip())
    return 0
