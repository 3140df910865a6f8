# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Pure readers of what a host says about itself: which networks it depends on, and what guards its ports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.rules import Ports
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import Protected, parse_network

# Blocking these would break the host itself: neighbour discovery needs the link-local addresses.
ALWAYS_PROTECTED = tuple(
    Protected(name, parse_network(text)[0])
    for name, text in (
        ("loopback", "127.0.0.0/8"),
        ("loopback", "::1"),
        ("address of a starting host", "0.0.0.0"),
        ("address of a starting host", "::"),
        ("IPv6 neighbours", "fe80::/10"),
    )
)


def read_protected(items: Iterable[Mapping[str, Any]]) -> tuple[Protected, ...]:
    """Read items of `name` and `network`.

    :raises ValueError: when a network is none; the message has the item's name
    """
    protected = []
    for item in items:
        try:
            protected.append(Protected(str(item["name"]), parse_network(str(item["network"]))[0]))
        except ValueError as error:
            raise ValueError(f"{item['name']}: {error}") from error
    return tuple(protected)


def docker_networks(networks: Iterable[Mapping[str, Any]]) -> tuple[Protected, ...]:
    """Read the engine's list of networks: every subnet and every gateway of each."""
    return tuple(
        Protected(f"Docker network {network.get('Name')}", parse_network(text)[0])
        for network in networks
        for config in (network.get("IPAM") or {}).get("Config") or ()
        for text in (config.get("Subnet"), config.get("Gateway"))
        if text
    )


def own_addresses(text: str) -> tuple[Protected, ...]:
    """Read `ip -json address`: the host's addresses, and the whole network of every Docker bridge.

    The bridges matter when the engine does not run and cannot be asked for its networks.
    """
    protected = []
    for interface in _json_list(text):
        device = interface.get("ifname", "")
        is_bridge = device == "docker0" or re.fullmatch(r"br-[0-9a-f]{12}", device) is not None
        for address in interface.get("addr_info", ()):
            spelling = f"{address['local']}/{address['prefixlen']}" if is_bridge else address["local"]
            name = f"Docker bridge {device}" if is_bridge else f"this host, {device}"
            protected.append(Protected(name, parse_network(spelling)[0]))
    return tuple(protected)


def default_gateways(text: str) -> tuple[Protected, ...]:
    """Read `ip -json route show default`: the routers everything depends on."""
    return tuple(
        Protected("default gateway", parse_network(route["gateway"])[0])
        for route in _json_list(text)
        if "gateway" in route
    )


def default_device(text: str) -> str | None:
    """Read `ip -json route show default`: the interface the world is behind, None without such a route."""
    return next((str(route["dev"]) for route in _json_list(text) if "dev" in route), None)


def ssh_source(environ: bytes) -> str | None:
    """Return the client's address from a process environment (`/proc/PID/environ`), None without SSH."""
    for item in environ.split(b"\0"):
        name, _, value = item.partition(b"=")
        if name == b"SSH_CONNECTION" and value:
            return value.split()[0].decode("ascii", "replace").split("%", 1)[0]
    return None


def parent_of(stat: str) -> int:
    """Return the parent's number from `/proc/PID/stat`; the name before it may hold anything."""
    return int(stat.rpartition(")")[2].split()[1])


def firewalld_ports(ports: Ports) -> tuple[tuple[str, str], ...]:
    """Return the ports as firewalld spells them: (number or range, protocol)."""
    return (
        (str(ports.sip), "udp"),
        (str(ports.sip), "tcp"),
        (f"{ports.rtp_first}-{ports.rtp_last}", "udp"),
    )


def zone_file_ports(xml: str) -> frozenset[tuple[str, str]]:
    """Read the ports of a firewalld zone file; a file that is no XML opens nothing."""
    try:
        zone = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return frozenset()
    return frozenset((port.get("port", ""), port.get("protocol", "")) for port in zone.findall("port"))


def bus_reply(text: str) -> Any:
    """Return the first value of a `busctl --json=short call` reply, None without one."""
    try:
        data: Sequence[Any] = json.loads(text)["data"]
    except (ValueError, KeyError):
        return None
    return data[0] if data else None


def _json_list(text: str) -> list[dict[str, Any]]:
    """`ip -json` prints nothing at all, or empty objects, where there is nothing to tell."""
    return [item for item in json.loads(text or "[]") if item]
