# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Rules that somebody added to SIP-BLACKLIST by hand: kept and saved until the inventory lists the source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.rules import BLACKLIST, Table
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import (
    Network,
    Protected,
    parse_network,
)

FILES = {4: "iptables.by-hand", 6: "ip6tables.by-hand"}
"""The saved files with these rules, by IP version; the script that restores the firewall writes them, too."""

# What iptables makes of `-s SOURCE -j DROP`, possibly with a protocol, a port, an interface or a comment.
_KEEPS_OUT = re.compile(r"-s (?P<source>\S+) (?:\S.* )?-j (?:DROP|REJECT(?: --reject-with \S+)?)")
_NAMES_OUR_SET = re.compile(r"--match-set sip-(?:blacklist|banned|never)-v[46] ")


@dataclass(frozen=True)
class ByHand:
    """The rules made by hand in one table.

    :param kept: go on binding, after ours
    :param left_out: go, each with the reason
    """

    kept: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


def source_of(rule: str) -> str | None:
    """Return the source that a rule keeps out, None for a rule that does something else."""
    found = _KEEPS_OUT.fullmatch(rule)
    return found["source"] if found else None


def sort_out(
    table: Table,
    ours: Sequence[str],
    saved: str,
    protected: Iterable[Protected],
    is_listed: Callable[[Network], bool] = lambda network: False,
) -> ByHand:
    """Decide about every rule of SIP-BLACKLIST that is not ours.

    :param ours: our rules of the chain
    :param saved: what was saved of them; it counts where somebody has emptied the chain
    :param is_listed: whether the inventory's list has the network already
    """
    rules = [rule for rule in table.rules(BLACKLIST) if rule not in ours]
    if not set(ours) <= set(table.rules(BLACKLIST)):
        rules += read_saved(saved)
    kept, left_out = [], []
    guarded = tuple(protected)
    for rule in dict.fromkeys(rules):
        why = _refusal(rule, guarded, is_listed)
        if why is None:
            kept.append(rule)
        elif why:
            left_out.append((rule, why))
    return ByHand(tuple(kept), tuple(left_out))


def read_saved(text: str) -> list[str]:
    """Return the rules in a saved file."""
    begin = f"-A {BLACKLIST} "
    return [line.removeprefix(begin) for line in text.splitlines() if line.startswith(begin)]


def save(rules: Sequence[str]) -> str:
    """Return the content of a saved file."""
    return "".join(f"-A {BLACKLIST} {rule}\n" for rule in rules)


def _refusal(rule: str, protected: Sequence[Protected], is_listed: Callable[[Network], bool]) -> str | None:
    """Return why a rule goes, '' where nobody need be told, None where it stays."""
    source = source_of(rule)
    if source is None and _NAMES_OUR_SET.search(rule):
        return ""  # a former version made it
    if source is None:
        return "it keeps out no source (rules of the form -s SOURCE ... -j DROP stay)"
    network = parse_network(source)[0]
    for one in protected:
        if one.network.version == network.version and _overlap(one.network, network):
            return f"it would block {one.network} ({one.name})"
    return "" if is_listed(network) and rule == f"-s {source} -j DROP" else None


def _overlap(one: Network, other: Network) -> bool:
    return one.first <= other.last and other.first <= one.last
