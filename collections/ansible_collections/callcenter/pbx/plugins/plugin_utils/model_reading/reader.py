"""Reading one mapping of the inventory's variables: shapes, types, ranges and formats.

Nothing here raises for bad input: each problem becomes a `Fault` and reading goes on with a harmless value,
so that one run reports everything.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.dialplan import is_e164
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.ranges import parse_network
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Fault

CODECS = ("ulaw", "alaw")
_MISSING: Any = object()
UNREAD: Any = object()
"""In place of a value that is missing or of no use; whoever finds out reports it, nobody else."""

Check = Callable[[str], str | None]
"""Takes a value, returns what is wrong with it (completing "... <value> ...") and the remedy, or None."""

_HOST_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_SIP_URI = re.compile(r"sip:([A-Za-z0-9.-]+)(?::([0-9]{1,5}))?(;transport=(?:udp|tcp))?")


def shown(value: object) -> str:
    """Return ``value`` for a message: quoted when text, short, on one line."""
    text = repr(str(value)) if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def is_host_name(text: str) -> bool:
    """True for a DNS name of at least two labels whose last is not a number."""
    labels = text.split(".")
    return (
        len(text) <= 253
        and len(labels) >= 2
        and all(_HOST_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )


def is_ipv4(text: str) -> bool:
    """True for an IPv4 address in its usual spelling."""
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def pattern(expression: str, remedy: str) -> Check:
    """Return a check that the whole value matches ``expression``."""
    compiled = re.compile(expression)
    return lambda value: None if compiled.fullmatch(value) else remedy


def e164(value: str) -> str | None:
    return (
        None
        if is_e164(value)
        else "write E.164: a plus, country code and number, digits only, as +19863334949"
    )


def sip_uri(value: str) -> str | None:
    found = _SIP_URI.fullmatch(value)
    good = found and (is_ipv4(found[1]) or is_host_name(found[1])) and 0 < int(found[2] or 5060) <= 65535
    return None if good else "write sip:<address or host name>[:port][;transport=udp|tcp]"


def host_name(value: str) -> str | None:
    return (
        None
        if is_host_name(value) or is_ipv4(value)
        else "write a name, as <trunk>.pstn.ashburn.twilio.com, or an IPv4 address, without scheme or port"
    )


def one_of(*choices: str) -> Check:
    return lambda value: None if value in choices else f"write one of: {', '.join(choices)}"


def address(value: str) -> str | None:
    return None if is_ipv4(value) else "write an IPv4 address, as 203.0.113.7"


def network(value: str) -> str | None:
    if parse_network(value):
        return None
    for family in (IPv4Network, IPv6Network):
        try:
            loose = family(value, strict=False)
        except ValueError:
            continue
        return f"it has host bits set: write {loose}, or {value.partition('/')[0]} for the one address"
    return "write an address or a network, as 203.0.113.7 or 203.0.113.0/24"


def web_address(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    return None if is_good else "write http://... or https://..."


def list_path(value: str) -> str | None:
    return (
        None if value.strip() == value and "\0" not in value else "write a path, as blacklists/scanners.txt"
    )


checksum = pattern(
    r"[0-9A-Fa-f]{64}|none",
    "write the 64 hexadecimal digits that sha256sum prints, in quotes, or none for a list that changes",
)
extension_number = pattern(r"[0-9]{2,6}", 'write 2 to 6 digits in quotes, as "100"')
prefix = pattern(r"\+[0-9]{0,14}", 'write a plus and digits, as "+1900", or "+" alone for every number')
codec = one_of(*CODECS)


def _as_yaml(value: object) -> str:
    """Return what YAML made of something that was to be text, in YAML's own words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return shown(value)


def _spellings(value: object) -> list[str]:
    """Return what may stand in the file where YAML found ``value``, the likeliest first."""
    if isinstance(value, bool):
        return ["yes", "on", "true"] if value else ["no", "off", "false"]
    if isinstance(value, int):
        # YAML drops a plus, and reads digits as octal that begin with 0.
        return [str(value), f"+{value}", f"0{value:o}" if value >= 0 else str(value)]
    return [str(value)]


