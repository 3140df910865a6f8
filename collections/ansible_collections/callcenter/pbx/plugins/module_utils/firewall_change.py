# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""What has to change on a host so that its firewall is as wanted, and the making of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils import firewall, firewall_host
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall_bans import BanSets, plan_bans
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall_networks import (
    BlockList,
    Network,
    Protected,
    find_conflicts,
    merge,
    read_block_list,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall_server import (
    LOCK_SECONDS,
    PROGRAMS,
    Guard,
    Host,
    Unable,
    which,
)


@dataclass(frozen=True)
class Change:
    """The way from what is to what is wanted; the kernel's parts by IP version.

    :param variant: suffix of the iptables programs to use
    :param set_inputs: input for ``ipset restore``, empty where a set is as wanted
    :param table_lines: rules to change, as ``iptables-restore`` reads them
    :param unsaved: content of the files to save, by name
    """

    host: Host
    guard: Guard
    notes: tuple[str, ...]
    variant: str
    tables: Mapping[int, firewall.Table]
    sets: Mapping[int, firewall.Set]
    members: Mapping[int, Sequence[str]]
    set_inputs: Mapping[int, str]
    bans: BanSets
    table_lines: Mapping[int, Sequence[str]]
    unsaved: Mapping[str, str]

    def __bool__(self) -> bool:
        is_right = not any(self.set_inputs.values()) and not self.bans.input
        return not is_right or bool(any(self.table_lines.values()) or self.unsaved)

    def make(self) -> None:
        """Bring it about; `Unable` when the kernel refuses."""
        for text in filter(
            None, (*self.set_inputs.values(), self.bans.input)
        ):  # before the rules that name them
            self.host.feed(text, "ipset", "restore")
        for version, lines in self.table_lines.items():
            if lines:
                program = f"{PROGRAMS[version]}{self.variant}-restore"
                self.host.feed(firewall.restore_input(lines), program, "-w", LOCK_SECONDS, "--noflush")
        self.host.save(self.unsaved)

    def result(self) -> dict[str, Any]:
        """Return the module's result."""
        return {
            "changed": bool(self),
            "guard": self.guard.name,
            "zone": self.guard.zone,
            "ports_open": self.guard.is_open,
            "ipv6": 6 in self.tables,
            "entries": {f"v{version}": len(group) for version, group in self.members.items()},
            "notes": list(self.notes),
        }

    def diff(self) -> dict[str, str]:
        """Return the difference, as Ansible shows it."""
        after_tables = {
            version: firewall.apply_lines(table, self.table_lines[version])
            for version, table in self.tables.items()
        }
        after_sets = {
            version: firewall.Set(True, frozenset(members)) for version, members in self.members.items()
        }
        return {
            "before_header": "packet filter",
            "after_header": "packet filter",
            "before": describe(self.tables, self.sets, self.bans.before()),
            "after": describe(after_tables, after_sets, self.bans.after()),
        }


def plan(options: Mapping[str, Any], may_lack_programs: bool = False, all_members: bool = False) -> Change:
    """Compare the host with the options of the module `sip_firewall`. Reads only.

    :param may_lack_programs: take the tables for empty where iptables is not installed yet
    :param all_members: read whatever a diff needs
    :raises Unable: the list would do harm, or the host cannot be read
    """
    ports = firewall.Ports(options["sip_port"], options["rtp_first_port"], options["rtp_last_port"])
    host = Host(all_members)
    protected = read_protected(options, host)
    block_list, networks = read_networks(options, protected)
    members = {version: [str(network) for network in group] for version, group in networks.items()}

    variant, tables = read_tables(host, may_lack_programs)
    sets = {version: host.set(version, len(members[version])) for version in firewall.SETS}
    guard = host.guard(tables, ports)
    opens = {
        version: ports if guard.name == "iptables" and firewall.closes(table) else None
        for version, table in tables.items()
    }
    saved = {"sets": "".join(firewall.fill_set(version, members[version]) for version in firewall.SETS)}
    bans = plan_bans(host, protected)
    saved |= bans.saved
    for version, program in PROGRAMS.items():
        saved[program] = "\n".join([*firewall.saved_rules(version, opens.get(version)), ""])
    return Change(
        host,
        guard,
        notes(block_list, 6 in tables, variant),
        variant,
        tables,
        sets,
        members,
        {version: firewall.plan_set(sets[version], version, members[version]) for version in sets},
        bans,
        {version: firewall.plan_table(tables[version], version, opens[version]) for version in tables},
        host.differing(saved),
    )


def unchanged(**options: Any) -> dict[str, Any]:
    """Return the module's result as ``result`` where nothing has to change, None where there is work."""
    try:
        change = plan(options)
    except Unable:
        return {"result": None}
    return {"result": None if change else change.result()}


def notes(block_list: BlockList, has_ipv6: bool, variant: str) -> tuple[str, ...]:
    """Say what was adjusted in the list, and what to know about the host."""
    found = list(block_list.notes)
    if not has_ipv6:
        found.append(
            "This host cannot filter IPv6 (ip6tables does not work); IPv6 entries block nothing here."
        )
    if variant:
        found.append(f"Docker's rules are in iptables{variant}, not in the default iptables; so are ours.")
    return tuple(found)


def refusal(what: str, refused: Sequence[str], remedy: str) -> Unable:
    """Return the error for entries that were refused before anything was touched, naming every one."""
    lines = "\n".join(f"  - {line}" for line in refused)
    return Unable(f"{what}; nothing was changed:\n{lines}\n{remedy}", tuple(refused))


def read_list(name: str, items: Sequence[Any]) -> BlockList:
    """Read one of the module's lists, refusing it when any entry is not valid."""
    block_list = read_block_list(items)
    if block_list.faults:
        raise refusal(f"{name} has entries that mean nothing", block_list.faults, "Correct or remove them.")
    return block_list


def read_protected(options: Mapping[str, Any], host: Host) -> tuple[Protected, ...]:
    """Return all that must never be blocked: what the options name, and what the host depends on."""
    never = [
        Protected("never_block", entry.network)
        for entry in read_list("never_block", options["never_block"]).entries
    ]
    try:
        named = firewall_host.read_protected(options["protected_networks"])
    except ValueError as error:
        raise Unable(f"protected_networks: {error}") from error
    return (*named, *never, *host.protected())


def read_networks(
    options: Mapping[str, Any], protected: Sequence[Protected]
) -> tuple[BlockList, dict[int, tuple[Network, ...]]]:
    """Read the list and return it, with the merged networks by IP version, unless it would do harm."""
    block_list = read_list("blacklist", options["blacklist"])
    conflicts = find_conflicts(block_list.entries, protected)
    if conflicts:
        raise refusal(
            "The block list has entries that must never be blocked",
            [str(conflict) for conflict in conflicts],
            "Remove them from the list, or make them narrower than what they would block.",
        )
    merged = merge(entry.network for entry in block_list.entries)
    return block_list, {
        version: tuple(network for network in merged if network.version == version)
        for version in firewall.SETS
    }


def read_tables(host: Host, may_lack_programs: bool) -> tuple[str, dict[int, firewall.Table]]:
    """Return the suffix of the programs to use, and the table of each IP version the host can filter.

    :param may_lack_programs: before iptables is installed, take the tables for empty
    """
    missing = [program for program in (PROGRAMS[4], "ipset") if which(program) is None]
    if may_lack_programs and missing:
        return "", dict.fromkeys(PROGRAMS, firewall.EMPTY_TABLE)
    if missing:
        raise Unable(f"The host lacks {' and '.join(missing)}: `apt install {' '.join(missing)}`.")
    default = host.table(PROGRAMS[4])
    if default is None:
        raise Unable(
            f"`{PROGRAMS[4]}-save -t filter` fails, so the packet filter cannot be read. Run it on the host: "
            "it says why (often a kernel upgraded under a running system, whose modules are gone: reboot)."
        )
    variant = host.docker_variant(default)
    tables = {version: host.table(f"{program}{variant}") for version, program in PROGRAMS.items()}
    return variant, {version: table for version, table in tables.items() if table is not None}


def describe(
    tables: Mapping[int, firewall.Table], sets: Mapping[int, firewall.Set], bans: Sequence[str]
) -> str:
    """Spell the whole state for a diff."""
    lines = [
        line for version in tables for line in firewall.describe_table(tables[version], PROGRAMS[version])
    ]
    lines += [line for version in sets for line in firewall.describe_set(sets[version], version)]
    return "\n".join([*lines, *bans, ""])
