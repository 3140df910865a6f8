"""Reading the inventory's variables into the typed model, one function a kind of thing.

Nothing here raises for bad input: see `model_reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.ranges import parse_range
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import (
    BlockUrl,
    CatchAll,
    Destination,
    Did,
    Extension,
    Fault,
    Listed,
    Model,
    RtpPorts,
    Trunk,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.carriers import realm_at
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.read_outbound import read_outbound
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.reader import (
    CODECS,
    EMPTY,
    UNREAD,
    Findings,
    Reader,
    address,
    checksum,
    codec,
    e164,
    extension_number,
    host_name,
    is_ipv4,
    list_path,
    network,
    one_of,
    pattern,
    prefix,
    shown,
    sip_uri,
    web_address,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.zones import UTC, time_zone
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.local import read_local

DIAL_OPTIONS = "tTkKhHrR"
ANY_REALM = "*"
SOME_HOST = "unread.invalid"
"""In place of a termination_host that could not be read: the trunk has one, whatever it is."""


def _extension(reader: Reader) -> Extension:
    number = reader.text("number", extension_number, stand_in=reader.path)
    found = Extension(
        number=number,
        name=reader.text(
            "name",
            pattern(r"[^\W_][\w .'-]{0,38}[\w.]|[^\W_]", "write 1 to 40 letters, digits, blanks, or . ' -"),
            default=number if reader.is_read("number") else "Phone",
            stand_in=number,
        ),
        context=reader.text("context", one_of("internal", "from-internal"), stand_in="internal"),
        codecs=reader.texts("codecs", codec, default=list(CODECS), least=1) or CODECS,
        max_contacts=reader.integer("max_contacts", 1, 10, default=1),
        ring_seconds=reader.integer("ring_seconds", 5, 300, default=20),
        qualify_seconds=reader.integer("qualify_seconds", 0, 3600, default=60),
        caller_id_number=reader.text("caller_id_number", e164, default=None),
        emergency_caller_id_number=reader.text("emergency_caller_id_number", e164, default=None),
        media_networks=reader.texts("media_networks", network, default=[]),
        networks=reader.texts("networks", network, default=[]),
        max_ringing=reader.integer("max_ringing", 1, 1000, default=4),
    )
    reader.done()
    return found


def _catch_all(trunk: Reader) -> CatchAll | None:
    reader = trunk.mapping("catch_all", default={})
    if not trunk.has("catch_all"):
        return None
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


def _auth_realm(reader: Reader, termination: str) -> str:
    realm = reader.text(
        "auth_realm",
        pattern(
            r"(?![=>])[!#-\[\]-~]([ !#-\[\]-~]{0,78}[!#-\[\]-~])?",
            f"write the realm of the carrier's challenge, without its quotes, or {ANY_REALM} for any",
        ),
        default=realm_at(termination) or ANY_REALM,
    )
    if reader.has("auth_realm") and not reader.has("auth_username") and reader.is_read("auth_username"):
        reader.fault(
            "auth_realm",
            "is of no use without an auth_username",
            "Add the auth_username, or remove it: a carrier that knows us by address does not challenge",
        )
    return "" if realm == ANY_REALM else realm


def _trunk(reader: Reader) -> Trunk:
    name = reader.text(
        "name",
        pattern(
            r"[a-z][a-z0-9-]{0,38}[a-z0-9]", "write lower-case letters, digits and dashes, as twilio-na-us"
        ),
        stand_in=reader.path,
    )
    termination = reader.text("termination_host", host_name, default=None, stand_in=SOME_HOST)
    found = Trunk(
        name=name,
        context=reader.text(
            "context", pattern(r"[a-z][a-z0-9-]{0,38}", "write a context name, as from-twilio")
        ),
        identify_networks=(
            reader.texts("identify_networks", network, default=[])
            if reader.has("termination_host")
            else reader.texts("identify_networks", network, least=1)
        ),
        contacts=reader.texts("contacts", sip_uri, default=[]),
        termination_host=termination,
        auth_username=reader.text(
            "auth_username",
            pattern(r"[!-=?-~][!-~]{0,79}", "write 1 to 80 printable characters, no blanks, the first not >"),
            default=None,
        ),
        auth_realm=_auth_realm(reader, termination),
        transport=reader.text("transport", one_of("udp", "tcp"), default="udp", stand_in="udp"),
        emergency=reader.boolean("emergency", True),
        codecs=reader.texts("codecs", codec, default=list(CODECS), least=1) or CODECS,
        qualify_seconds=_qualify_seconds(reader),
        catch_all=_catch_all(reader),
        media_networks=reader.texts("media_networks", network, default=[]),
        max_calls=reader.integer("max_calls", 1, 10000, default=1) if reader.has("max_calls") else None,
        accept_wide_networks=reader.boolean("accept_wide_networks", False),
        inbound_token=reader.boolean("inbound_token", False),
    )
    for contact in found.contacts:
        said = contact.partition(";transport=")[2] or found.transport
        if said != found.transport:
            reader.fault(
                "contacts",
                f"{shown(contact)} asks for {said}, but the trunk speaks {found.transport}",
                f"Write transport: {said} in the trunk, or leave ;transport={said} out of the contact",
            )
    if reader.has("auth_username") and not termination:
        reader.fault(
            "auth_username",
            "is of no use without a termination_host",
            "Add the termination_host, or remove it: an inbound-only trunk authenticates by address",
        )
    reader.done()
    return found


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


def _did(reader: Reader) -> Did:
    number = reader.text("number", e164, stand_in=reader.path)
    value = reader.raw("destinations")
    places = []
    if isinstance(value, Mapping) and value:
        for context, item in value.items():
            places.append(
                _destination(reader.reader(f"destinations.{str(context)[:60]}", item), str(context))
            )
    elif value is not UNREAD:
        problem = "is empty" if value == {} else f"{shown(value)} is not a mapping"
        reader.fault("destinations", problem, "Write <inbound context>: {extensions: [...]}")
    reader.done()
    return Did(number, tuple(places))


def _listed(reader: Reader, key: str, item: object) -> Listed | None:
    text = item
    if item is None:
        reader.fault(key, EMPTY, "Write an address or network, or remove it")
        return None
    if isinstance(item, Mapping):
        entry = reader.reader(key, item)
        text = entry.raw("address")
        entry.text("reason", pattern(r"[^\x00-\x1f]{0,200}", "write one line of at most 200 characters"), "")
        entry.done()
        if text is UNREAD:
            return None
        key += ".address"
    if not isinstance(text, str):
        reader.fault(
            key, f"{shown(text)} is not text", 'Write an address or network in quotes, as "203.0.113.7"'
        )
        return None
    found = parse_range(text)
    if found is None:
        remedy = network(text) or "write an address or a network"
        reader.fault(key, f"{shown(text)} is not accepted", remedy)
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
        lambda value: None if is_ipv4(value) else "write the IPv4 address that phones and the carrier reach",
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
    previous = top.raw("pbx_secrets_previous", None, may_be_null=True)
    known = previous if isinstance(previous, Mapping) else {}
    return tuple(extension.number for extension in extensions if known.get(extension.number) is not None)


def read_model(variables: object) -> tuple[Model, list[Fault]]:
    """Read the ``pbx_*`` variables (other keys are ignored) into a model and the faults found on the way."""
    findings = Findings()
    top = Reader(variables, "model", findings, top=True)

    def each(key: str, build: Callable[[Reader], Any]) -> tuple[Any, ...]:
        """Read the items of a list, the broken ones too, as far as they are mappings."""
        readers = [(top.reader(f"{key}[{index}]", item), item) for index, item in enumerate(top.items(key))]
        return tuple(build(reader) for reader, item in readers if isinstance(item, Mapping))

    public_address = _public_address(top)
    extensions = each("pbx_extensions", _extension)
    sip_port = top.integer("pbx_sip_port", 1024, 65535, default=5060)
    max_calls = top.integer("pbx_max_calls", 1, 10000)
    model = Model(
        public_address=public_address,
        sip_port=sip_port,
        local=read_local(top),
        rtp_ports=_rtp_ports(top.mapping("pbx_rtp_ports", {"first": 10000, "last": 10100})),
        max_calls=max_calls,
        extensions=extensions,
        trunks=each("pbx_trunks", _trunk),
        dids=each("pbx_dids", _did),
        outbound=read_outbound(top.mapping("pbx_outbound"), max_calls),
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
        allow_reserved_addresses=top.boolean("pbx_allow_reserved_addresses", False),
        asymmetric_routes=top.boolean("pbx_asymmetric_routes", False),
        sip_tcp=top.boolean("pbx_sip_tcp", True),
        container_network=top.text("pbx_container_network", network, default="172.30.255.252/30"),
        overlap=_overlap(top, extensions),
        unread=frozenset(),
    )
    top.text("pbx_time_zone", time_zone, default=UTC)
    top.texts("pbx_dns_servers", address, default=[])
    top.texts("pbx_apt_options", pattern(r"[A-Za-z0-9:_-]+=[^\s]*", "write Name::Option=value"), default=[])
    for name in ("pbx_secrets", "pbx_secrets_next"):
        top.raw(name, None, may_be_null=True)
    top.done()
    return replace(model, unread=frozenset(findings.unread)), findings.faults