def quoting_remedy(value: object, check: Check) -> tuple[str, str]:
    """Return what is wrong with a ``value`` that is not text, and what to write instead."""
    if isinstance(value, Mapping | list | tuple):
        return f"{shown(value)} is not text", check("") or "Write one text"
    fitting = [text for text in _spellings(value) if check(text) is None]
    why = ""
    if isinstance(value, bool):
        why = f" (what YAML makes of {', '.join(_spellings(value))})"
    elif isinstance(value, int) and any(text.startswith("0") for text in fitting[1:]):
        why = f" (what YAML also makes of {fitting[-1]})"
    problem = f"{_as_yaml(value)}{why} is not text"
    if not fitting:
        return problem, check("") or check(str(value)) or "Put it in quotes"
    others = [text for text in fitting[1:] if text.startswith("0")]
    choice = f', or "{others[0]}" if that stands there' if others else ""
    return problem, f'Put it in quotes, as "{fitting[0]}"{choice}'


def _close(key: str, known: Sequence[str]) -> str | None:
    """Return the known name that ``key`` misspells; a prefix that all have in common says nothing."""
    bare = {name.removeprefix("pbx_"): name for name in known}
    found = difflib.get_close_matches(key.removeprefix("pbx_"), bare, n=1, cutoff=0.7)
    return bare[found[0]] if found else None


EMPTY = "is empty (YAML reads nothing, ~ and null as no value)"


