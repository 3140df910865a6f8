# Copyright (c) The callcenter maintainers
# SPDX-License-Identifier: MIT
"""SIP messages as they come over the wire: start line and headers. Bodies are left alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

# RFC 3261, 7.3.3: one-letter names of the headers that are read here.
_COMPACT = {"f": "from", "i": "call-id", "m": "contact", "t": "to", "v": "via"}
_STATUS_LINE = re.compile(r"SIP/2\.0 (?P<status>[1-6][0-9]{2})(?: (?P<reason>.*))?")
_REQUEST_LINE = re.compile(r"(?P<method>[A-Z]+) (?P<uri>\S+) SIP/2\.0")
_FOLD = re.compile(r"\r\n[ \t]+")

LONGEST_ANSWER_BYTES = 65535
"""What fits into a datagram."""


@dataclass(frozen=True)
class SipMessage:
    """A request (``status`` is 0) or a response (``method`` and ``uri`` are empty).

    Header names are lower case and spelt out, in the order of the wire.
    """

    method: str
    uri: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order; the name in lower case."""
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str:
        """The first value of a header; empty when there is none."""
        return next(iter(self.all(name)), "")

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of CSeq; ``(0, "")`` when it is not readable."""
        number, _, method = self.header("cseq").partition(" ")
        return (int(number), method.strip()) if number.isascii() and number.isdigit() else (0, "")


def parse_message(packet: bytes) -> SipMessage | None:
    """Read one SIP message; ``None`` when the packet is none (a keep-alive, garbage)."""
    text = packet.decode("utf-8", "replace").partition("\r\n\r\n")[0]
    start, *fields = _FOLD.sub(" ", text).split("\r\n")
    headers = tuple(_header(field) for field in fields if ":" in field)
    if answer := _STATUS_LINE.fullmatch(start):
        return SipMessage("", "", int(answer["status"]), answer["reason"] or "", headers)
    if request := _REQUEST_LINE.fullmatch(start):
        return SipMessage(request["method"], request["uri"], 0, "", headers)
    return None


def encode_message(start: str, headers: list[tuple[str, str]]) -> bytes:
    """A message without a body, as it goes over the wire."""
    lines = [start, *(f"{name}: {value}" for name, value in headers), "Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode()


def _header(field: str) -> tuple[str, str]:
    name, _, value = field.partition(":")
    name = name.strip().lower()
    return _COMPACT.get(name, name), value.strip()
