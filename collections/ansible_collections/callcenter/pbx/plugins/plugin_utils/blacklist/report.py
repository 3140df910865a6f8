# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Say what is blocked, why, since when, and how many packets of it were dropped. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import JAILS, STRAY_SECONDS
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import (
    Network,
    parse_network,
    read_block_list,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.plain_list import (
    Index,
    Keys,
    key_of,
    merge_keys,
    parse_plain,
)

INVENTORY = "pbx_blacklist"
UNKNOWN = "no longer listed: run playbooks/blacklist.yml"
SHOWN = 20
"""How many networks each table names; of more those with the most packets."""

BY_HAND = "by hand"
_V6_BAN = "/64"


class Source:
    """A source of the block list: its name, its networks, and the reasons it gives for some."""

    def __init__(self, name: str, keys: Keys, reasons: Sequence[tuple[Network, str]] = ()) -> None:
        self.name = name
        self.count = sum(map(len, keys.values()))
        self._index = Index(keys)
        self._reasons = reasons

    def names(self, network: Network) -> bool:
        """Tell whether this source is why a network is blocked."""
        return bool(self._index.overlapping(network))

    def why(self, network: Network) -> str:
        """Say why it is blocked."""
        reasons = [
            reason
            for listed, reason in self._reasons
            if listed.version == network.version
            and listed.first <= network.last
            and network.first <= listed.last
        ]
        return ": ".join([self.name, *dict.fromkeys(filter(None, reasons))][:2])


def inventory_source(items: Sequence[object]) -> Source:
    """Return the inventory's list as a source; what is no entry is passed over."""
    entries = read_block_list(items).entries
    keys = {
        version: merge_keys(
            (key_of(one.network) for one in entries if one.network.version == version), version
        )
        for version in (4, 6)
    }
    reasons = []
    for entry in entries:
        item = items[entry.position - 1]
        reasons.append((entry.network, str(item.get("reason") or "") if isinstance(item, Mapping) else ""))
    return Source(INVENTORY, keys, reasons)


def plain_source(name: str, text: str) -> Source:
    """Return a plain list as a source."""
    return Source(name, parse_plain(text).keys)


@dataclass(frozen=True)
class Ban:
    """A banned network: why, since when and how long from now (seconds), packets dropped."""

    address: str
    why: str
    since: float | None
    seconds: int | None
    packets: int


def read_ban(member: Mapping[str, Any]) -> Ban:
    """Take a member of the set of bans for what it means; its comment is ``<jail> <seconds since 1970>``."""
    jail, _, begin = member["comment"].partition(" ")
    address = member["address"]
    return Ban(
        f"{address}{_V6_BAN}" if ":" in address else address,
        f"{JAILS[jail]} ({jail})" if jail in JAILS else member["comment"] or BY_HAND,
        float(begin) if jail in JAILS and begin.isdigit() else None,
        member["seconds"],
        member["packets"],
    )


def summarise(found: Mapping[str, Any], sources: Sequence[Source]) -> dict[str, Any]:
    """Return what is blocked as data, see the module's RETURN."""
    bans = sorted(map(read_ban, found["banned"]), key=lambda ban: (-ban.packets, ban.address))
    networks = []
    packets: dict[str, int] = {source.name: 0 for source in sources}
    for address, count in found["listed"]["members"]:
        network = parse_network(address)[0]
        source = next((one for one in sources if one.names(network)), None)
        if source:
            packets[source.name] += count
        networks.append(
            {"address": address, "why": source.why(network) if source else UNKNOWN, "packets": count}
        )
    return {
        "banned": [vars(ban) for ban in bans],
        "by_hand": found["by_hand"],
        "unheard": _loudest_first(found["unheard"]),
        "strays": _loudest_first(found["strays"]),
        "listed": networks,
        "sources": [
            {"name": source.name, "networks": source.count, "packets": packets[source.name]}
            for source in sources
        ],
    }


def _loudest_first(members: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"address": one["address"], "packets": one["packets"]}
        for one in sorted(members, key=lambda one: (-one["packets"], one["address"]))
    ]


def report(host: str, found: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Return the same for people."""
    listed = found["listed"]
    dropped = sum(found["rules"].values())
    parts = [
        f"{host}: {_number(listed['count'])} networks listed, {_number(len(data['banned']))} banned; "
        f"{_number(dropped)} packets dropped."
    ]
    if not found["chain"]:
        parts.append("The chain SIP-BLACKLIST does not exist: nothing is blocked. Run playbooks/host.yml.")
    if data["banned"]:
        rows = _ban_rows(data["banned"][:SHOWN])
        parts.append(_table(("banned", "why", "since", "ends in", "packets"), rows))
        if len(data["banned"]) > SHOWN:
            parts.append(f"{_number(len(data['banned']) - SHOWN)} more banned, with as many packets at most.")
    if data["by_hand"]:
        rows = [
            (one["address"], one["only"] or "everything", _number(one["packets"])) for one in data["by_hand"]
        ]
        parts.append(
            "Rules added to the chain by hand; they stay.\n" + _table(("source", "what", "packets"), rows)
        )
        first = data["by_hand"][0]["address"]
        parts.append(f"Into the inventory's list: ansible-playbook playbooks/blacklist.yml -e block={first}")
    if data["unheard"]:
        rows = [(one["address"], _number(one["packets"])) for one in data["unheard"][:SHOWN]]
        parts.append(
            "Audio from these was dropped within the hour, since nobody knows them. Those of a carrier or a\n"
            "phone belong into its media_networks, in pbx_trunks or pbx_extensions.\n"
            + _table(("source", "packets"), rows)
        )
    if data["strays"]:
        rows = [(one["address"], _number(one["packets"])) for one in data["strays"][:SHOWN]]
        parts.append(
            f"SIP from these is dropped for {STRAY_SECONDS // 60} minutes: they answered what nobody asked,\n"
            "or sent no SIP.\n" + _table(("source", "packets"), rows)
        )
    if listed["count"]:
        parts += _list_parts(listed["count"], found["loaded"], data)
    return "\n\n".join(parts)


def _list_parts(count: int, loaded: float | None, data: Mapping[str, Any]) -> Iterator[str]:
    since = f", loaded {_moment(loaded)}; packets are counted since" if loaded else ""
    sources = [
        (one["name"], _number(one["networks"]), _number(one["packets"]))
        for one in data["sources"]
        if one["networks"]
    ]
    yield f"The list{since}:\n" + _table(("source", "networks", "packets"), sources)
    shown = [one for one in data["listed"][:SHOWN] if one["packets"] or count <= SHOWN]
    if shown:
        rows = [(one["address"], one["why"], _number(one["packets"])) for one in shown]
        yield _table(("listed", "why", "packets"), rows)
    if count > len(shown):
        fewer = "with as many packets at most" if len(shown) == SHOWN else "without packets"
        yield f"{_number(count - len(shown))} {'more ' if shown else ''}listed, {fewer}."


def _ban_rows(bans: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (
            ban["address"],
            ban["why"],
            _moment(ban["since"]),
            _duration(ban["seconds"]),
            _number(ban["packets"]),
        )
        for ban in bans
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return columns under their heads; the last one holds numbers."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < len(head) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True), start=1)
        )
        for line in lines
    )


def _number(number: int) -> str:
    return f"{number:,}"


def _moment(seconds: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds)) if seconds is not None else "-"


def _duration(seconds: int | None) -> str:
    """Spell a duration in its largest sensible unit."""
    if seconds is None:
        return "never"
    for unit, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
