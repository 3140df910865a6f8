"""SIP messages as text: parsing, the parts the tests assert on, and the digest arithmetic. No I/O."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_COMPACT = {
    "i": "call-id",
    "f": "from",
    "t": "to",
    "v": "via",
    "m": "contact",
    "c": "content-type",
    "l": "content-length",
}
_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^,\s]*))')
_METHOD_LINE = re.compile(r"[A-Z]+ \S.* SIP/2\.0")


@dataclass(frozen=True)
class Media:
    """Where one side wants its audio: the first audio line of an SDP body."""

    address: str
    port: int
    payload_types: tuple[int, ...]


@dataclass(frozen=True)
class SipMessage:
    """One SIP message. Header names are lower case, in the order of the wire; compact names are spelt out."""

    start_line: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def is_request(self) -> bool:
        return not self.start_line.startswith("SIP/2.0 ")

    @property
    def method(self) -> str:
        """The request's method; of a response, that of the request it answers."""
        return self.start_line.split(" ", 1)[0] if self.is_request else self.header("cseq").split()[-1]

    @property
    def status(self) -> int:
        """The response's status code; 0 for a request."""
        return 0 if self.is_request else int(self.start_line.split(" ", 2)[1])

    @property
    def uri(self) -> str:
        """The Request-URI, exactly as sent; empty for a response."""
        return self.start_line.split(" ", 1)[1].rsplit(" ", 1)[0] if self.is_request else ""

    @property
    def call_id(self) -> str:
        return self.header("call-id")

    @property
    def cseq(self) -> int:
        return int(self.header("cseq").split()[0])

    @property
    def media(self) -> Media | None:
        """The audio line of the SDP body; None without one."""
        return parse_media(self.body)

    def header(self, name: str) -> str:
        """The first value of a header; empty when the message has none."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if key == name.lower()]


def parse_message(text: str) -> SipMessage | None:
    """Parse the text of a datagram; None if it is no SIP message (a keep-alive, say)."""
    head, _, body = text.replace("\r\n", "\n").lstrip("\n").partition("\n\n")
    lines = re.sub(r"\n[ \t]+", " ", head).split("\n")
    if not (lines[0].startswith("SIP/2.0 ") or _METHOD_LINE.fullmatch(lines[0])):
        return None
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        key = name.strip().lower()
        headers.append((_COMPACT.get(key, key), value.strip()))
    return SipMessage(lines[0], tuple(headers), body)


def parse_media(sdp: str) -> Media | None:
    """The address and port of the first audio line; a media-level address wins over the session's."""
    address = ""
    media: Media | None = None
    for line in sdp.splitlines():
        if line.startswith("m=") and media is not None:
            break
        if line.startswith("m=audio "):
            _, port, _, *payloads = line.split()
            media = Media(address, int(port), tuple(int(item) for item in payloads))
        elif line.startswith("c="):
            address = line.split()[-1]
            if media is not None:
                media = Media(address, media.port, media.payload_types)
    return media


def digest_parameters(header: str) -> dict[str, str]:
    """The parameters of a ``Digest …`` header value, unquoted."""
    return {name: quoted or plain for name, quoted, plain in _PARAMETER.findall(header.partition(" ")[2])}


def digest_is_right(request: SipMessage, username: str, password: str, *, realm: str, nonce: str) -> bool:
    """Whether a request's (Proxy-)Authorization answers that challenge with that password (RFC 2617, MD5).

    The digest must also be made for this request: same method, and the URI of the request line.
    """
    given = digest_parameters(request.header("proxy-authorization") or request.header("authorization"))
    if (given.get("username"), given.get("realm"), given.get("nonce")) != (username, realm, nonce):
        return False
    if given.get("uri") != request.uri:
        return False
    secret = _md5(f"{username}:{realm}:{password}")
    subject = _md5(f"{request.method}:{given['uri']}")
    middle = ":".join([nonce, *(given[name] for name in ("nc", "cnonce", "qop") if "qop" in given)])
    return given.get("response") == _md5(f"{secret}:{middle}:{subject}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
