"""A registrar on a UDP port of this machine: as Asterisk behaves, with faults on request."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

_PARAMETER = re.compile(r'(\w+)="?([^",]*)"?')


@dataclass
class Registrar:
    """What it knows, what is wrong with it, and what it has seen.

    :ivar passwords: by user; all of them are accepted.
    :ivar lose: told the number of a datagram (from 0, both directions), whether it is lost.
    :ivar nonce_uses: how many requests with a nonce come in before one is not called stale.
    :ivar batch: seconds of silence to wait for before anything is answered, all at once.
    :ivar instead: a status line by user, sent without any challenge.
    :ivar after_challenge: the status of a refusal.
    """

    passwords: Mapping[str, Sequence[str]]
    lose: Callable[[int], bool] = lambda number: False
    stale: int = 0
    batch: float = 0.0
    instead: Mapping[str, str] = field(default_factory=dict)
    refusal: str = "401 Unauthorized"
    algorithm: str = "MD5"
    port: int = 0
    requests: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _datagrams: int = 0
    _answered: dict[str, bytes] = field(default_factory=dict)
    _stale_given: dict[str, int] = field(default_factory=dict)

    def serve(self, server: socket.socket, stop: threading.Event) -> None:
        """Answer until stopped."""
        waiting: list[tuple[str, tuple[str, int]]] = []
        while not stop.is_set():
            server.settimeout(self.batch or 0.05)
            try:
                packet, source = server.recvfrom(65535)
            except TimeoutError:
                calls = {header(text, "Call-ID") for text, _ in waiting}
                self.most_at_once = max(self.most_at_once, len(calls))
                for text, where in waiting:
                    self._answer(server, text, where)
                waiting = []
                continue
            if self._lost():
                continue
            if self.batch:
                waiting.append((packet.decode(), source))
            else:
                self._answer(server, packet.decode(), source)

    def _answer(self, server: socket.socket, request: str, source: tuple[str, int]) -> None:
        self.requests.append(request)
        branch = header(request, "Via").partition("branch=")[2]
        # The transaction layer: a request sent again gets the same answer again.
        answer = self._answered.setdefault(branch, b"") or self._judge(request).encode()
        self._answered[branch] = answer
        if not self._lost():
            server.sendto(answer, source)

    def _lost(self) -> bool:
        self._datagrams += 1
        return self.lose(self._datagrams - 1)

    def _judge(self, request: str) -> str:
        user = header(request, "To").removeprefix("<sip:").partition("@")[0]
        if user in self.instead:
            return reply(request, self.instead[user])
        given = dict(_PARAMETER.findall(header(request, "Authorization")))
        if not given:
            return self._challenge(request, "401 Unauthorized", stale=False)
        right = any(
            given["response"] == self._digest(user, password, given)
            for password in self.passwords.get(user, ())
        )
        call = header(request, "Call-ID")
        if right and self._stale_given.get(call, 0) < self.stale:
            self._stale_given[call] = self._stale_given.get(call, 0) + 1
            return self._challenge(request, "401 Unauthorized", stale=True)
        if right:
            return reply(request, "200 OK", "Contact: <sip:somebody@192.0.2.9>;expires=300\r\n")
        if self.refusal.startswith("401"):
            return self._challenge(request, self.refusal, stale=False)
        return reply(request, self.refusal)

    def _challenge(self, request: str, status: str, stale: bool) -> str:
        nonce = hashlib.md5(request.encode()).hexdigest()
        extra = ",stale=true" if stale else ""
        return reply(
            request,
            status,
            f'WWW-Authenticate: Digest realm="asterisk",nonce="{nonce}",opaque="0f",'
            f'algorithm={self.algorithm},qop="auth"{extra}\r\n',
        )

    def _digest(self, user: str, password: str, given: Mapping[str, str]) -> str:
        kind = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[self.algorithm]
        first = kind(f"{user}:asterisk:{password}".encode()).hexdigest()
        second = kind(f"REGISTER:sip:127.0.0.1:{self.port}".encode()).hexdigest()
        middle = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:{given['qop']}"
        return kind(f"{first}:{middle}:{second}".encode()).hexdigest()


def header(message: str, name: str) -> str:
    """The first value of a header; empty without one."""
    match = re.search(rf"^{name}: (.*)\r$", message, re.M)
    return match[1] if match else ""


def reply(request: str, status: str, extra: str = "") -> str:
    """A response to a request."""
    copied = [f"{name}: {header(request, name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
    to = f"To: {header(request, 'To')};tag=registrar"
    return "\r\n".join([f"SIP/2.0 {status}", *copied, to, f"{extra}Content-Length: 0", "", ""])


@contextmanager
def running(registrar: Registrar) -> Iterator[Registrar]:
    """Serve while the block runs; ``registrar.port`` says where."""
    stop = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        registrar.port = server.getsockname()[1]
        thread = threading.Thread(target=registrar.serve, args=(server, stop), daemon=True)
        thread.start()
        try:
            yield registrar
        finally:
            stop.set()
            thread.join(5)
