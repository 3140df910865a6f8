# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Read from a host what SIP-BLACKLIST blocks, and how many packets of whom it dropped. Reads only."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.host import (
    PROGRAMS,
    STATE_DIR,
    VARIANTS,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.rules import BLACKLIST
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import BANNED, SETS, STRAY, UNHEARD
from ansible_collections.callcenter.pbx.plugins.module_utils.host.command import ENVIRONMENT

_MEMBER = re.compile(
    r"^add \S+ (\S+)(?: timeout (\d+))? packets (\d+) bytes \d+(?: comment \"(.*)\")?$", re.MULTILINE
)
_RULE = re.compile(r"^ *(\d+) +\d+ +DROP .*? match-set (\S+) (?:src|dst)\b", re.MULTILINE)
_BY_HAND = re.compile(
    r"^(?!.*match-set) *(\d+) +\d+ +(?:DROP|REJECT) +\S+ +(?:(?:--|-f|!f) +)?\S+ +\S+ +(\S+) +\S+(.*)$",
    re.MULTILINE,
)


def read(most: int) -> dict[str, Any]:
    """Return what is blocked.

    :param most: of the listed networks at most so many are returned, those with the most packets
    :returns: ``now`` and ``loaded`` (seconds since 1970, None where no list was ever saved), ``chain``
        (whether the chain exists), ``rules`` (packets dropped, by the set that matched), ``listed``
        (``count``, ``packets`` and ``members``, each network with its packets), ``by_hand`` (rules that
        somebody added to the chain), ``banned``, ``unheard`` (whose audio was dropped lately) and ``strays``
        (whose SIP is dropped for datagrams that begin nothing)
    """
    texts = {name: _output("ipset", "save", name) for name in (*SETS.values(), *BANNED.values())}
    listed = [one for name in SETS.values() for one in parse_members(texts[name])]
    hits = sorted(listed, key=lambda one: (-one["packets"], one["address"]))
    chains = [_chain(program) for program in PROGRAMS.values()]
    saved = STATE_DIR / "sets"
    return {
        "now": time.time(),
        "loaded": saved.stat().st_mtime if saved.exists() else None,
        "chain": bool(chains[0]),
        "rules": parse_rules("".join(chains)),
        "listed": {
            "count": len(listed),
            "packets": sum(one["packets"] for one in listed),
            "members": [[one["address"], one["packets"]] for one in hits[:most]],
        },
        "by_hand": [one for chain in chains for one in parse_by_hand(chain)],
        "banned": [one for name in BANNED.values() for one in parse_members(texts[name])],
        "unheard": _members(UNHEARD),
        "strays": _members(STRAY),
    }


def _members(names: Mapping[int, str]) -> list[dict[str, Any]]:
    return [one for name in names.values() for one in parse_members(_output("ipset", "save", name))]


def parse_members(text: str) -> list[dict[str, Any]]:
    """Read `ipset save NAME` of a set that counts packets.

    :returns: of each member ``address``, ``seconds`` until it ends (None: never), ``packets``, ``comment``
    """
    return [
        {
            "address": address,
            "seconds": int(seconds) if seconds else None,
            "packets": int(packets),
            "comment": comment,
        }
        for address, seconds, packets, comment in _MEMBER.findall(text)
    ]


def parse_rules(text: str) -> dict[str, int]:
    """Read `iptables -nvxL SIP-BLACKLIST`: packets dropped, by the set whose match dropped them."""
    found: dict[str, int] = {}
    for packets, name in _RULE.findall(text):
        found[name] = found.get(name, 0) + int(packets)
    return found


def parse_by_hand(text: str) -> list[dict[str, Any]]:
    """Read from the same the rules made by hand: ``address``, ``packets``, and ``only`` for what."""
    return [
        {"address": address, "packets": int(packets), "only": " ".join(only.split())}
        for packets, address, only in _BY_HAND.findall(text)
    ]


def _chain(program: str) -> str:
    """List the chain in whichever variant of the program has it."""
    found = (
        _output(name, "-w", "-nvxL", BLACKLIST)
        for name in (program, *(f"{program}-{one}" for one in VARIANTS))
    )
    return next(filter(None, found), "")


def _output(*argv: str) -> str:
    """Return what a command prints, '' when it fails or does not exist."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""
