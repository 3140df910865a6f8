"""Reading the inventory's variables into the typed model: shapes, types, ranges and formats.

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

from .model import (
    BlockUrl,
    CatchAll,
    Destination,
    Did,
    Emergency,
    Extension,
    Fault,
    Listed,
    Model,
    Outbound,
    RtpPorts,
    Trunk,
    parse_network,
    parse_range,
)
from .numbering import is_e164

CODECS = ("ulaw", "alaw")
DIAL_OPTIONS = "tTkKhHrR"
_MISSING: Any = object()

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


def _is_ipv4(text: str) -> bool:
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
    good = found and (_is_ipv4(found[1]) or is_host_name(found[1])) and 0 < int(found[2] or 5060) <= 65535
    return None if good else "write sip:<address or host name>[:port][;transport=udp|tcp]"


def host_name(value: str) -> str | None:
    return (
        None
        if is_host_name(value)
        else "write a DNS name, as <trunk>.pstn.ashburn.twilio.com, without scheme or port"
    )


def one_of(*choices: str) -> Check:
    return lambda value: None if value in choices else f"write one of: {', '.join(choices)}"


def address(value: str) -> str | None:
    return None if _is_ipv4(value) else "write an IPv4 address, as 203.0.113.7"


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


class Reader:
    """Reads one mapping of the model. ``path`` is how messages name it, as ``pbx_trunks[0]``."""

    def __init__(self, value: object, path: str, faults: list[Fault], top: bool = False) -> None:
        self.path = path
        self.faults = faults
        self._top = top
        self._seen: list[str] = []
        self._values: Mapping[str, Any] = {}
        self._readable = isinstance(value, Mapping)
        if isinstance(value, Mapping):
            self._values = {str(key): item for key, item in value.items()}
        elif value is not None:
            self.fault(
                "", f"{shown(value)} is not a mapping", "Write `key: value` pairs as in the example inventory"
            )

    def name(self, key: str) -> str:
        if not key:
            return self.path
        return key if self._top else f"{self.path}.{key}"

    def fault(self, key: str, problem: str, remedy: str) -> None:
        self.faults.append(Fault(self.name(key), problem, remedy))

    def has(self, key: str) -> bool:
        return self._values.get(key) is not None

    def raw(self, key: str, default: Any = _MISSING) -> Any:
        """Return the value of ``key``; missing or null without a default is a fault and gives None."""
        self._seen.append(key)
        value = self._values.get(key)
        if value is not None:
            return value
        if default is _MISSING:
            if self._readable:
                self.fault(key, "is missing", "Add it; the example inventory shows the form")
            return None
        return default

    def text(self, key: str, check: Check, default: Any = _MISSING, stand_in: str = "") -> str:
        """Return text that passes ``check``, else ``stand_in``. A number gets the hint to quote it."""
        value = self.raw(key, default)
        if value is None:
            return stand_in
        return self._checked(key, value, check, stand_in)

    def _checked(self, key: str, value: object, check: Check, stand_in: str) -> str:
        if not isinstance(value, str):
            self.fault(key, f"{shown(value)} is not text", f'Put it in quotes, as "{str(value)[:20]}"')
            return stand_in
        remedy = check(value)
        if remedy is None:
            return str(value)
        self.fault(key, f"{shown(value)} is not accepted", remedy[0].upper() + remedy[1:])
        return stand_in

    def integer(self, key: str, least: int, most: int, default: Any = _MISSING) -> int:
        """Return a whole number within both ends; a bad one gives the default, else ``least``."""
        stand_in = int(default) if default is not _MISSING else least
        value = self.raw(key, default)
        if value is None:
            return stand_in
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(key, f"{shown(value)} is not a whole number", "Write it without quotes or fraction")
            return stand_in
        if least <= value <= most:
            return int(value)
        self.fault(key, f"{int(value)} is out of range", f"Write a number from {least} to {most}")
        return stand_in

    def boolean(self, key: str, default: bool) -> bool:
        value = self.raw(key, default)
        if isinstance(value, bool):
            return value
        self.fault(key, f"{shown(value)} is neither true nor false", "Write true or false without quotes")
        return default

    def items(self, key: str, default: Any = _MISSING, least: int = 0) -> Sequence[Any]:
        """Return the list under ``key``; anything else is a fault and gives no items."""
        value = self.raw(key, default)
        if value is None:
            return ()
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
            self.fault(key, f"{shown(value)} is not a list", "Write one `- item` a line, or [] for none")
            return ()
        if len(value) < least:
            self.fault(key, "is empty", f"List at least {least}")
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

    def reader(self, key: str, value: object) -> Reader:
        """Return a reader for a nested mapping."""
        return Reader(value, self.name(key), self.faults)

    def done(self) -> None:
        """Report every key that nothing asked for."""
        for key in self._values:
            if key in self._seen or (self._top and not key.startswith("pbx_")):
                continue
            close = difflib.get_close_matches(key, self._seen, n=1)
            remedy = f"Did you mean {close[0]}" if close else f"Remove it; known are: {', '.join(self._seen)}"
            self.fault(key[:60], "is unknown here", remedy)


def _extension(reader: Reader) -> Extension | None:
    number = reader.text("number", extension_number)
    found = Extension(
        number=number,
        name=reader.text(
            "name",
            pattern(r"[^\W_][\w .'-]{0,38}[\w.]|[^\W_]", "write 1 to 40 letters, digits, blanks, or . ' -"),
            default=number or "?",
            stand_in=number,
        ),
        context=reader.text("context", one_of("internal", "from-internal"), stand_in="internal"),
        codecs=reader.texts("codecs", codec, default=list(CODECS), least=1) or CODECS,
        max_contacts=reader.integer("max_contacts", 1, 10, default=1),
        ring_seconds=reader.integer("ring_seconds", 5, 300, default=20),
    )
    reader.done()
    return found if number else None


def _catch_all(trunk: Reader) -> CatchAll | None:
    value = trunk.raw("catch_all", None)
    if value is None:
        return None
    reader = trunk.reader("catch_all", value)
    found = CatchAll(
        prefixes=reader.texts("prefixes", prefix, least=1),
        extensions=reader.texts("extensions", extension_number, least=1),
        ring_seconds=reader.integer("ring_seconds", 5, 300, default=20),
    )
    reader.done()
    return found


def _qualify_seconds(reader: Reader) -> int:
    seconds = reader.integer("qualify_seconds", 0, 3600, default=60)
    if 0 < seconds < 15:
        reader.fault(
            "qualify_seconds",
            f"{seconds} is faster than carriers accept (one OPTIONS in 15 seconds)",
            "Write 15 or more, or 0 for never",
        )
    return seconds


def _trunk(reader: Reader) -> Trunk | None:
    name = reader.text(
        "name",
        pattern(
            r"[a-z][a-z0-9-]{0,38}[a-z0-9]", "write lower-case letters, digits and dashes, as twilio-na-us"
        ),
    )
    termination = reader.text("termination_host", host_name, default=None)
    found = Trunk(
        name=name,
        context=reader.text(
            "context", pattern(r"[a-z][a-z0-9-]{0,38}", "write a context name, as from-twilio")
        ),
        identify_networks=reader.texts("identify_networks", network, least=1),
        contacts=reader.texts("contacts", sip_uri, default=[]),
        termination_host=termination,
        auth_username=reader.text(
            "auth_username",
            pattern(r"[!-~]{1,80}", "write 1 to 80 printable characters, no blanks"),
            default=None,
        ),
        codecs=reader.texts("codecs", codec, default=list(CODECS), least=1) or CODECS,
        qualify_seconds=_qualify_seconds(reader),
        catch_all=_catch_all(reader),
    )
    if reader.has("termination_host") and not reader.has("auth_username"):
        reader.fault(
            "auth_username",
            "is missing although the trunk has a termination_host",
            "Add the user name of the carrier's credential list",
        )
    if reader.has("auth_username") and not reader.has("termination_host"):
        reader.fault(
            "auth_username",
            "is of no use without a termination_host",
            "Add the termination_host, or remove it: an inbound-only trunk authenticates by address",
        )
    reader.done()
    return found if name else None


def _destination(reader: Reader, context: str) -> Destination:
    letters = f"[{DIAL_OPTIONS}]*"
    found = Destination(
        context=context,
        extensions=reader.texts("extensions", extension_number, least=1),
        ring_seconds=reader.integer("ring_seconds", 5, 300, default=20),
        dial_options=reader.text(
            "dial_options",
            pattern(
                letters, f"write only letters of {DIAL_OPTIONS}, options of Dial() that take no argument"
            ),
            default="",
        ),
    )
    reader.done()
    return found


def _did(reader: Reader) -> Did | None:
    number = reader.text("number", e164)
    value = reader.raw("destinations")
    places = []
    if isinstance(value, Mapping) and value:
        for context, item in value.items():
            places.append(
                _destination(reader.reader(f"destinations.{str(context)[:60]}", item), str(context))
            )
    elif value is not None:
        reader.fault(
            "destinations", f"{shown(value)} is not a mapping", "Write <inbound context>: {extensions: [...]}"
        )
    reader.done()
    return Did(number, tuple(places)) if number else None


def _emergency(reader: Reader, default_caller: str) -> Emergency:
    number = pattern(r"[0-9]{3,6}", 'write 3 to 6 digits in quotes, as "911"')
    found = Emergency(
        enabled=reader.boolean("enabled", True),
        numbers=reader.texts("numbers", number, default=["911"]),
        test_numbers=reader.texts("test_numbers", number, default=["933"]),
        caller_id_number=reader.text("caller_id_number", e164, default=default_caller or None),
    )
    reader.done()
    return found


def _outbound(reader: Reader) -> Outbound:
    caller = reader.text("caller_id_number", e164)
    found = Outbound(
        trunk=reader.text("trunk", lambda value: None if value else "write the name of a trunk"),
        caller_id_number=caller,
        caller_id_name=reader.text(
            "caller_id_name",
            pattern(
                r"[A-Za-z0-9]([A-Za-z0-9 .'-]{0,38}[A-Za-z0-9.])?",
                "write 1 to 40 letters, digits, blanks, or . ' -",
            ),
        ),
        dial_prefix=reader.text(
            "dial_prefix", pattern(r"[0-9]{1,2}", 'write one or two digits in quotes, as "9"'), stand_in="9"
        ),
        country_code=reader.text(
            "country_code",
            pattern(r"[1-9][0-9]{0,2}", 'write 1 to 3 digits in quotes, without a plus, as "1"'),
            stand_in="1",
        ),
        ring_seconds=reader.integer("ring_seconds", 5, 300, default=30),
        allowed_prefixes=reader.texts("allowed_prefixes", prefix, default=["+"]),
        denied_prefixes=reader.texts("denied_prefixes", prefix, default=[]),
        max_call_seconds=reader.integer("max_call_seconds", 60, 86400, default=14400),
        max_calls=reader.integer("max_calls", 0, 10000, default=25),
        max_calls_per_extension=reader.integer("max_calls_per_extension", 0, 10000, default=4),
        emergency=_emergency(reader.reader("emergency", reader.raw("emergency", {})), caller),
    )
    reader.done()
    return found


def _listed(reader: Reader, key: str, item: object) -> Listed | None:
    text = item
    if isinstance(item, Mapping):
        entry = reader.reader(key, item)
        text = entry.raw("address")
        entry.text("reason", pattern(r"[^\x00-\x1f]{0,200}", "write one line of at most 200 characters"), "")
        entry.done()
        if text is None:
            return None
        key += ".address"
    if not isinstance(text, str):
        reader.fault(key, f"{shown(text)} is not text", "Write an address or network in quotes")
        return None
    found = parse_range(text)
    if found is None:
        remedy = network(text) or "write an address or a network"
        reader.fault(key, f"{shown(text)} is not accepted", remedy[0].upper() + remedy[1:])
        return None
    return Listed(text, found)


def _block_url(reader: Reader) -> BlockUrl | None:
    url = reader.text("url", web_address)
    found = BlockUrl(url, reader.text("sha256", checksum))
    reader.integer("max_bytes", 1, 1_000_000_000, default=20_000_000)
    reader.integer("timeout_seconds", 1, 3600, default=20)
    reader.done()
    return found if url else None


def _public_address(reader: Reader) -> IPv4Address | None:
    text = reader.text(
        "pbx_public_address",
        lambda value: None if _is_ipv4(value) else "write the IPv4 address that phones and the carrier reach",
    )
    if not text:
        return None
    address = IPv4Address(text)
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        reader.fault(
            "pbx_public_address",
            f"{text} is no address anyone can reach",
            "Write the address that phones use",
        )
    return address


def _rtp_ports(reader: Reader) -> RtpPorts:
    ports = RtpPorts(reader.integer("first", 1024, 65535), reader.integer("last", 1024, 65535))
    reader.done()
    return ports


def _overlap(top: Reader, extensions: Sequence[Extension]) -> tuple[str, ...]:
    """Return the extensions with a previous password. What it is worth, `model_secrets` says."""
    previous = top.raw("pbx_secrets_previous", None)
    known = previous if isinstance(previous, Mapping) else {}
    return tuple(extension.number for extension in extensions if known.get(extension.number) is not None)


def read_model(variables: object) -> tuple[Model, list[Fault]]:
    """Read the ``pbx_*`` variables (other keys are ignored) into a model and the faults found on the way."""
    faults: list[Fault] = []
    top = Reader(variables, "model", faults, top=True)
    lost = 0

    def each(key: str, build: Callable[[Reader], Any]) -> tuple[Any, ...]:
        nonlocal lost
        kept = []
        for index, item in enumerate(top.items(key)):
            built = build(top.reader(f"{key}[{index}]", item))
            if built is None:
                lost += 1
            else:
                kept.append(built)
        return tuple(kept)

    public_address = _public_address(top)
    extensions = each("pbx_extensions", _extension)
    sip_port = top.integer("pbx_sip_port", 1024, 65535, default=5060)
    model = Model(
        public_address=public_address,
        sip_port=sip_port,
        rtp_ports=_rtp_ports(
            top.reader("pbx_rtp_ports", top.raw("pbx_rtp_ports", {"first": 10000, "last": 10100}))
        ),
        max_calls=top.integer("pbx_max_calls", 1, 10000),
        extensions=extensions,
        trunks=each("pbx_trunks", _trunk),
        dids=each("pbx_dids", _did),
        outbound=_outbound(top.reader("pbx_outbound", top.raw("pbx_outbound"))),
        blacklist=tuple(
            listed
            for index, item in enumerate(top.items("pbx_blacklist", default=[]))
            if (listed := _listed(top, f"pbx_blacklist[{index}]", item))
        ),
        blacklist_files=top.texts("pbx_blacklist_files", list_path, default=[]),
        blacklist_urls=tuple(
            found
            for index, item in enumerate(top.items("pbx_blacklist_urls", default=[]))
            if (found := _block_url(top.reader(f"pbx_blacklist_urls[{index}]", item)))
        ),
        never_block=top.texts("pbx_never_block", network, default=[]),
        allow_weak_passwords=top.boolean("pbx_allow_weak_passwords", False),
        overlap=_overlap(top, extensions),
        complete=lost == 0,
    )
    top.texts("pbx_dns_servers", address, default=[])
    top.texts("pbx_apt_options", pattern(r"[A-Za-z0-9:_-]+=[^\s]*", "write Name::Option=value"), default=[])
    top.raw("pbx_secrets", None)
    top.raw("pbx_secrets_next", None)
    top.done()
    return model, faults
