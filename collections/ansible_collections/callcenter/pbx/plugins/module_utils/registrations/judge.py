"""Which password each phone registers with: packet captures, SIP, digests and a verdict. Pure functions.

Asterisk does not say which of two passwords was right. But a REGISTER carries a digest of one, made with
values that are all in the request, and the configuration holds the digest's secret part (A1) of both: the one
that gives the same result is the one the phone has. A match needs no answer to prove it.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk import conf
from ansible_collections.callcenter.pbx.plugins.module_utils.host.untrusted import printable
from ansible_collections.callcenter.pbx.plugins.module_utils.sip.digest import parse_parameters
from ansible_collections.callcenter.pbx.plugins.module_utils.sip.message import parse_message

NEW, OLD, UNKNOWN = "new", "old", "unknown"

# The bounds the phones' AORs are given in pjsip_wizard.conf, in seconds.
_SHORTEST, _USUAL, _LONGEST = 60, 600, 3600

_FILE_HEADER = struct.Struct("<I20x")
_RECORD = struct.Struct("<IIII")
_MAGIC = 0xA1B2C3D4
_ETHERNET, _UDP = 14, 8
# By Ethernet type: length of the IP header (no options are written), place and size of the source address.
_IP = {0x0800: (20, 12, 4), 0x86DD: (40, 8, 16)}

_CONTACT_URI = re.compile(r"<([^>]*)>|^([^;\s]+)")
_CONTACT_EXPIRES = re.compile(r";\s*expires\s*=\s*(\d+)\s*(?:;|$)", re.IGNORECASE)
_STORED = re.compile(
    r"^/registrar/contact/(?P<number>[^;/]+);@\S+\s*:\s*(?P<contact>\{.*\})\s*$", re.MULTILINE
)
_HOST = re.compile(r"^sips?:(?:[^@]*@)?(?P<host>\[[^\]]+\]|[^:;>]+)(?P<port>:\d+)?", re.IGNORECASE)
_AUTH_SECTION = re.compile(r"(?P<number>\d+)-(?P<which>iauth|previous)")


@dataclass(frozen=True)
class Attempt:
    """One REGISTER request that carries a digest.

    ``time``: seconds since the epoch; ``source``: address and port it came from; ``seconds``: how long the
    registration is to last, 0 for taking it back; ``digest``: parameters of the Authorization header.
    """

    time: float
    source: str
    call_id: str
    contact: str
    seconds: int
    digest: Mapping[str, str]


@dataclass(frozen=True)
class Seen:
    """A registration whose password is known: ``password`` is `NEW` or `OLD`."""

    password: str
    attempt: Attempt

    @property
    def ends(self) -> float:
        return self.attempt.time + self.attempt.seconds

    def is_same_device(self, other: Seen) -> bool:
        """A phone that was restarted or set up anew keeps at least one of these."""
        mine, others = self.attempt, other.attempt
        return (
            mine.source == others.source
            or mine.call_id == others.call_id
            or (mine.contact == others.contact and mine.contact != "")
        )


@dataclass(frozen=True)
class Secrets:
    """The A1 digests, in hex, of the two passwords an extension accepts."""

    new: str
    old: str


# --- Reading --------------------------------------------------------------------------------------


def packets(capture: bytes) -> Iterator[tuple[float, str, bytes]]:
    """Yield (time, source, payload) of each packet of a capture as Asterisk writes it; a cut end is left out.

    Ethernet, IPv4 or IPv6, UDP: Asterisk writes these headers for other transports, too.
    """
    if len(capture) < _FILE_HEADER.size or _FILE_HEADER.unpack_from(capture)[0] != _MAGIC:
        return
    at = _FILE_HEADER.size
    while at + _RECORD.size <= len(capture):
        seconds, microseconds, kept, _length = _RECORD.unpack_from(capture, at)
        at += _RECORD.size
        frame = capture[at : at + kept]
        at += kept
        if len(frame) < kept or kept < _ETHERNET:
            continue
        header = _IP.get(int.from_bytes(frame[12:14], "big"))
        if header is None or kept < _ETHERNET + header[0] + _UDP:
            continue
        length, offset, size = header
        source = ip_address(frame[_ETHERNET + offset : _ETHERNET + offset + size])
        udp = _ETHERNET + length
        port = int.from_bytes(frame[udp : udp + 2], "big")
        host = f"[{source}]" if source.version == 6 else str(source)
        yield seconds + microseconds / 1e6, f"{host}:{port}", frame[udp + _UDP :]


def attempts(captures: Iterable[bytes]) -> list[Attempt]:
    """Return the REGISTER requests with a digest, in order of time."""
    found = []
    for capture in captures:
        for time, source, payload in packets(capture):
            if b"igest" in payload and (attempt := parse_register(time, source, payload)):
                found.append(attempt)
    return sorted(found, key=lambda attempt: attempt.time)


def parse_register(time: float, source: str, payload: bytes) -> Attempt | None:
    """Return the REGISTER request in a packet, None when it is another message or has no digest.

    One without Contact registers nobody: it asks what is registered, as the proof of a rotation does.
    """
    message = parse_message(payload)
    if message is None or message.method != "REGISTER":
        return None
    digest = parse_parameters(message.header("authorization"))
    contact = message.header("contact")
    if not digest or not contact:
        return None
    uri = _CONTACT_URI.search(contact)
    wanted = _CONTACT_EXPIRES.search(contact.partition(">")[2] or contact)
    return Attempt(
        time,
        source,
        message.header("call-id"),
        "" if contact == "*" or uri is None else (uri[1] or uri[2] or ""),
        _granted(wanted[1] if wanted else message.header("expires")),
        digest,
    )


def _granted(wanted: str) -> int:
    """Return the seconds Asterisk registers a phone for that asks for ``wanted`` (digits, or '')."""
    if not (wanted.isascii() and wanted.isdigit()):
        return _USUAL
    return int(wanted) and max(_SHORTEST, min(_LONGEST, int(wanted[:10])))


def stored_contacts(answer: str) -> dict[str, list[dict[str, Any]]]:
    """Return the registered contacts by extension from the answer of `database show registrar`."""
    found: dict[str, list[dict[str, Any]]] = {}
    for match in _STORED.finditer(answer):
        try:
            contact = json.loads(match["contact"])
            uri = str(contact["uri"]).replace("^3B", ";")
            until = iso(float(contact["expiration_time"]))
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
        host = _HOST.match(uri)
        address = f"{host['host']}{host['port'] or ''}" if host else uri
        about = {
            "uri": uri,
            "address": address,
            "user_agent": str(contact.get("user_agent", "")),
            "until": until,
        }
        found.setdefault(match["number"], []).append(about)
    return found


def overlap_secrets(files: Mapping[str, str]) -> dict[str, Secrets]:
    """Return the extensions that accept two passwords, from a configuration tree."""
    known: dict[str, dict[str, str]] = {}
    for section in conf.sections(files, "pjsip_auth.conf"):
        match = _AUTH_SECTION.fullmatch(section.name)
        kind, _, digest = section.get("password_digest").partition(":")
        if match and kind == "MD5":
            known.setdefault(match["number"], {})[match["which"]] = digest
    return {
        number: Secrets(found["iauth"], found["previous"])
        for number, found in known.items()
        if found.keys() == {"iauth", "previous"}
    }


# --- Judging --------------------------------------------------------------------------------------


def fits(digest: Mapping[str, str], a1: str) -> bool:
    """Tell whether a REGISTER's digest (RFC 2617, MD5, with or without qop=auth) was made with ``a1``."""
    if digest.get("algorithm", "MD5").upper() != "MD5" or digest.get("qop", "auth") != "auth":
        return False
    middle = [digest.get("nonce", "")]
    if "qop" in digest:
        middle += [digest.get("nc", ""), digest.get("cnonce", ""), digest["qop"]]
    a2 = _md5(f"REGISTER:{digest.get('uri', '')}")
    return digest.get("response", "").lower() == _md5(":".join([a1, *middle, a2]))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def judge(found: Iterable[Attempt], secrets: Mapping[str, Secrets], now: float) -> dict[str, Seen]:
    """Return what decides about each extension that was seen with either password.

    Several devices may share an extension, and each counts until it registers otherwise or its registration
    ends: the newest of those with the old password decides, else the newest of all.

    :param found: in order of time
    :param now: seconds since the epoch
    """
    devices: dict[str, list[Seen]] = {}
    for attempt in found:
        number = attempt.digest.get("username", "")
        password = _password(attempt, secrets.get(number))
        if password:
            seen = Seen(password, attempt)
            others = [one for one in devices.get(number, []) if not one.is_same_device(seen)]
            devices[number] = [*(one for one in others if one.ends > now), seen]
    return {number: _decisive(known, now) for number, known in devices.items()}


