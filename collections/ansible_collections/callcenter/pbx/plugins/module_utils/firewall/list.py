# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""The block list on its host: what of it is blocked there, and whether that is what the kernel holds."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import facts, sets
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.host import Unable
from ansible_collections.callcenter.pbx.plugins.module_utils.networks import plain_list
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import (
    BITS,
    Entry,
    Network,
    Protected,
    drop_covered,
    find_conflicts,
    read_block_list,
)

RECORD = "list.json"
"""The saved file that says from which list the saved sets were made."""

SETS_FILE = "sets"


@dataclass(frozen=True)
class Wanted:
    """What is to be blocked on this host.

    :param keys: the networks
    :param members: the same as the kernel spells them, by IP version
    :param notes: what was adjusted in the inventory's entries
    :param warnings: what was left out of the sources
    """

    keys: plain_list.Keys
    members: Mapping[int, Sequence[str]]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """What a run remembers of the list it brought, so that the next one need not bring it again.

    :param digest: of the list as the controller knows it
    :param protected: digest of the networks it was compared with
    :param sets: digest of the file of saved sets
    :param members: digest of each set's members, by IP version
    :param entries: number of networks, by IP version
    """

    digest: str
    protected: str
    sets: str
    members: Mapping[str, str]
    entries: Mapping[str, int]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def text(self) -> str:
        """Return the content of the file."""
        return json.dumps(vars(self), sort_keys=True) + "\n"


def read_record(text: str | None) -> Record | None:
    """Read what `Record.text` wrote; None for anything else."""
    try:
        found = json.loads(text or "")
        return Record(
            str(found["digest"]),
            str(found["protected"]),
            str(found["sets"]),
            dict(found["members"]),
            dict(found["entries"]),
            tuple(found["notes"]),
            tuple(found["warnings"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def sha256(text: str) -> str:
    """Return the digest of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_protected(protected: Iterable[Protected]) -> str:
    """Return the digest of protected networks and their names, whatever their order."""
    return sha256("\n".join(sorted(f"{one.network} {one.name}" for one in protected)))


def refusal(what: str, refused: Sequence[str], remedy: str) -> Unable:
    """Return the error for entries that were refused before anything was touched, naming every one."""
    lines = "\n".join(f"  - {line}" for line in refused)
    return Unable(f"{what}; nothing was changed:\n{lines}\n{remedy}", tuple(refused))


def read_protected(options: Mapping[str, Any], of_the_host: Iterable[Protected]) -> tuple[Protected, ...]:
    """Return what must never be blocked: what the options name, and what the host depends on.

    :raises Unable: an option is not valid
    """
    never = read_block_list(options["never_block"])
    if never.faults:
        raise refusal("never_block has entries that mean nothing", never.faults, "Correct or remove them.")
    try:
        named = facts.read_protected(options["protected_networks"])
    except ValueError as error:
        raise Unable(f"protected_networks: {error}") from error
    return (*named, *(Protected("never_block", entry.network) for entry in never.entries), *of_the_host)


def read_list(
    blacklist: Sequence[Any], sources: Sequence[Mapping[str, str]], protected: Sequence[Protected]
) -> Wanted:
    """Merge the inventory's entries with the networks of files and URLs.

    :param sources: ``name`` and ``networks``, one a line, of each
    :raises Unable: an entry of the inventory is none, or must never be blocked
    """
    inventory = read_block_list(blacklist)
    if inventory.faults:
        raise refusal("blacklist has entries that mean nothing", inventory.faults, "Correct or remove them.")
    _refuse_harm(inventory.entries, protected)
    keys: dict[int, list[int]] = {4: [], 6: []}
    for entry in inventory.entries:
        keys[entry.network.version].append(plain_list.key_of(entry.network))
    warnings = []
    guards = drop_covered([*protected, *plain_list.RESERVED])
    for source in sources:
        plain = plain_list.parse_plain(source["networks"])
        kept, left_out = plain_list.leave_out(plain.keys, guards)
        if left_out:
            warnings.append(plain_list.describe_left_out(source["name"], left_out))
        for version in keys:
            keys[version] += kept[version]
    merged = {version: plain_list.merge_keys(group, version) for version, group in keys.items()}
    for version, group in merged.items():
        if len(group) > sets.MAX_ENTRIES:
            raise Unable(
                f"The block list has {len(group)} networks of IPv{version}, more than a set may hold "
                f"({sets.MAX_ENTRIES}); nothing was changed. Use fewer lists."
            )
    return Wanted(merged, plain_list.spell(merged), inventory.notes, tuple(warnings))


def _refuse_harm(entries: Sequence[Entry], protected: Sequence[Protected]) -> None:
    conflicts = find_conflicts(entries, protected)
    refused = {conflict.entry.position for conflict in conflicts}
    others = [entry for entry in entries if entry.position not in refused]
    conflicts += find_conflicts(others, plain_list.RESERVED)
    if conflicts:
        raise refusal(
            "The block list has entries that must never be blocked",
            [str(conflict) for conflict in conflicts],
            "Remove them from the list, or make them narrower than what they would block.",
        )


def digest_members(members: Iterable[str]) -> str:
    """Return the digest of a set's members, whatever their order."""
    return sha256("\n".join(sorted(members)))


def members_in(text: str, name: str) -> list[str]:
    """Return the members of the set of that name that ``ipset save`` prints, without their counters."""
    return re.findall(rf"\nadd {re.escape(name)} (\S+)", text) if sets.is_of_our_kind(text) else []


def holds(record: Record, live: Mapping[int, str]) -> bool:
    """Tell whether the kernel's sets have the members that were last brought.

    :param live: output of ``ipset save`` for each set, by IP version
    """
    return all(
        sets.is_of_our_kind(live[version])
        and digest_members(members_in(live[version], name)) == record.members.get(f"v{version}")
        for version, name in sets.SETS.items()
    )


def is_listed(wanted: Wanted, network: Network) -> bool:
    """Whether the list holds the network, or a wider one around it."""
    members = set(wanted.members[network.version])
    bits = BITS[network.version]
    around = (
        Network(network.version, network.first >> (bits - length) << (bits - length), length)
        for length in range(network.length + 1)
    )
    return any(str(one) in members for one in around)
