# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Calls refused with 488: who offered what. Asterisk writes not a word of them, so the packets are read.

Pure functions over IP packets, and one that listens. Requests and answers over UDP, whole ones only.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from ansible_collections.callcenter.pbx.plugins.module_utils.host.untrusted import printable
from ansible_collections.callcenter.pbx.plugins.module_utils.sip.message import SipMessage, parse_message

NOT_ACCEPTABLE = 488
CODECS = ("ulaw", "alaw")
"""What an extension takes that says nothing of codecs."""
_ALL_PROTOCOLS = 0x0003
_UDP = 17
# RFC 3551: payload types that need no line of their own.
_STATIC = {0: "PCMU", 3: "GSM", 4: "G723", 8: "PCMA", 9: "G722", 15: "G728", 18: "G729"}
_SAME = {"PCMU": "ulaw", "PCMA": "alaw"}
_MEDIA = re.compile(r"^m=audio \d+ (?P<profile>\S+) (?P<types>[\d ]+)", re.MULTILINE)
_NAMED = re.compile(r"^a=rtpmap:(?P<type>\d+) (?P<name>[^/\s]+)", re.MULTILINE)
_DIGEST_USER = re.compile(r'username="(?P<user>[^"]*)"')
_FROM_USER = re.compile(r"<sips?:(?P<user>[^@>;]+)[@>;]")


@dataclass(frozen=True)
class Offer:
    """What a caller can do: transport of its media (``RTP/AVP``), codecs by Asterisk's names."""

    profile: str
    codecs: tuple[str, ...]


@dataclass(frozen=True)
class Refusal:
    """A call that was refused: by whom it was placed, from where, and what was offered."""

    caller: str
    source: str
    offer: Offer


def listen(seconds: float, port: int) -> list[bytes]:
    """Return the IP packets from and to a port (UDP) that pass an interface of this host meanwhile."""
    found = []
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PROTOCOLS)) as raw:
        while (left := deadline - time.monotonic()) > 0:
            raw.settimeout(left)
            try:
                packet = raw.recv(65535)
            except TimeoutError:
                break
            if datagram(packet, port) is not None:
                found.append(packet)
    return found


def datagram(packet: bytes, port: int) -> tuple[str, bytes] | None:
    """Return (sender, payload) of an unfragmented IPv4 datagram from or to a port, None for anything else."""
    if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != _UDP:
        return None
    head = (packet[0] & 15) * 4
    if struct.unpack_from("!H", packet, 6)[0] & 0x3FFF or len(packet) < head + 8:
        return None
    source, target = struct.unpack_from("!HH", packet, head)
    if port not in (source, target):
        return None
    return f"{ip_address(packet[12:16])}:{source}", packet[head + 8 :]


def refusals(packets: Iterable[bytes], port: int) -> list[Refusal]:
    """Return the calls that were answered with 488, each once, in the order of the answers."""
    asked: dict[str, tuple[SipMessage, str, bytes]] = {}
    found: dict[str, Refusal] = {}
    for packet in packets:
        carried = datagram(packet, port)
        message = parse_message(carried[1]) if carried else None
        if carried is None or message is None:
            continue
        call = message.header("call-id")
        if message.method == "INVITE":
            asked[call] = (message, carried[0], carried[1])
        elif message.status == NOT_ACCEPTABLE and message.cseq[1] == "INVITE" and call in asked:
            request, source, payload = asked[call]
            found.setdefault(call, Refusal(caller_of(request), source, read_offer(payload)))
    return list(found.values())


def caller_of(request: SipMessage) -> str:
    """Return whose call it is: the user of its digest, else of its From."""
    digest = request.header("authorization") or request.header("proxy-authorization")
    user = _DIGEST_USER.search(digest) or _FROM_USER.search(request.header("from"))
    return user["user"] if user else "an unknown caller"


def read_offer(payload: bytes) -> Offer:
    """Read the audio of the session description in an INVITE; without one everything is left to the PBX."""
    text = payload.decode("utf-8", "replace").partition("\r\n\r\n")[2].replace("\r\n", "\n")
    media = _MEDIA.search(text)
    if media is None:
        return Offer("", ())
    named = {int(one["type"]): one["name"] for one in _NAMED.finditer(text)}
    types = [int(word) for word in media["types"].split()]
    names = [(named.get(one) or _STATIC.get(one) or str(one)).upper() for one in types]
    codecs = [_SAME.get(name, name.lower()) for name in names if name != "TELEPHONE-EVENT"]
    return Offer(media["profile"], tuple(dict.fromkeys(codecs)))


def explain(refusal: Refusal, takes: Collection[str]) -> str:
    """Say in one sentence why the PBX did not take the offer, and what helps.

    :param takes: the codecs of the caller's extension or trunk; none where it is not known here
    """
    who, offer = printable(f"{refusal.caller} ({refusal.source})"), refusal.offer
    if "SAVP" in offer.profile:
        return (
            f"{who} wants encrypted media ({offer.profile}), which this PBX does not take: "
            "switch SRTP off there."
        )
    offered = printable(", ".join(offer.codecs)) or "no audio"
    if takes and not set(takes) & set(offer.codecs):
        return f"{who} offers {offered}; here its codecs are {', '.join(takes)}: switch one on there."
    return f"{who} offers {offered} ({offer.profile or 'no session description'}), and was refused."
