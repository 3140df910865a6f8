# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""What has to change on a host so that its firewall is as wanted, and the making of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import by_hand as firewall_by_hand
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import guard as firewall_guard
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import list as firewall_list
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import rules as firewall
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.bans import BanSets, plan_bans
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.by_hand import ByHand
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.diff import describe, describe_members
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.host import (
    LOCK_SECONDS,
    PROGRAMS,
    STATE_DIR,
    Guard,
    Host,
    Unable,
    read_text,
    which,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.list import Record, Wanted, is_listed
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import (
    SETS,
    Set,
    fill_set,
    plan_set,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.networks import plain_list
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import Protected


@dataclass(frozen=True)
class Rules:
    """The packet filter of a host beside the wanted one, by IP version.

    :param variant: suffix of the iptables programs to use
    :param raw: the table ``raw``, IPv4
    :param lines: rules to change, as ``iptables-restore`` reads them
    :param raw_lines: the same in the table ``raw``
    :param saved: content of the files that restore them, by name
    :param by_hand: what others have added to SIP-BLACKLIST
    """

    guard: Guard
    variant: str
    tables: Mapping[int, firewall.Table]
    raw: firewall.Table
    lines: Mapping[int, Sequence[str]]
    raw_lines: Sequence[str]
    saved: Mapping[str, str]
    by_hand: Mapping[int, ByHand]

    @property
    def are_right(self) -> bool:
        """Whether nothing has to change."""
        return not self.raw_lines and not any(self.lines.values())

    def warnings(self) -> tuple[str, ...]:
        """Say which rules made by hand go, and why."""
        return tuple(
            f"{PROGRAMS[version]}: `{rule}`, added to {firewall.BLACKLIST} by hand, is removed: {why}."
            for version, found in self.by_hand.items()
            for rule, why in found.left_out
        )

    def notes(self) -> tuple[str, ...]:
        """Say what to know about the host."""
        found = []
        if 6 not in self.tables:
            found.append(
                "This host cannot filter IPv6 (ip6tables does not work); IPv6 entries block nothing here."
            )
        if self.variant:
            found.append(
                f"Docker's rules are in iptables{self.variant}, not in the default iptables; so are ours."
            )
        found += [
            f"Made by hand, and kept: {PROGRAMS[version]} -A {firewall.BLACKLIST} {rule}"
            for version, rules in self.by_hand.items()
            for rule in rules.kept
        ]
        return tuple(found)

    def result(self, changed: bool, record: Record) -> dict[str, Any]:
        """Return the module's result."""
        return {
            "changed": changed,
            "guard": self.guard.name,
            "zone": self.guard.zone,
            "ports_open": self.guard.is_open,
            "ipv6": 6 in self.tables,
            "entries": dict(record.entries),
            "notes": [*record.notes, *self.notes()],
            "warnings": [*record.warnings, *self.warnings()],
            "cut": {"flows": 0, "calls": 0},
        }


@dataclass(frozen=True)
class Change:
    """The way from what is to what is wanted; the kernel's parts by IP version.

    :param set_inputs: input for ``ipset restore``, empty where a set is as wanted
    :param unsaved: content of the files to save, by name
    :param record: what is remembered of the list
    """

    host: Host
    rules: Rules
    sets: Mapping[int, Set]
    wanted: Wanted
    set_inputs: Mapping[int, str]
    bans: BanSets
    unsaved: Mapping[str, str]
    record: Record

    def __bool__(self) -> bool:
        sets_are_right = not any(self.set_inputs.values()) and not self.bans.input
        return not (sets_are_right and self.rules.are_right) or bool(self.unsaved)

    def make(self) -> None:
        """Bring it about; `Unable` when the kernel refuses."""
        with self.host.locked():
            self._make()

    def _make(self) -> None:
        # Before the rules that name them.
        for text in filter(None, (*self.set_inputs.values(), self.bans.input)):
            self.host.feed(text, "ipset", "restore")
        self.bans.refill()
        for version, lines in self.rules.lines.items():
            text = firewall.restore_input(
                {"filter": lines, "raw": self.rules.raw_lines if version == 4 else ()}
            )
            if text:
                program = f"{PROGRAMS[version]}{self.rules.variant}-restore"
                self.host.feed(text, program, "-w", LOCK_SECONDS, "--noflush")
        # Last: it says that all the rest is in place.
        self.host.save({**self.unsaved, firewall_list.RECORD: self.record.text()})

    def to_cut(self) -> plain_list.Keys:
        """Return the networks whose flows have to end: the whole list, since who was blocked has none."""
        was_right = not any(self.set_inputs.values()) and self.rules.are_right
        return {} if was_right else self.wanted.keys

    def result(self) -> dict[str, Any]:
        """Return the module's result."""
        return self.rules.result(bool(self), self.record)

    def diff(self) -> dict[str, str]:
        """Return the difference, as Ansible shows it; of the sets only what comes and goes."""
        tables = self.rules.tables
        after = {
            version: firewall.apply_lines(table, self.rules.lines[version])
            for version, table in tables.items()
        }
        raw = self.rules.raw
        raw_after = firewall.apply_lines(raw, self.rules.raw_lines)
        before_lines = [*describe(tables), *firewall_guard.describe(raw), *self.bans.before()]
        after_lines = [*describe(after), *firewall_guard.describe(raw_after), *self.bans.after()]
        for version, current in self.sets.items():
            members = frozenset(self.wanted.members[version])
            former = current.members or frozenset()
            before_lines += describe_members(version, current.exists, former - members)
            after_lines += describe_members(version, True, members - former)
        return {
            "before_header": "packet filter",
            "after_header": "packet filter",
            "before": "\n".join([*before_lines, ""]),
            "after": "\n".join([*after_lines, ""]),
        }


def bring_about(change: Change, plan_anew: Callable[[], Change]) -> None:
    """Make a change; `Unable` when the kernel refuses it three times.

    Docker, a boot and `callcenter-firewall watch` change the rules, too: then it is planned anew.
    """
    for _ in range(2):
        try:
            change.make()
        except Unable:
            time.sleep(1)
            change = plan_anew()
        else:
            return
    change.make()


def plan(options: Mapping[str, Any], may_lack_programs: bool = False, for_diff: bool = False) -> Change:
    """Compare the host with the options of the module `sip_firewall`. Reads only.

    :param may_lack_programs: take the tables for empty where iptables is not installed yet
    :param for_diff: read all members of the sets, whether or not that is needed to make the change
    :raises Unable: the list would do harm, or the host cannot be read
    """
    host = Host(all_members=for_diff)
    brought = plain_list.unpack(options["packed"]) if options["packed"] else {}
    protected = firewall_list.read_protected(options, host.protected())
    wanted = firewall_list.read_list(
        brought.get("blacklist", options["blacklist"]), brought.get("sources", ()), protected
    )
    rules = plan_rules(options, host, protected, wanted, may_lack_programs)
    sets = {version: host.set(version, len(wanted.members[version])) for version in SETS}
    saved = "".join(fill_set(version, wanted.members[version]) for version in SETS)
    bans = plan_bans(host, protected, options)
    return Change(
        host,
        rules,
        sets,
        wanted,
        {version: plan_set(sets[version], version, wanted.members[version]) for version in sets},
        bans,
        host.differing({firewall_list.SETS_FILE: saved, **bans.saved, **rules.saved}),
        Record(
            str(brought.get("digest", "")),
            firewall_list.digest_protected(protected),
            firewall_list.sha256(saved),
            {f"v{version}": firewall_list.digest_members(group) for version, group in wanted.members.items()},
            {f"v{version}": len(group) for version, group in wanted.members.items()},
            wanted.notes,
            (*brought.get("warnings", ()), *wanted.warnings),
        ),
    )


def plan_rules(
    options: Mapping[str, Any],
    host: Host,
    protected: Sequence[Protected],
    wanted: Wanted | None = None,
    may_lack_programs: bool = False,
) -> Rules:
    """Compare the host's packet filter with the wanted one. Reads only.

    :param wanted: the list, None where it is known to be in force and not read
    """
    ports = firewall.Ports(options["sip_port"], options["rtp_first_port"], options["rtp_last_port"])
    local_port, local_networks = options["local_sip_port"], options["local_networks"]
    local = firewall.LocalPort(local_port, tuple(local_networks)) if local_port else None
    variant, tables = read_tables(host, may_lack_programs)
    guard = host.guard(tables, ports)
    opens = {
        version: guard.name == "iptables" and firewall.closes(table) for version, table in tables.items()
    }
    leaving = (options["container_network"], options["tcp_ports"])
    inner = {version: firewall_guard.inner_chains(version, ports, local, *leaving) for version in PROGRAMS}
    by_hand = {
        version: firewall_by_hand.sort_out(
            table,
            firewall.blacklist_rules(version, ports),
            read_text(STATE_DIR / firewall_by_hand.FILES[version]) or "",
            protected,
            lambda network: wanted is not None and is_listed(wanted, network),
        )
        for version, table in tables.items()
    }
    kept = {version: found.kept for version, found in by_hand.items()}
    raw = host.table(f"{PROGRAMS[4]}{variant}", "raw") or firewall.EMPTY_TABLE
    raw_chains = firewall_guard.all_raw_chains(
        ports, options["asymmetric_routes"], options["container_network"]
    )
    return Rules(
        guard,
        variant,
        tables,
        raw,
        {
            version: firewall.plan_table(
                tables[version], version, ports, opens[version], kept[version], inner[version]
            )
            for version in tables
        },
        firewall_guard.plan_raw(raw, raw_chains),
        {
            **{
                program: "\n".join(
                    [*firewall.saved_rules(version, ports, opens.get(version, False), inner[version]), ""]
                )
                for version, program in PROGRAMS.items()
            },
            firewall_guard.RAW_FILE: firewall_guard.saved_raw(raw_chains),
            **{
                firewall_by_hand.FILES[version]: firewall_by_hand.save(rules)
                for version, rules in kept.items()
            },
        },
        by_hand,
    )


def unchanged(digest: str, saving: Mapping[int, Callable[[], str]], **options: Any) -> dict[str, Any]:
    """Return the module's result as ``result`` where nothing has to change, None where there is work.

    The list itself is not needed for that: the host remembers from which one the saved sets were made, and
    the members of the kernel's sets are compared with the saved ones.

    :param digest: of the list as the controller knows it
    :param saving: return what ``ipset save`` prints of each set of the list, by IP version
    """
    try:
        record = firewall_list.read_record(read_text(STATE_DIR / firewall_list.RECORD))
        saved = read_text(STATE_DIR / firewall_list.SETS_FILE)
        if record is None or record.digest != digest or saved is None:
            return {"result": None}
        host = Host()
        protected = firewall_list.read_protected(options, host.protected())
        rules = plan_rules(options, host, protected)
        bans = plan_bans(host, protected, options)
        live = {version: finish() for version, finish in saving.items()}
    except Unable:
        return {"result": None}
    is_right = (
        rules.are_right
        and record.sets == firewall_list.sha256(saved)
        and record.protected == firewall_list.digest_protected(protected)
        and firewall_list.holds(record, live)
        and not bans.input
        and not host.differing({**bans.saved, **rules.saved})
    )
    return {"result": rules.result(False, record) if is_right else None}


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
