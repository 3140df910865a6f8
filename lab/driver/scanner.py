"""An attacker: single SIP requests from an address nobody knows, and what came back."""

from __future__ import annotations

import itertools

from lab.driver.agents import Pbx
from lab.driver.machine import Machine
from lab.driver.messages import SipMessage, parse_message

_ASK = """
import socket, sys
host, port, seconds, request = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
    channel.connect((host, port))
    channel.settimeout(seconds)
    channel.send(request.encode())
    try:
        print(channel.recv(65535).decode(), end="")
    except TimeoutError:
        pass
"""
_TCP_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
    print("open")
except OSError:
    print("closed")
"""
_serial = itertools.count(1)


class Scanner:
    """Sends requests over UDP, as any host of the internet can."""

    def __init__(self, machine: Machine, pbx: Pbx) -> None:
        self.machine = machine
        self.pbx = pbx

    def ask(
        self, method: str, user: str = "", *, caller: str = "1000", seconds: float = 2.0
    ) -> SipMessage | None:
        """Send one request and return the first answer; None if ``seconds`` pass in silence.

        Args:
            method: OPTIONS, INVITE, REGISTER…
            user: user part of the Request-URI.
            caller: user part of the From.
            seconds: how long to wait.
        """
        number = next(_serial)
        target = f"{user}@{self.pbx.target}" if user else self.pbx.target
        request = "\r\n".join(
            (
                f"{method} sip:{target} SIP/2.0",
                f"Via: SIP/2.0/UDP {self.machine.address}:5060;branch=z9hG4bK-scan-{id(self)}-{number};rport",
                "Max-Forwards: 70",
                f"From: <sip:{caller}@{self.machine.address}>;tag=scan{number}",
                f"To: <sip:{target}>",
                f"Call-ID: scan-{id(self)}-{number}@{self.machine.address}",
                f"CSeq: 1 {method}",
                f"Contact: <sip:1000@{self.machine.address}:5060>",
                "User-Agent: friendly-scanner",
                "Content-Length: 0",
                "",
                "",
            )
        )
        arguments = [self.pbx.address, str(self.pbx.sip_port), str(seconds), request]
        return parse_message(self.machine.run(["python3", "-c", _ASK, *arguments]))

    def tcp_port_is_open(self, seconds: float = 2.0) -> bool:
        """Whether the PBX's SIP port accepts a TCP connection within that time."""
        arguments = [self.pbx.address, str(self.pbx.sip_port), str(seconds)]
        return self.machine.run(["python3", "-c", _TCP_CONNECT, *arguments]).strip() == "open"
