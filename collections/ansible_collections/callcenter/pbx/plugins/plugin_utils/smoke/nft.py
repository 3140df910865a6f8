# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Read `nft -j list ruleset`: which chains of others turn away what nobody has let in. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_HOOKS = ("prerouting", "input", "forward")
_FAMILIES = ("ip", "inet")
# What iptables keeps in nftables is read with iptables; firewalld's ports are opened by name.
_READ_OTHERWISE = frozenset({"filter", "nat", "mangle", "raw", "security", "firewalld"})


@dataclass(frozen=True)
class Closed:
    """A chain that drops what none of its rules accepts."""

    family: str
    table: str
    chain: str
    hook: str

    def __str__(self) -> str:
        return f"nftables, table {self.family} {self.table}, chain {self.chain} (hook {self.hook})"


def closed_chains(text: str) -> list[Closed]:
    """Return the base chains whose policy, or whose last word, is to drop; none without nftables."""
    try:
        items = json.loads(text or "{}").get("nftables", [])
    except ValueError:
        return []
    dropping = {_chain_of(item["rule"]) for item in items if "rule" in item and _drops_all(item["rule"])}
    found = []
    for item in items:
        chain = item.get("chain", {})
        if chain.get("hook") not in _HOOKS or chain["family"] not in _FAMILIES:
            continue
        if (chain["family"] == "ip" and chain["table"] in _READ_OTHERWISE) or chain["table"] == "firewalld":
            continue
        one = Closed(chain["family"], chain["table"], chain["name"], chain["hook"])
        if chain.get("policy") == "drop" or (one.family, one.table, one.chain) in dropping:
            found.append(one)
    return found


def _chain_of(rule: Mapping[str, Any]) -> tuple[str, str, str]:
    return rule["family"], rule["table"], rule["chain"]


def _drops_all(rule: Mapping[str, Any]) -> bool:
    """Whether it drops or rejects without asking what."""
    words = [word for step in rule.get("expr", ()) for word in step if word not in ("counter", "log")]
    return words in (["drop"], ["reject"])
