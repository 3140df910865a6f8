# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Smoke check: strangers get few answers and no audio through, and the site's own phones are no strangers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.guard import (
    ARRIVAL,
    CLOUD_SERVICES,
    PRIVATE_NETWORKS,
    guard_rules,
    raw_chains,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.rules import (
    DOCKER_USER,
    GUARD,
    REFUSED_AUDIO,
    Table,
    parse_table,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import EXPECTED, KNOWN, UNHEARD
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.types import (
    Evidence,
    Outcome,
    Problem,
    Wanted,
    outcome,
)

_MEMBER = re.compile(r"^add \S+ (\S+)", re.MULTILINE)
_HOST = re.compile(r"^sips?:(?:[^@]*@)?([0-9.]+)(?:[:;].*)?$")


def strangers_are_kept_short(wanted: Wanted, evidence: Evidence) -> Outcome:
    """The rules about strangers stand, and no registered phone is taken for one."""
    host = evidence.raw["host"]
    table = evidence.tables[4]
    if isinstance(table, str):
        return outcome("unknown", [Problem(f"IPv4: {table}")])
    problems = [*_rules(wanted, table), *_raw_rules(wanted, host["raw"])]
    for name in (KNOWN[4], EXPECTED[4]):
        if error := host[name]["error"]:
            problems.append(Problem(f"the set {name} cannot be read: {error}"))
    if not problems and not evidence.console_error:
        problems += _unknown_phones(wanted, evidence)
    unheard = _MEMBER.findall(host[UNHEARD[4]]["text"])
    summary = "few packets, no audio"
    if unheard:
        few = ", ".join(sorted(unheard)[:3])
        summary += f"; audio of {len(unheard)} dropped within the hour ({few}): see `make blocked`"
    return outcome("not kept short" if problems else summary, problems)


def _rules(wanted: Wanted, table: Table) -> Iterator[Problem]:
    if f"-j {GUARD}" not in table.rules(DOCKER_USER)[:3]:
        yield Problem(f"{DOCKER_USER} does not jump to {GUARD} behind the list")
    rules = guard_rules(wanted.ports)
    if table.rules(GUARD)[: len(rules)] != rules:
        yield Problem(f"{GUARD} does not hold its rules")
    if not any(rule.endswith(f"-d {CLOUD_SERVICES} -j DROP") for rule in table.rules(GUARD)):
        yield Problem(f"{GUARD} lets the container reach the services of the cloud, {CLOUD_SERVICES}")
    if not any(_keeps_the_container(rule) for rule in table.rules(GUARD)):
        yield Problem(f"{GUARD} lets the container connect to anybody over TCP")
    for network in PRIVATE_NETWORKS:
        if not any(
            f" -d {network} -p udp " in rule and rule.endswith(" -j DROP") for rule in table.rules(GUARD)
        ):
            yield Problem(f"{GUARD} lets the container send to anybody in {network}")
    if table.rules(REFUSED_AUDIO)[-1:] != ("-j DROP",):
        yield Problem(f"{REFUSED_AUDIO} does not drop")


def _raw_rules(wanted: Wanted, found: dict[str, str]) -> Iterator[Problem]:
    if found["error"]:
        yield Problem(f"the table raw cannot be read: {found['error']}")
        return
    table = parse_table(found["text"])
    if table.rules("PREROUTING")[:1] != (f"-j {ARRIVAL}",):
        yield Problem(f"PREROUTING in the table raw does not jump to {ARRIVAL} first")
    for chain, either in _either(wanted).items():
        if not any(table.rules(chain)[: len(rules)] == rules for rules in either):
            yield Problem(f"{chain} in the table raw does not hold its rules")
    if not any(_keeps_the_container(rule) for rule in table.rules(ARRIVAL)):
        yield Problem(f"{ARRIVAL} lets the container reach the server's own services")


def _keeps_the_container(rule: str) -> bool:
    """Tell whether a rule drops new TCP connections of the container."""
    return rule.startswith("-s ") and " -p tcp " in rule and rule.endswith(" -j DROP")


def _either(wanted: Wanted) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return the rules of each chain, with symmetric and with asymmetric routes."""
    ways = [raw_chains(wanted.ports, asymmetric) for asymmetric in (False, True)]
    return {chain: tuple(way[chain] for way in ways) for chain in ways[0]}


def _unknown_phones(wanted: Wanted, evidence: Evidence) -> Iterator[Problem]:
    host = evidence.raw["host"]
    known = set(_MEMBER.findall(host[KNOWN[4]]["text"]))
    expected = [IPv4Network(text) for text in _MEMBER.findall(host[EXPECTED[4]]["text"])]
    for number in wanted.extensions:
        endpoint = evidence.endpoints.get(number)
        for contact in endpoint.contacts if endpoint else ():
            found = _HOST.match(contact.uri)
            address = _address(found[1]) if found else None
            if address and str(address) not in known and not any(address in one for one in expected):
                yield Problem(
                    f"phone {number} is registered from {address}, which is not known: its audio is dropped",
                    "See `systemctl status callcenter-known`.",
                )


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except AddressValueError:
        return None
