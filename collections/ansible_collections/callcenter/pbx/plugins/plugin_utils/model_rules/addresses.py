"""Checks on addresses: who is believed (trunks), who must not be blocked, who is."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import Reach
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.plain_list import RESERVED
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.ranges import (
    Network,
    Range,
    overlap,
    parse_network,
    parse_range,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Fault, Model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.carriers import (
    CARRIERS_FILE,
    carriers,
)

LOOPBACK = (("loopback", IPv4Network("127.0.0.0/8")), ("loopback", IPv6Network("::1/128")))


@dataclass(frozen=True)
class Published:
    """One network a carrier publishes. ``kind`` is signalling or media."""

    carrier: str
    as_published: str
    kind: str
    region: str
    network: Network


@functools.cache
def published() -> tuple[Published, ...]:
    """Return the networks of every carrier that is known."""
    found = []
    for carrier in carriers().values():
        for kind in ("signalling", "media"):
            for region, text in carrier[kind].items():
                network = parse_network(text)
                assert network is not None, f"{CARRIERS_FILE.name}: {text} is no network"
                found.append(Published(carrier["name"], carrier["as_published"], kind, region, network))
    return tuple(found)


def _identify(model: Model) -> Iterator[tuple[str, str, Network]]:
    """Yield (trunk name, text as written, network) of every identify entry."""
    for trunk in model.trunks:
        for text in trunk.identify_networks:
            network = parse_network(text)
            if network is not None:
                yield trunk.name, text, network


def _media(model: Model) -> Iterator[tuple[str, str, Network]]:
    """Yield (whose, text as written, network) of every entry of media_networks."""
    owners = [
        *((f"pbx_trunks[{one.name}]", one.media_networks) for one in model.trunks),
        *((f"pbx_extensions[{one.number}]", one.media_networks) for one in model.extensions),
    ]
    for owner, texts in owners:
        for text in texts:
            network = parse_network(text)
            if network is not None:
                yield owner, text, network


def protected_networks(model: Model) -> list[tuple[str, str]]:
    """Return (why, network) of everything that may never be blocked, each network once.

    A carrier's published networks are included when one of the trunks is identified by any of them.
    """
    found = {text: f"trunk {name}" for name, text, _network in _identify(model)}
    for one in used_carriers(model):
        found.setdefault(str(one.network), f"{one.carrier}, {one.kind} {one.region}")
    if model.public_address is not None:
        found.setdefault(str(model.public_address), "pbx_public_address")
    for why, loopback in LOOPBACK:
        found.setdefault(str(loopback), why)
    for text in model.never_block:
        found.setdefault(text, "pbx_never_block")
    return [(why, text) for text, why in found.items()]


def expected_networks(model: Model) -> list[str]:
    """Return the IPv4 networks that calls and audio are expected from: the carriers' and the site's own."""
    found = [str(one.network) for one in used_carriers(model)]
    for trunk in model.trunks:
        found += [*trunk.identify_networks, *trunk.media_networks]
    for extension in model.extensions:
        found += extension.media_networks
    found += model.local.networks
    return [text for text in dict.fromkeys(found) if ":" not in text]


def used_carriers(model: Model) -> list[Published]:
    """Return the published networks of every carrier that one of the trunks is identified by."""
    used = {
        one.carrier
        for _name, _text, network in _identify(model)
        for one in published()
        if overlap(one.network, network)
    }
    return [one for one in published() if one.carrier in used]


def trunk_overlap_faults(model: Model) -> Iterator[Fault]:
    """Two trunks that match the same source: Asterisk would believe either."""
    entries = list(_identify(model))
    for index, (name, text, network) in enumerate(entries):
        for other_name, other_text, other in entries[index + 1 :]:
            if not overlap(network, other):
                continue
            if name == other_name:
                yield Fault(
                    "pbx_trunks",
                    f"identify_networks {text} and {other_text} of {name} overlap",
                    "Keep only the wider one",
                )
            else:
                yield Fault(
                    "pbx_trunks",
                    f"identify_networks {text} of {name} and {other_text} of {other_name} overlap",
                    "Give each source address to one trunk only",
                )


WIDEST_CARRIER = {4: 16, 6: 32}
WIDEST_NEVER = {4: 8, 6: 16}
"""Prefix lengths: what is wider holds whole providers, and is a slip of the pen."""


def width_faults(model: Model) -> Iterator[Fault]:
    """Networks so wide that they are hardly meant: everybody in them is the carrier, or is never blocked."""
    for name, text, network in _identify(model):
        widest = WIDEST_CARRIER[network.version]
        if network.prefixlen < widest:
            yield Fault(
                "pbx_trunks",
                f"identify network {text} of {name} is wider than /{widest}",
                "Everybody in it may call as the carrier; write the networks that your carrier publishes",
            )
    for owner, text, media in _media(model):
        widest = WIDEST_CARRIER[media.version]
        if media.prefixlen < widest:
            yield Fault(
                owner.partition("[")[0],
                f"media_networks {text} of {owner} is wider than /{widest}",
                "Everybody in it may send audio into calls; write the networks that the audio comes from",
            )
    for text in model.never_block:
        never = parse_network(text)
        if never is not None and never.prefixlen < WIDEST_NEVER[never.version]:
            yield Fault(
                "pbx_never_block",
                f"{text} is wider than /{WIDEST_NEVER[never.version]}",
                "Nobody in it could ever be blocked; write the networks that you mean",
            )


def reserved_faults(model: Model) -> Iterator[Fault]:
    """Addresses that nobody on the internet has, where a carrier or the PBX should be."""
    if model.allow_reserved_addresses:
        return
    remedy = "in a closed network of your own, write pbx_allow_reserved_addresses: true"
    for name, text, network in _identify(model):
        if why := _reserved(str(network)):
            yield Fault(
                "pbx_trunks",
                f"identify network {text} of {name} is in a {why}, where no carrier sends from",
                f"Write the networks that your carrier publishes; {remedy}",
            )
    if model.public_address is not None and (why := _reserved(str(model.public_address))):
        yield Fault(
            "pbx_public_address",
            f"{model.public_address} is in a {why}, which nobody outside can reach",
            f"Write the address that phones and the carrier reach, as seen from outside; {remedy}",
        )


def container_network_faults(model: Model) -> Iterator[Fault]:
    """A network of the container that has room for others, or that somebody else has."""
    text = model.container_network
    found = parse_network(text)
    if found is None:
        return
    if found.version != 4 or found.prefixlen != 30 or not found.is_private:
        yield Fault(
            "pbx_container_network",
            f"{text} is no private network of four IPv4 addresses",
            "Write a /30 that nothing else on the server uses, as 172.30.255.252/30",
        )
    for other in model.local.networks:
        network = parse_network(other)
        if network is not None and overlap(found, network):
            yield Fault(
                "pbx_container_network",
                f"{text} lies in {other} of pbx_local_networks",
                "Write a /30 that nothing else on the server uses, as 172.30.255.252/30",
            )


def _reserved(text: str) -> str | None:
    """Return the name of the reserved network that an address or network meets."""
    found = parse_range(text)
    ranges = ((one.name, one.network) for one in RESERVED)
    return next(
        (
            name
            for name, network in ranges
            if found and found.overlaps(Range(network.version, network.first, network.last))
        ),
        None,
    )


def blacklist_faults(model: Model) -> Iterator[Fault]:
    """Blacklist entries that would block what must never be blocked, or repeat each other."""
    protected = [
        (why, text, found) for why, text in protected_networks(model) if (found := parse_range(text))
    ]
    reserved = [
        (one.name, str(one.network), Range(one.network.version, one.network.first, one.network.last))
        for one in RESERVED
    ]
    reach = Reach(network for _, _, network in (*protected, *reserved))
    seen: set[Range] = set()
    for listed in model.blacklist:
        if reach.overlaps(listed.range):
            hit = [one for one in protected if one[2].overlaps(listed.range)]
            for why, text, _ in hit or [one for one in reserved if one[2].overlaps(listed.range)]:
                yield Fault(
                    "pbx_blacklist",
                    f"{listed.text} overlaps {text} ({why})",
                    "Remove or narrow the entry; this network is never blocked",
                )
        if listed.range in seen:
            yield Fault("pbx_blacklist", f"{listed.text} is listed twice", "Remove one")
        seen.add(listed.range)


def block_url_warnings(model: Model) -> Iterator[Fault]:
    """Lists whose content anybody on the way could replace."""
    for item in model.blacklist_urls:
        if item.sha256 == "none" and item.url.lower().startswith("http://"):
            yield Fault(
                "pbx_blacklist_urls",
                f"{item.url} comes unencrypted and without a checksum",
                "Anybody on the way may choose whom you block; write https://, or its sha256",
            )


def wide_network_faults(model: Model) -> Iterator[Fault]:
    """Identify entries that believe more sources than needed: a trunk's context is unauthenticated."""
    if not model.is_read("pbx_trunks[].accept_wide_networks"):
        return
    accept = "to accept that, write accept_wide_networks: true in the trunk"
    trusting = {trunk.name for trunk in model.trunks if trunk.accept_wide_networks}
    for name, text, network in _identify(model):
        if name in trusting:
            continue
        wider = [
            one
            for one in published()
            if one.kind == "signalling"
            and overlap(one.network, network)
            and network.prefixlen < one.network.prefixlen
        ]
        if wider:
            yield Fault(
                "pbx_trunks",
                f"identify network {text} of {name} is wider than what {wider[0].carrier} publishes",
                f"Every address in it may place calls without a password; narrow it to "
                f"{', '.join(str(one.network) for one in wider)} (as published in {wider[0].as_published}), "
                f"or, {accept}",
            )
        if model.public_address is not None and model.public_address in network:
            yield Fault(
                "pbx_trunks",
                f"identify network {text} of {name} contains pbx_public_address {model.public_address}",
                "Whatever reaches the PBX under its own address is believed to be the carrier; remove it, "
                f"or, {accept}",
            )