class Findings:
    """What a reading of the model came upon: the faults, and the places that hold no usable value."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.unread: set[str] = set()


class Reader:
    """Reads one mapping of the model. ``path`` is how messages name it, as ``pbx_trunks[0]``.

    What is broken gives one fault, and nothing in it another one.
    """

    def __init__(self, value: object, path: str, findings: Findings, top: bool = False) -> None:
        self.path = path
        self.findings = findings
        self._top = top
        self._seen: list[str] = []
        self._missing: list[str] = []
        self._values: Mapping[str, Any] = {}
        self._readable = isinstance(value, Mapping)
        if isinstance(value, Mapping):
            self._values = {str(key): item for key, item in value.items()}
        elif value is None:
            self.fault("", EMPTY, "Write `key: value` pairs below it, or remove it")
        elif value is not UNREAD:
            self.fault(
                "", f"{shown(value)} is not a mapping", "Write `key: value` pairs as in the example inventory"
            )
            self.findings.unread.add(path)

    def name(self, key: str) -> str:
        if not key:
            return self.path
        return key if self._top else f"{self.path}.{key}"

    def fault(self, key: str, problem: str, remedy: str) -> None:
        self.findings.faults.append(Fault(self.name(key), problem, remedy[:1].upper() + remedy[1:]))

    def _unread(self, key: str, problem: str, remedy: str) -> None:
        """Report a value that cannot be used; rules that would need it stay silent."""
        self.fault(key, problem, remedy)
        self.findings.unread.add(self.name(key))

    def has(self, key: str) -> bool:
        """True when there is a value, good or bad."""
        return self._values.get(key) is not None

    def is_read(self, key: str) -> bool:
        """True unless the value of ``key`` was found to be of no use."""
        return self.name(key) not in self.findings.unread

    def raw(self, key: str, default: Any = _MISSING, may_be_null: bool = False) -> Any:
        """Return the value of ``key``, or its default; `UNREAD`, with a fault, when there is none."""
        self._seen.append(key)
        value = self._values.get(key)
        if value is not None:
            return value
        if not self._readable:
            return UNREAD
        if key in self._values and not may_be_null:
            remedy = "Write a value" if default is _MISSING else "Write a value, or remove the line"
            self._unread(key, EMPTY, remedy)
            return UNREAD
        if default is _MISSING:
            self._missing.append(key)
            self.findings.unread.add(self.name(key))
            return UNREAD
        return default

    def text(self, key: str, check: Check, default: Any = _MISSING, stand_in: str = "") -> str:
        """Return text that passes ``check``, else ``stand_in``; empty when absent with a default of None."""
        value = self.raw(key, default)
        if value is None:
            return ""
        return self._checked(key, value, check, stand_in)

    def _checked(self, key: str, value: object, check: Check, stand_in: str) -> str:
        if value is UNREAD:
            return stand_in
        if value is None:
            self.fault(key, EMPTY, "Write a value, or remove the line")
            return stand_in
        if not isinstance(value, str):
            self._unread(key, *quoting_remedy(value, check))
            return stand_in
        remedy = check(value)
        if remedy is None:
            return str(value)
        self._unread(key, f"{shown(value)} is not accepted", remedy)
        return stand_in

    def integer(self, key: str, least: int, most: int, default: Any = _MISSING) -> int:
        """Return a whole number within both ends; a bad one gives the default, else ``least``."""
        stand_in = int(default) if default is not _MISSING else least
        value = self.raw(key, default)
        if value is UNREAD:
            return stand_in
        if isinstance(value, bool) or not isinstance(value, int):
            self._unread(
                key,
                f"{_as_yaml(value)} is not a whole number",
                f"Write a number from {least} to {most}, without quotes or fraction",
            )
            return stand_in
        if least <= value <= most:
            return int(value)
        self._unread(key, f"{int(value)} is out of range", f"Write a number from {least} to {most}")
        return stand_in

    def boolean(self, key: str, default: bool) -> bool:
        value = self.raw(key, default)
        if isinstance(value, bool):
            return value
        if value is not UNREAD:
            self._unread(
                key, f"{shown(value)} is neither true nor false", "Write true or false without quotes"
            )
        return default

    def items(self, key: str, default: Any = _MISSING, least: int = 0) -> Sequence[Any]:
        """Return the list under ``key``; anything else is a fault and gives no items."""
        value = self.raw(key, default)
        if value is UNREAD:
            return ()
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
            self._unread(key, f"{_as_yaml(value)} is not a list", "Write one `- item` a line, or [] for none")
            return ()
        if len(value) < least:
            self._unread(key, "is empty", f"List at least {least}")
        return value

    def texts(self, key: str, check: Check, default: Any = _MISSING, least: int = 0) -> tuple[str, ...]:
        """Return the good items of a list of text; each bad and each repeated one is a fault of its own."""
        found: list[str] = []
        for index, item in enumerate(self.items(key, default, least)):
            text = self._checked(f"{key}[{index}]", item, check, "")
            if text and text in found:
                self.fault(f"{key}[{index}]", f"{shown(text)} is listed twice", "Remove one")
            elif text:
                found.append(text)
        return tuple(found)

    def mapping(self, key: str, default: Any = _MISSING) -> Reader:
        """Return a reader for the mapping under ``key``."""
        return self.reader(key, self.raw(key, default))

    def reader(self, key: str, value: object) -> Reader:
        """Return a reader for a nested mapping, as an item of a list."""
        return Reader(value, self.name(key), self.findings)

    def done(self) -> None:
        """Report every key that nothing asked for, and those that are missing."""
        for key in self._values:
            if key in self._seen or (self._top and not key.startswith("pbx_")):
                continue
            close = _close(key, self._seen)
            if close is None:
                remedy = f"Remove it; known are: {', '.join(self._seen)}"
            elif close in self._values:
                remedy = f"Remove it: {close} is there as well"
            else:
                remedy = f"Did you mean {close}"
            self.fault(key[:60], "is unknown here", remedy)
            if close in self._missing:
                self._missing.remove(close)
        for key in self._missing:
            self.fault(key, "is missing", "Add it; the example inventory shows the form")