def _password(attempt: Attempt, secrets: Secrets | None) -> str:
    if secrets is None:
        return ""
    if fits(attempt.digest, secrets.new):
        return NEW
    return OLD if fits(attempt.digest, secrets.old) else ""


def _decisive(devices: Sequence[Seen], now: float) -> Seen:
    """``devices`` are in order of time, and not empty."""
    old = [one for one in devices if one.password == OLD and one.ends > now]
    return (old or devices)[-1]


def describe(
    extensions: Sequence[Mapping[str, str]],
    contacts: Mapping[str, Sequence[Mapping[str, Any]]],
    secrets: Mapping[str, Secrets],
    seen: Mapping[str, Seen],
) -> list[dict[str, Any]]:
    """Return one mapping an extension, see the module's RETURN."""
    described = []
    for extension in extensions:
        number = extension["number"]
        last = seen.get(number)
        password = (last.password if last else UNKNOWN) if number in secrets else None
        described.append(
            {
                "number": number,
                "name": extension.get("name", number),
                "contacts": list(contacts.get(number, ())),
                "password": password,
                "seen_at": iso(last.attempt.time) if last else None,
                "seen_from": last.attempt.source if last else None,
            }
        )
    return described


def iso(seconds: float) -> str:
    """Return a time in seconds since the epoch as ISO 8601, UTC."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- Telling --------------------------------------------------------------------------------------

_HEADINGS = ("extension", "name", "registered from", "password", "seen")
_WORDS = {NEW: "new", OLD: "old", UNKNOWN: "not seen yet", None: "-"}
_SHOWN = 10


def table(phones: Sequence[Mapping[str, Any]]) -> str:
    """Return one line a phone under a line of headings."""
    rows = [
        (
            str(phone["number"]),
            str(phone["name"]),
            printable(", ".join(contact["address"] for contact in phone["contacts"])) or "-",
            _WORDS[phone["password"]],
            f"{phone['seen_at']} from {phone['seen_from']}" if phone["seen_at"] else "",
        )
        for phone in phones
    ]
    widths = [max(len(row[column]) for row in (_HEADINGS, *rows)) for column in range(len(_HEADINGS))]
    lines = (
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in (_HEADINGS, *rows)
    )
    return "\n".join(line.rstrip() for line in lines)


def advice(phones: Sequence[Mapping[str, Any]]) -> str:
    """Say what to do next about the passwords being replaced."""
    changing = [phone for phone in phones if phone["password"]]
    if not changing:
        registered = sum(bool(phone["contacts"]) for phone in phones)
        return f"{registered} of {len(phones)} phones are registered. No password is being replaced."
    missing = [phone for phone in changing if phone["password"] != NEW]
    if not missing:
        numbers = ",".join(phone["number"] for phone in changing)
        whom = numbers if len(changing) <= _SHOWN else "extensions"
        return (
            f"{_phones(len(changing))} being changed over, all seen with the new password. Refuse the old:\n"
            f"ansible-playbook playbooks/rotate_passwords.yml -e rotate={whom} -e finish=true"
        )
    named = [f"{phone['number']} ({_WORDS[phone['password']]})" for phone in missing[:_SHOWN]]
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return (
        f"{_phones(len(changing))} being changed over, {len(missing)} missing: {', '.join(named)}{more}.\n"
        "Give them the new password. Each shows here when it next registers, within the hour.\n"
        "Finishing now (-e finish=true) would cut the missing ones off."
    )


def _phones(count: int) -> str:
    return "1 phone is" if count == 1 else f"{count} phones are"
