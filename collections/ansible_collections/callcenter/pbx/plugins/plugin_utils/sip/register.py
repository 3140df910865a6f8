# Copyright (c) The callcenter maintainers
# SPDX-License-Identifier: MIT
"""Ask a registrar which passwords it accepts: many digest exchanges at once over one UDP socket.

Each is a REGISTER without a Contact, which only asks for the bindings (RFC 3261, 10.2.3): whoever is
registered stays so, and nobody else becomes it.
"""

from __future__ import annotations

import re
import secrets
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ansible_collections.callcenter.pbx.plugins.module_utils.sip.digest import authorization, choose_challenge
from ansible_collections.callcenter.pbx.plugins.module_utils.sip.message import (
    LONGEST_ANSWER_BYTES,
    SipMessage,
    encode_message,
    parse_message,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip.options import (
    FIRST_RESEND_SECONDS,
    LONGEST_RESEND_SECONDS,
    SipNoAnswer,
    SipUnreachable,
    bracketed,
    connect,
)

# Exchanges in flight: enough to keep a PBX busy, few enough for the buffer of its one socket.
WINDOW = 50
# A nonce may grow too old under way; a registrar that calls every one of them too old is at fault.
MOST_CHALLENGES = 5

_USER = re.compile(r"[A-Za-z0-9_.!~*'+-]+")


class Outcome(Enum):
    """What a registrar made of one user name and password."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNCHALLENGED = "unchallenged"  # 200 although no password was sent
    SILENT = "silent"
    OTHER = "other"


@dataclass(frozen=True)
class Credential:
    """One user name and one password to try with it."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """How an exchange ended, and the words for it: a status line, or what was wrong with it."""

    outcome: Outcome
    text: str


class Exchange:
    """One credential's way to an answer. Knows no socket: gives the request to send, takes what came back."""

    def __init__(self, credential: Credential, host: str, port: int, local: str) -> None:
        """:param local: ``address:port`` the answers are to come to."""
        if not _USER.fullmatch(credential.user):
            raise ValueError(f"{credential.user!r} cannot be the user part of a SIP URI")
        self.credential = credential
        self.call_id = f"{secrets.token_hex(12)}@proof"
        self.answer: Answer | None = None
        self.request = b""
        self._tag = secrets.token_hex(4)
        self._uri = f"sip:{bracketed(host)}:{port}"
        self._address_of_record = f"<sip:{credential.user}@{bracketed(host)}:{port}>"
        self._local = local
        self._count = 0
        self._ask()

    def receive(self, message: SipMessage) -> bool:
        """Take a message of this call; tell whether ``request`` or ``answer`` is a new one."""
        # What answers an earlier request, an answer sent twice for instance, is none to this one.
        if message.cseq != (self._count, "REGISTER") or message.status < 200 or self.answer:
            return False
        status_line = f"{message.status} {message.reason}".strip()
        challenge = None
        if message.status == 401:
            challenge = choose_challenge(message.all("www-authenticate"))
        if self._count > 1 and (message.status == 403 or (message.status == 401 and not _stale(message))):
            self.answer = Answer(Outcome.REFUSED, status_line)
        elif 200 <= message.status < 300:
            outcome = Outcome.ACCEPTED if self._count > 1 else Outcome.UNCHALLENGED
            self.answer = Answer(outcome, status_line)
        elif message.status != 401:
            self.answer = Answer(Outcome.OTHER, status_line)
        elif challenge is None:
            self.answer = Answer(Outcome.OTHER, f"{status_line} without a challenge that can be answered")
        elif self._count > MOST_CHALLENGES:
            self.answer = Answer(Outcome.OTHER, f"{status_line}, every nonce too old at once")
        else:
            self._ask(
                authorization(
                    challenge,
                    username=self.credential.user,
                    password=self.credential.password,
                    method="REGISTER",
                    uri=self._uri,
                    cnonce=secrets.token_hex(8),
                )
            )
        return True

    def _ask(self, credentials: str = "") -> None:
        """Make the next request: a transaction of its own in the same call."""
        self._count += 1
        headers = [
            ("Via", f"SIP/2.0/UDP {self._local};rport;branch=z9hG4bK{secrets.token_hex(8)}"),
            ("Max-Forwards", "70"),
            ("From", f"{self._address_of_record};tag={self._tag}"),
            ("To", self._address_of_record),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self._count} REGISTER"),
            ("User-Agent", "callcenter-proof"),
        ]
        if credentials:
            headers.append(("Authorization", credentials))
        self.request = encode_message(f"REGISTER {self._uri} SIP/2.0", headers)


