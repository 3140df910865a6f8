"""An attacker: single SIP requests from an address nobody knows, and what came back."""

from __future__ import annotations

import itertools

from lab.driver.agents import Pbx
from lab.driver.machine import Machine, Process
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
    except OSError:
        pass  # silence, or word by ICMP that there will be no answer
"""
_KEEP_ASKING = """
import socket, sys, time
host, port, interval, request = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
    for number in range(1, 1 << 30):
        try:
            channel.sendto(request.replace("SERIAL", str(number)).encode(), (host, port))
        except OSError:
            pass  # the host is away for a moment
        time.sleep(interval)
"""
_serial = itertools.count(1)


class Scanner:
    """Sends requests over UDP, as any host of the internet can."""

    def __init__(self, machine: Machine, pbx: Pbx) -> None:
        self.machine = machine
        self.pbx = pbx

    def ask(
        self, method: str, user: str = "", *, caller: str = "1000", seconds: float = 10
    ) -> SipMessage | None:
        """Send one request and return the first answer; None if there is none in ``seconds``.

        Args:
            method: OPTIONS, INVITE, REGISTER…
            user: user part of the Request-URI.
            caller: user part of the From.
            seconds: how long to wait.
        """
        request = self._request(method, user, caller, f"{id(self)}-{next(_serial)}")
        arguments = [self.pbx.address, str(self.pbx.sip_port), str(seconds), request]
        return parse_message(self.machine.run(["python3", "-c", _ASK, *arguments]))

    def keep_asking(self, method: str, *, interval: float) -> Process:
        """Send a request every ``interval`` seconds until the process is stopped, whatever comes back."""
        request = self._request(method, "", "1000", f"{id(self)}-{next(_serial)}-SERIAL")
        arguments = [self.pbx.address, str(self.pbx.sip_port), str(interval), request]
        return self.machine.start(["python3", "-c", _KEEP_ASKING, *arguments], "scan")

    def _request(self, method: str, user: str, caller: str, identity: str) -> str:
        target = f"{user}@{self.pbx.target}" if user else self.pbx.target
        own = self.machine.address
        lines = (
            f"{method} sip:{target} SIP/2.0",
            f"Via: SIP/2.0/UDP {own}:5060;branch=z9hG4bK-{identity};rport",
            "Max-Forwards: 70",
            f"From: <sip:{caller}@{own}>;tag=scan",
            f"To: <sip:{target}>",
            f"Call-ID: {identity}@{own}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:{caller}@{own}:5060>",
            "User-Agent: friendly-scanner",
            "Content-Length: 0",
        )
        return "\r\n".join((*lines, "", ""))
