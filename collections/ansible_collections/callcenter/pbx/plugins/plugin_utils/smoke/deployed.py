# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Whether the server has what was released to it, and whether that is what the inventory says now."""

from __future__ import annotations

from ansible_collections.callcenter.pbx.plugins.module_utils.smoke.deployed import BLACKLIST
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.types import (
    Evidence,
    Outcome,
    Problem,
    Wanted,
    outcome,
)


def as_released(wanted: Wanted, evidence: Evidence) -> Outcome:
    """The files that Asterisk reads are those that were released."""
    found = evidence.raw["deployed_files"]
    problems = [Problem(f"{name} was edited on the server") for name in found["edited"]]
    return outcome(found["release"] if not problems else "edited by hand", problems)


def as_declared(wanted: Wanted, evidence: Evidence) -> Outcome:
    """What was deployed last is what the inventory says."""
    deployed = evidence.raw["deployed_files"]["inventory"]
    # A block list that is fetched from the internet is no part of the inventory.
    names = wanted.inventory.keys() | (deployed.keys() - {BLACKLIST})
    differing = sorted(name for name in names if wanted.inventory.get(name) != deployed.get(name))
    if not wanted.inventory or not deployed:
        return outcome("not recorded")
    problems = [
        Problem(f"{name} is not what was deployed last", is_warning=True, about=name) for name in differing
    ]
    return outcome(f"{len(deployed)} variables, as deployed" if not problems else "differs", problems)
