# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""The firewall before and after, as a diff shows it."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import rules as firewall
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.host import (
    PROGRAMS,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import (
    Set,
    describe_set,
)

_SHOWN_MEMBERS = 1000


def describe(tables: Mapping[int, firewall.Table]) -> list[str]:
    """Spell the packet filter for a diff."""
    return [
        line for version in tables for line in firewall.describe_table(tables[version], PROGRAMS[version])
    ]


def describe_members(version: int, exists: bool, members: frozenset[str]) -> list[str]:
    """Spell members of a set for a diff, as far as anybody would read them."""
    shown = frozenset(sorted(members)[:_SHOWN_MEMBERS])
    lines = describe_set(Set(exists, shown), version)
    if len(members) > len(shown):
        lines.append(f"... and {len(members) - len(shown)} more")
    return lines
