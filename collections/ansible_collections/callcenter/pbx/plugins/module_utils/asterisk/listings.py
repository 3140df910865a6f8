# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Read what Asterisk's console prints. Pure: text in, values out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_VERSION = re.compile(r"^Asterisk (?P<version>\d+(?:\.\d+)*)")
_OBJECT = re.compile(r"^\s*(?P<kind>[A-Za-z/]+):\s+(?P<rest>\S.*)$")
_CONTACT = re.compile(r"^(?P<aor>[^/]+)/(?P<uri>\S+)\s+\S+\s+(?P<status>\S+)\s+\S+$")
_TRANSPORT = re.compile(r"^(?P<name>\S+)\s+(?P<protocol>\S+)\s+\d+\s+\d+\s+(?P<bind>\S+)$")
_CHANNELS = re.compile(r"^(?P<count>\d+) active channels?", re.MULTILINE)
_CALLS = re.compile(r"^(?P<count>\d+)(?: of (?P<most>\d+) max)? active calls?", re.MULTILINE)
_UPTIME = re.compile(r"^System uptime: (?P<seconds>\d+)", re.MULTILINE)
_MAINTENANCE = re.compile(r"^\s*(?P<count>\d+) endpoints? in maintenance mode", re.MULTILINE)
_RTP_PORT = re.compile(r"^\s*Port (?P<which>start|end):\s+(?P<port>\d+)\s*$", re.MULTILINE)
_PARAMETER = re.compile(r"^\s*(?P<name>\w+)\s+: (?P<value>.*)$")


@dataclass(frozen=True)
class Contact:
    """A contact as listed: its URI (long ones cut short) and Avail, Unavail, NonQual or Unknown."""

    uri: str
    status: str


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as `pjsip show endpoints` lists it."""

    name: str
    state: str
    in_auths: tuple[str, ...] = ()
    out_auths: tuple[str, ...] = ()
    aors: tuple[str, ...] = ()
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True)
class Identify:
    """An identify object: whoever comes from one of ``matches`` is taken for ``endpoint``."""

    name: str
    endpoint: str
    matches: tuple[str, ...]


@dataclass(frozen=True)
class Transport:
    """A running transport."""

    name: str
    protocol: str
    bind: str


@dataclass(frozen=True)
class Load:
    """What is going on: open channels, calls, and the most calls allowed (None: no limit)."""

    channels: int
    calls: int
    most_calls: int | None


@dataclass
class _Draft:
    """An endpoint or identify while its lines are being read."""

    name: str
    detail: str
    parts: dict[str, list[str]] = field(default_factory=dict)
    contacts: list[Contact] = field(default_factory=list)

    def part(self, kind: str) -> tuple[str, ...]:
        return tuple(self.parts.get(kind, ()))


def version(answer: str) -> str | None:
    """Read `core show version`: the dotted number, without the packager's suffix."""
    found = _VERSION.match(answer)
    return found["version"] if found else None


def version_key(text: str) -> tuple[int, ...]:
    """Return a dotted number as something that compares as versions do."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def uptime_seconds(answer: str) -> int | None:
    """Read `core show uptime seconds`."""
    found = _UPTIME.search(answer)
    return int(found["seconds"]) if found else None


def load(answer: str) -> Load | None:
    """Read `core show channels count`."""
    channels, calls = _CHANNELS.search(answer), _CALLS.search(answer)
    if not channels or not calls:
        return None
    return Load(int(channels["count"]), int(calls["count"]), int(calls["most"]) if calls["most"] else None)


def endpoints(answer: str) -> dict[str, Endpoint]:
    """Read `pjsip show endpoints`, by name."""
    found = {}
    for draft in _drafts(answer, "Endpoint"):
        state = re.split(r"\s{2,}", draft.detail)[0]
        found[draft.name] = Endpoint(
            draft.name,
            state,
            draft.part("InAuth"),
            draft.part("OutAuth"),
            draft.part("Aor"),
            tuple(draft.contacts),
        )
    return found


def identifies(answer: str) -> tuple[Identify, ...]:
    """Read `pjsip show identifies`."""
    return tuple(
        Identify(draft.name, draft.detail, draft.part("Match")) for draft in _drafts(answer, "Identify")
    )


def names(answer: str, kind: str) -> frozenset[str]:
    """Read the names of the objects of one kind (V(Auth), V(Aor)) in `pjsip list …`."""
    return frozenset(draft.name for draft in _drafts(answer, kind))


def transports(answer: str) -> tuple[Transport, ...]:
    """Read `pjsip show transports`."""
    found = []
    for line in _body(answer):
        match = _OBJECT.match(line)
        if match and match["kind"] == "Transport" and (parts := _TRANSPORT.match(match["rest"].rstrip())):
            found.append(Transport(parts["name"], parts["protocol"], parts["bind"]))
    return tuple(found)


def parameters(answer: str) -> dict[str, str]:
    """Read the parameters in `pjsip show endpoint NAME`; empty when there is no such endpoint."""
    matches = (_PARAMETER.match(line) for line in answer.splitlines())
    return {match["name"]: match["value"].strip() for match in matches if match}


def in_maintenance(answer: str) -> int | None:
    """Read `pjsip show maintenance`: endpoints that refuse new calls; None when Asterisk does not say."""
    found = _MAINTENANCE.search(answer)
    return int(found["count"]) if found else None


def rtp_ports(answer: str) -> tuple[int, int] | None:
    """Read `rtp show settings`: first and last port."""
    found = {match["which"]: int(match["port"]) for match in _RTP_PORT.finditer(answer)}
    return (found["start"], found["end"]) if len(found) == 2 else None


def log_is_enabled(answer: str, path: str) -> bool:
    """Read `logger show channels`: whether the file gets anything."""
    return any(line.split()[:1] == [path] and " Enabled " in line for line in answer.splitlines())


def _body(answer: str) -> list[str]:
    """The lines after the heading, which ends with a line of equal signs."""
    lines = answer.splitlines()
    start = next((place for place, line in enumerate(lines, 1) if line.startswith("=====")), 0)
    return lines[start:]


def _drafts(answer: str, kind: str) -> list[_Draft]:
    """Group the lines of a listing by the objects of one kind, each with the lines that belong to it."""
    drafts: list[_Draft] = []
    for line in _body(answer):
        match = _OBJECT.match(line)
        if not match:
            continue
        word, rest = match["kind"], match["rest"].rstrip()
        first, _, detail = rest.partition(" ")
        if word == kind:
            drafts.append(_draft(kind, first, detail))
        elif drafts and word == "Contact" and (contact := _CONTACT.match(rest)):
            drafts[-1].contacts.append(Contact(contact["uri"], contact["status"]))
        elif drafts:
            drafts[-1].parts.setdefault(word, []).append(first.split("/")[0] if "Auth" in word else first)
    return drafts


def _draft(kind: str, first: str, detail: str) -> _Draft:
    """Split what stands after the kind: an identify names its endpoint, the others a caller ID or a user."""
    name, _, after = first.partition("/")
    return _Draft(name, after if kind == "Identify" else detail.strip())
