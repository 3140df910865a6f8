"""Phones that reach the server by an address of its own, in its LAN or a VPN.

They register at a SIP port of their own: the transport decides which address stands in Contact and SDP.
Asterisk cannot go by the phone's address: for a phone in `local_net` it writes the address of its own socket
into Contact, which is the container's.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.ranges import overlap, parse_network
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Fault, Local, Model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.reader import (
    Reader,
    is_ipv4,
    network,
)

DEFAULT_PORT = 5062

# Of private networks, of shared ones (RFC 6598), and of the one for benchmarks, which laboratories use.
_NOT_ON_THE_INTERNET = tuple(
    IPv4Network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15")
)


def read_local(top: Reader) -> Local:
    """Read what the model says of such phones."""
    return Local(
        networks=top.texts("pbx_local_networks", network, default=[]),
        address=top.text(
            "pbx_local_address",
            lambda value: (
                None if not value or is_ipv4(value) else "write the server's own IPv4 address, as 192.168.1.5"
            ),
            default="",
        ),
        sip_port=top.integer("pbx_local_sip_port", 1024, 65535, default=DEFAULT_PORT),
    )


def local_faults(model: Model) -> Iterator[Fault]:
    """Networks, address and port that do not go together, or with the rest."""
    local = model.local
    if not local.networks:
        if local.address and model.is_read("pbx_local_networks"):
            yield Fault(
                "pbx_local_networks",
                f"is missing, but pbx_local_address is {local.address}",
                "List the networks whose phones reach the server by that address, or remove it",
            )
        return
    yield from _network_faults(model)
    if model.is_read("pbx_local_address"):
        yield from _address_faults(model)
    if not model.is_read("pbx_local_sip_port"):
        return
    port, ports = local.sip_port, model.rtp_ports
    if model.is_read("pbx_sip_port") and port == model.sip_port:
        yield Fault(
            "pbx_local_sip_port",
            f"{port} is pbx_sip_port, too",
            "Write another one: by the port Asterisk knows which address to tell the phone",
        )
    if model.is_read("pbx_rtp_ports") and ports.first <= port <= ports.last:
        yield Fault("pbx_local_sip_port", f"{port} is one of pbx_rtp_ports", "Move one of them")


def _network_faults(model: Model) -> Iterator[Fault]:
    for text in model.local.networks:
        found = parse_network(text)
        if not isinstance(found, IPv4Network):
            yield Fault("pbx_local_networks", f"{text} is IPv6", "Phones register over IPv4: remove it")
            continue
        if not any(found.subnet_of(one) for one in _NOT_ON_THE_INTERNET):
            yield Fault(
                "pbx_local_networks",
                f"{text} is not a private network",
                "Write the network of your LAN or VPN; all other phones use pbx_public_address",
            )
        for trunk in model.trunks:
            for identified in trunk.identify_networks:
                carrier = parse_network(identified)
                if carrier is not None and overlap(found, carrier):
                    yield Fault(
                        "pbx_local_networks",
                        f"{text} overlaps identify network {identified} of {trunk.name}",
                        "Narrow one of them: whoever is in both calls as the carrier, without a password",
                    )


def _address_faults(model: Model) -> Iterator[Fault]:
    address = model.local.address
    if not address:
        yield Fault(
            "pbx_local_address",
            "is missing, but there are pbx_local_networks",
            "Write the server's own address in one of them, as `ip address` on the server says it",
        )
    elif address == str(model.public_address):
        yield Fault(
            "pbx_local_address",
            f"{address} is pbx_public_address, too",
            "Remove pbx_local_networks and pbx_local_address: every phone reaches the server by it",
        )
    elif model.is_read("pbx_local_networks"):
        networks = [parse_network(text) for text in model.local.networks]
        if not any(isinstance(one, IPv4Network) and IPv4Address(address) in one for one in networks):
            yield Fault(
                "pbx_local_address",
                f"{address} is in none of pbx_local_networks",
                "Write the server's own address in one of them, or add its network",
            )
