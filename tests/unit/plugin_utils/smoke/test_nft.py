"""Chains of nftables that close the server: told from those that iptables and firewalld keep there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.nft import closed_chains


def chain(table: str = "mine", hook: str = "forward", policy: str = "drop", family: str = "inet") -> Any:
    names = {"family": family, "table": table, "name": hook.upper()}
    return {"chain": {**names, "type": "filter", "hook": hook, "prio": 0, "policy": policy}}


def rule(*steps: dict[str, Any], table: str = "mine", hook: str = "forward") -> Any:
    return {"rule": {"family": "inet", "table": table, "chain": hook.upper(), "expr": list(steps)}}


MATCH = {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 53}}
DROP: dict[str, Any] = {"drop": None}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([chain()], ["nftables, table inet mine, chain FORWARD (hook forward)"]),
        ([chain(hook="input", family="ip")], ["nftables, table ip mine, chain INPUT (hook input)"]),
        ([chain(policy="accept")], []),
        ([chain(policy="accept"), rule(MATCH, DROP)], []),
        (
            [chain(policy="accept"), rule({"counter": {"packets": 1, "bytes": 9}}, {"reject": None})],
            ["nftables, table inet mine, chain FORWARD (hook forward)"],
        ),
        ([chain(table="filter", family="ip")], []),
        ([chain(table="filter")], ["nftables, table inet filter, chain FORWARD (hook forward)"]),
        ([chain(table="firewalld")], []),
        ([chain(hook="output")], []),
        ([{"metainfo": {"version": "1.1.3"}}, {"table": {"family": "inet", "name": "mine"}}], []),
    ],
)
def test_closed_chains(items: list[Any], expected: list[str]) -> None:
    assert [str(one) for one in closed_chains(json.dumps({"nftables": items}))] == expected


@pytest.mark.parametrize("text", ["", "Error: no such thing"])
def test_without_nftables_nothing_is_closed(text: str) -> None:
    assert closed_chains(text) == []
