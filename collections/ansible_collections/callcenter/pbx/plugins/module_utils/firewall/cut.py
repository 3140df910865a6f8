# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Cut what runs from and to newly listed networks: their tracked connections and their calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.cli import (
    AsteriskCli,
    AsteriskSilent,
    running_container,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import conntrack
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import (
    DockerEngine,
    DockerError,
    DockerUnavailable,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import (
    BITS,
    Network,
    parse_network,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.plain_list import Index, Keys

SOURCE_GROUP = "source"
"""The category under which the dialplan notes the address behind each channel (``GROUP(source)``)."""

_GROUP_LINE = re.compile(rf"^(?P<channel>\S+) +(?P<group>\S*) +(?:(?P<host>\S+)@)?{SOURCE_GROUP}\s*$")
_HOST = re.compile(r"(?:sips?:)?(?:[^@]*@)?(?:\[(?P<six>[^\]]+)\]|(?P<four>[0-9.]+))")
_HANGUPS_AT_ONCE = 200


@dataclass(frozen=True)
class Cut:
    """What was cut: tracked connections forgotten, channels hung up, and what could not be asked."""

    flows: int
    calls: int
    warnings: tuple[str, ...]


def cut(networks: Keys, container: str) -> Cut:
    """Forget the connections of listed networks, and hang up their calls.

    :param networks: what is listed newly, or everything: who was blocked before has no connections
    :param container: the PBX; '' where there is none
    """
    if not any(networks.values()):
        return Cut(0, 0, ())
    listed = Index(networks)
    warnings: list[str] = []
    flows = calls = 0
    try:
        flows = conntrack.forget(lambda flow: _touches(flow, listed))
    except OSError as error:
        warnings.append(
            f"The kernel's tracked connections could not be read ({error}); packets are dropped all the same."
        )
    if container:
        try:
            calls = _hang_up(listed, container)
        except (DockerError, AsteriskSilent) as error:
            warnings.append(
                f"Whether {container} has calls of newly listed sources could not be asked ({error}); "
                "they hear nothing any more. See `core show channels` in its console."
            )
    return Cut(flows, calls, tuple(warnings))


def _touches(flow: conntrack.Flow, listed: Index) -> bool:
    return any(
        listed.overlapping(Network(flow.version, address, BITS[flow.version])) for address in flow.addresses
    )


def _hang_up(listed: Index, container: str) -> int:
    engine = DockerEngine(timeout=15)
    try:
        if not running_container(engine, container):
            return 0
    except DockerUnavailable:
        return 0  # without Docker there is no PBX
    cli = AsteriskCli(engine, container)
    channels = channels_of(read_sources(cli.run(["group show channels"])[0]), listed)
    for begin in range(0, len(channels), _HANGUPS_AT_ONCE):
        cli.run([f"channel request hangup {name}" for name in channels[begin : begin + _HANGUPS_AT_ONCE]])
    return len(channels)


def read_sources(answer: str) -> dict[str, str]:
    """Read ``group show channels``: the address each channel has at its other end, by channel.

    Asterisk takes what follows an ``@``, as in a SIP URI, for a part of the category.
    """
    found = map(_GROUP_LINE.match, answer.splitlines())
    return {match["channel"]: match["host"] or match["group"] for match in found if match}


def channels_of(sources: Mapping[str, str], listed: Index) -> list[str]:
    """Return the channels whose other end lies in a listed network."""
    return sorted(
        channel
        for channel, address in sources.items()
        if (network := read_address(address)) and listed.overlapping(network)
    )


def read_address(text: str) -> Network | None:
    """Read ``192.0.2.7:5060``, ``[2001:db8::7]:5060`` or a SIP URI with such a host; None for a name."""
    match = _HOST.match(text)
    if match is None:
        return None
    try:
        return parse_network(match["six"] or match["four"])[0]
    except ValueError:
        return None