@dataclass
class _Flight:
    """An exchange whose present request is on its way; times in seconds of the monotonic clock."""

    exchange: Exchange
    deadline: float
    next_send: float
    interval: float


def try_credentials(
    host: str,
    port: int,
    credentials: Sequence[Credential],
    answer_seconds: float,
    window: int = WINDOW,
) -> list[Answer]:
    """Try every credential and return the answers in their order.

    :param host: address or name of the registrar.
    :param port: its SIP port, UDP.
    :param answer_seconds: how long each request may remain without an answer; it is sent again meanwhile.
    :param window: exchanges in flight at once.
    :raises SipNoAnswer: nothing came at all.
    :raises SipUnreachable: nothing listens there, or there is no way there.
    :raises ValueError: a user name cannot be part of a SIP URI.
    """
    asked = f"REGISTER sip:{bracketed(host)}:{port} over UDP"
    try:
        with connect(host, port, "udp", answer_seconds) as sock:
            local_host, local_port = sock.getsockname()[:2]
            local = f"{bracketed(local_host)}:{local_port}"
            exchanges = [Exchange(credential, host, port, local) for credential in credentials]
            run = _Run(sock, exchanges, answer_seconds, window)
            sock.setblocking(False)
            with selectors.DefaultSelector() as arrivals:
                arrivals.register(sock, selectors.EVENT_READ)
                run.fly(arrivals)
    except OSError as error:
        raise SipUnreachable(f"{asked}: {error.strerror or error}") from error
    if exchanges and not run.heard:
        if run.refused:
            raise SipUnreachable(f"{asked}: connection refused, nothing listens there")
        raise SipNoAnswer(f"{asked}: no answer within {answer_seconds:g} s")
    silent = Answer(Outcome.SILENT, f"no answer within {answer_seconds:g} s")
    return [exchange.answer or silent for exchange in exchanges]


class _Run:
    """All exchanges over one connected socket."""

    def __init__(
        self, sock: socket.socket, exchanges: Iterable[Exchange], answer_seconds: float, window: int
    ) -> None:
        self.heard = False
        self.refused = False
        self._sock = sock
        self._waiting = deque(exchanges)
        self._seconds = answer_seconds
        self._window = window
        self._flying: dict[str, _Flight] = {}

    def fly(self, arrivals: selectors.BaseSelector) -> None:
        """Return when every exchange has its answer, or has had its time."""
        last_heard = time.monotonic()
        while self._waiting or self._flying:
            now = time.monotonic()
            if now - last_heard >= self._seconds:
                return  # a PBX that has gone is waited for once, not once a window
            while self._waiting and len(self._flying) < self._window:
                self._launch(self._waiting.popleft(), now)
            wake = self._attend(now)
            arrivals.select(max(0.001, min(wake, last_heard + self._seconds) - now))
            if self._receive():
                last_heard = time.monotonic()

    def _launch(self, exchange: Exchange, now: float) -> None:
        self._flying[exchange.call_id] = _Flight(exchange, now + self._seconds, now, FIRST_RESEND_SECONDS)

    def _attend(self, now: float) -> float:
        """Send what is due, drop what has had its time; return when to look again."""
        wake = now + self._seconds
        for call_id, flight in list(self._flying.items()):
            if now >= flight.deadline:
                del self._flying[call_id]
                continue
            if now >= flight.next_send:
                try:
                    self._sock.send(flight.exchange.request)
                except ConnectionRefusedError:
                    self.refused = True  # the answer to an earlier packet; a PBX that restarts will be back
                except BlockingIOError:
                    pass  # packets pile up while nobody answers for the address: one more that is lost
                flight.next_send = now + flight.interval
                flight.interval = min(2 * flight.interval, LONGEST_RESEND_SECONDS)
            wake = min(wake, flight.next_send, flight.deadline)
        return wake

    def _receive(self) -> bool:
        """Take one packet, if there is one, to its exchange; tell whether it was a SIP message."""
        try:
            message = parse_message(self._sock.recv(LONGEST_ANSWER_BYTES))
        except BlockingIOError:
            return False
        except ConnectionRefusedError:
            self.refused = True
            return False
        if message is None:
            return False
        self.heard = True
        flight = self._flying.get(message.header("call-id"))
        if flight and flight.exchange.receive(message):
            del self._flying[flight.exchange.call_id]
            if flight.exchange.answer is None:
                self._launch(flight.exchange, time.monotonic())
        return True


def _stale(message: SipMessage) -> bool:
    """Tell whether a 401 says that the digest was right but its nonce too old."""
    challenge = choose_challenge(message.all("www-authenticate"))
    return challenge is not None and challenge.stale
