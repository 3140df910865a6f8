#!/usr/bin/python
# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Block listed networks before any port of the PBX, and open its ports, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sip_firewall
short_description: Block listed networks in front of Docker and the host, and open the ports of a PBX
description:
  - Keeps the chain C(SIP-BLACKLIST) for IPv4 and IPv6. It is jumped to first from C(DOCKER-USER) and C(INPUT)
    and holds two rules that match a kernel set, so a packet costs the same whatever the length of the list.
  - The sets C(sip-blacklist-v4) and C(sip-blacklist-v6) are filled beside the live ones and swapped, so at no
    instant a listed source gets through.
  - C(DOCKER-USER) is made when Docker has not yet made it, and is jumped to first from C(FORWARD), before
    established flows are accepted. A ban therefore cuts running calls.
  - Refuses a list that would block what the host depends on, and changes nothing then. Protected are
    loopback, the host's own addresses and default gateways, Docker's networks and gateways, the address
    Ansible comes from, and what O(never_block) and O(protected_networks) name.
  - Where a plain iptables C(INPUT) turns callers away, keeps the chain C(SIP-OPEN). Where ufw or firewalld
    guards the host it only reports whether they let callers in.
  - Saves what C(callcenter-firewall) restores at boot in C(/var/lib/callcenter-firewall).
options:
  blacklist:
    description:
      - Networks to block, complete. Items are addresses or networks, IPv4 or IPv6, or dictionaries with
        C(address) and perhaps C(reason).
    type: list
    elements: raw
    default: []
  never_block:
    description: Networks that must not be blocked, spelled as in O(blacklist).
    type: list
    elements: raw
    default: []
  protected_networks:
    description: Networks that must not be blocked, with the name a refusal gives them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What the network is, such as the name of a trunk.
        type: str
        required: true
      network:
        description: Address or network.
        type: str
        required: true
  sip_port:
    description: Port of SIP, UDP and TCP.
    type: int
    default: 5060
  rtp_first_port:
    description: First UDP port of the audio.
    type: int
    default: 10000
  rtp_last_port:
    description: Last UDP port of the audio.
    type: int
    default: 10100
requirements:
  - iptables and ipset on the host
attributes:
  check_mode:
    description: Reports what would change; works before iptables and ipset are installed.
    support: full
  diff_mode:
    description: Shows rules as C(iptables -S) spells them and list entries as C(ipset save) does.
    support: full
  idempotent:
    description: A second call changes nothing and keeps the counters of the rules.
    support: full
author:
  - Call centre maintainers
"""

EXAMPLES = r"""
- name: Block two networks
  callcenter.pbx.sip_firewall:
    blacklist:
      - 203.0.113.7
      - {address: "2001:db8:bad::/48", reason: guessed passwords}
    never_block: [198.51.100.20]
    protected_networks:
      - {name: carrier, network: 192.0.2.0/30}
  register: firewall
"""

RETURN = r"""
guard:
  description: What guards the ports of the host, V(none), V(iptables), V(ufw) or V(firewalld).
  returned: always
  type: str
zone:
  description: The firewalld zone callers arrive in, null without firewalld.
  returned: always
  type: str
  sample: public
ports_open:
  description: Whether the guard lets callers reach the ports after this call.
  returned: always
  type: bool
ipv6:
  description: Whether the host can filter IPv6. Without, IPv6 entries stay in their set and block nothing.
  returned: always
  type: bool
entries:
  description: Networks blocked, by IP version, after merging.
  returned: always
  type: dict
  sample: {v4: 2, v6: 1}
notes:
  description: What was adjusted in the list, and what to know about this host.
  returned: always
  type: list
  elements: str
refused:
  description: Entries that are not valid, or overlap a protected network.
  returned: failure
  type: list
  elements: str
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.callcenter.pbx.plugins.module_utils import firewall, firewall_host, host_state
from ansible_collections.callcenter.pbx.plugins.module_utils.docker_engine import DockerEngine, DockerError
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall_networks import (
    BlockList,
    Network,
    Protected,
    drop_covered,
    find_conflicts,
    merge,
    parse_network,
    read_block_list,
)

STATE_DIR = Path("/var/lib/callcenter-firewall")
PROGRAMS = {4: "iptables", 6: "ip6tables"}
VARIANTS = ("nft", "legacy")
LOCK_SECONDS = "10"
FIREWALLD = "org.fedoraproject.FirewallD1"
FIREWALLD_ZONES = (Path("/etc/firewalld/zones"), Path("/usr/lib/firewalld/zones"))


@dataclass(frozen=True)
class Guard:
    """What guards the host's ports, and whether it lets callers in."""

    name: str
    zone: str | None = None
    is_open: bool = True


class Host:
    """Everything read from the host, and the changes made to it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.active = self._active_services()

    def output(self, *argv: str) -> str | None:
        """Return what a command prints, None when it fails or does not exist."""
        if shutil.which(argv[0]) is None:
            return None
        code, text, _ = self.module.run_command(list(argv))
        return str(text) if code == 0 else None

    def feed(self, text: str, *argv: str) -> None:
        """Run a command with `text` as its standard input; fail the module with its words when it fails."""
        code, _, complaint = self.module.run_command(list(argv), data=text, binary_data=False)
        if code != 0:
            fail(
                self.module,
                f"`{' '.join(argv)}` refused the new state, which it takes as a whole or not at all: "
                f"{complaint.strip()}",
            )

    def _active_services(self) -> dict[str, bool]:
        units = ["docker.service", "firewalld.service"]
        text = self.output("systemctl", "show", "--property=ActiveState,UnitFileState", *units) or ""
        return {name: unit["active"] for name, unit in host_state.parse_units(text, units).items()}

    # -- iptables and ipset -----------------------------------------------------------------

    def table(self, program: str) -> firewall.Table | None:
        """Read a filter table, None where the program or the protocol is missing."""
        text = self.output(f"{program}-save", "-t", "filter")
        return None if text is None else firewall.parse_table(text)

    def docker_variant(self, default: firewall.Table) -> str:
        """Return the suffix of the iptables programs Docker uses: '' for the host's default ones.

        The two variants keep separate rules. Docker calls plain `iptables`, looked up at each call; only when
        its chains are found nowhere but in the other variant (the default was changed under a running engine)
        must ours go there too.
        """
        if "DOCKER" in default.chains or not self.active["docker.service"]:
            return ""
        for variant in VARIANTS:
            other = self.table(f"{PROGRAMS[4]}-{variant}")
            if other is not None and "DOCKER" in other.chains:
                return f"-{variant}"
        return ""

    def set(self, version: int, expected: int) -> firewall.Set:
        """Read a kernel set, its members only when they may be the expected number of them, or for a diff."""
        name = firewall.SETS[version]
        header = self.output("ipset", "list", "-terse", name)
        if header is None:
            return firewall.ABSENT_SET
        if f"Number of entries: {expected}\n" not in header and not self.module._diff:
            return firewall.Set(exists=True, members=None)
        return firewall.parse_set(self.output("ipset", "save", name) or "")

    # -- what the host depends on -------------------------------------------------------------

    def protected(self) -> tuple[Protected, ...]:
        """Return what this host must never block."""
        found = [*firewall_host.ALWAYS_PROTECTED, *self._docker_networks()]
        found += firewall_host.own_addresses(self.output("ip", "-json", "address") or "")
        for version in ("-4", "-6"):
            routes = self.output("ip", version, "-json", "route", "show", "default") or ""
            found += firewall_host.default_gateways(routes)
        source = ansible_source()
        if source:
            found.append(Protected("the address Ansible comes from", parse_network(source)[0]))
        return drop_covered(found)

    def _docker_networks(self) -> tuple[Protected, ...]:
        """Ask the engine, if it runs: connecting to the socket of a stopped one would start it."""
        if not self.active["docker.service"]:
            return ()
        try:
            return firewall_host.docker_networks(DockerEngine(timeout=15).get("/networks"))
        except DockerError as error:
            fail(
                self.module,
                f"Docker's networks, which must never be blocked, cannot be read: {error}. "
                "See `journalctl -u docker` on the host.",
            )

    # -- what guards its ports ----------------------------------------------------------------

    def guard(self, tables: dict[int, firewall.Table], ports: firewall.Ports) -> Guard:
        """Find what guards the ports. Plain iptables counts as open: this module opens it itself."""
        if self.active["firewalld.service"]:
            return self._firewalld(ports)
        if firewall.ufw_is_on(tables[4]):
            return Guard("ufw", is_open=all(firewall.ufw_opens(table, ports) for table in tables.values()))
        closed = any(firewall.closes(table) for table in tables.values())
        return Guard("iptables" if closed else "none")

    def _firewalld(self, ports: firewall.Ports) -> Guard:
        """Ask firewalld over its bus, which takes a tenth of the time of firewall-cmd."""
        device = firewall_host.default_device(self.output("ip", "-json", "route", "show", "default") or "")
        zone = self._bus("zone", "getZoneOfInterface", device) if device else None
        zone = str(zone or self._bus("", "getDefaultZone") or "public")
        runtime = {tuple(port) for port in self._bus("zone", "getPorts", zone) or ()}
        files = [directory / f"{zone}.xml" for directory in FIREWALLD_ZONES]
        permanent = next((path.read_text(encoding="utf-8") for path in files if path.is_file()), "")
        opened = runtime & firewall_host.zone_file_ports(permanent)
        return Guard("firewalld", zone, opened.issuperset(firewall_host.firewalld_ports(ports)))

    def _bus(self, interface: str, method: str, argument: str | None = None) -> Any:
        path = "/" + FIREWALLD.replace(".", "/")
        name = f"{FIREWALLD}.{interface}" if interface else FIREWALLD
        signature = [] if argument is None else ["s", argument]
        reply = self.output("busctl", "--json=short", "call", FIREWALLD, path, name, method, *signature)
        return firewall_host.bus_reply(reply or "")

    # -- what is restored at boot -------------------------------------------------------------

    def differing(self, files: dict[str, str]) -> dict[str, str]:
        """Return those of the saved files whose content is not the wanted one."""
        return {name: text for name, text in files.items() if read_text(STATE_DIR / name) != text}

    def save(self, files: dict[str, str]) -> None:
        """Replace saved files, each as a whole."""
        STATE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in files.items():
            new = STATE_DIR / f".{name}.new"
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(STATE_DIR / name)


def read_text(path: Path) -> str | None:
    """Return a file's text, None when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def ansible_source() -> str | None:
    """Return the address this module's SSH session comes from.

    sudo keeps SSH_CONNECTION from us, not from our parents: the nearest one that still has it is asked.
    """
    process = os.getpid()
    while process > 1:
        directory = Path("/proc", str(process))
        try:
            source = firewall_host.ssh_source((directory / "environ").read_bytes())
            process = firewall_host.parent_of(
                (directory / "stat").read_text(encoding="utf-8", errors="replace")
            )
        except OSError:
            return None
        if source:
            return source
    return None


def fail(module: AnsibleModule, message: str, **details: Any) -> NoReturn:
    """End the module with a message that names the fault and the remedy."""
    module.fail_json(msg=message, **details)
    raise AssertionError("fail_json does not return")


def refuse(module: AnsibleModule, what: str, refused: list[str], remedy: str) -> NoReturn:
    """Fail before anything was touched, naming every entry."""
    lines = "\n".join(f"  - {line}" for line in refused)
    fail(module, f"{what}; nothing was changed:\n{lines}\n{remedy}", refused=refused)


def read_list(module: AnsibleModule, name: str) -> BlockList:
    """Read one of the module's lists, refusing it when any entry is not valid."""
    block_list = read_block_list(module.params[name])
    if block_list.faults:
        refuse(
            module,
            f"{name} has entries that mean nothing",
            list(block_list.faults),
            "Correct or remove them.",
        )
    return block_list


def read_networks(module: AnsibleModule, host: Host) -> tuple[BlockList, dict[int, tuple[Network, ...]]]:
    """Read the list and return it, with the merged networks by IP version, unless it would do harm."""
    block_list = read_list(module, "blacklist")
    never = [Protected("never_block", entry.network) for entry in read_list(module, "never_block").entries]
    try:
        named = firewall_host.read_protected(module.params["protected_networks"])
    except ValueError as error:
        fail(module, f"protected_networks: {error}")
    conflicts = find_conflicts(block_list.entries, [*named, *never, *host.protected()])
    if conflicts:
        refuse(
            module,
            "The block list has entries that must never be blocked",
            [str(conflict) for conflict in conflicts],
            "Remove them from the list, or make them narrower than what they would block.",
        )
    merged = merge(entry.network for entry in block_list.entries)
    return block_list, {
        version: tuple(network for network in merged if network.version == version)
        for version in firewall.SETS
    }


def read_tables(host: Host) -> tuple[str, dict[int, firewall.Table]]:
    """Return the suffix of the programs to use, and the table of each IP version the host can filter.

    Before iptables is installed, check mode takes the tables for empty.
    """
    missing = [program for program in (PROGRAMS[4], "ipset") if shutil.which(program) is None]
    if host.module.check_mode and missing:
        return "", dict.fromkeys(PROGRAMS, firewall.EMPTY_TABLE)
    if missing:
        fail(host.module, f"The host lacks {' and '.join(missing)}: `apt install {' '.join(missing)}`.")
    default = host.table(PROGRAMS[4])
    if default is None:
        fail(
            host.module,
            f"`{PROGRAMS[4]}-save -t filter` fails, so the packet filter cannot be read. Run it on the host: "
            "it says why (often a kernel upgraded under a running system, whose modules are gone: reboot).",
        )
    variant = host.docker_variant(default)
    tables = {version: host.table(f"{program}{variant}") for version, program in PROGRAMS.items()}
    return variant, {version: table for version, table in tables.items() if table is not None}


def describe(tables: dict[int, firewall.Table], sets: dict[int, firewall.Set]) -> str:
    """Spell the whole state for a diff."""
    lines = [
        line for version in tables for line in firewall.describe_table(tables[version], PROGRAMS[version])
    ]
    lines += [line for version in sets for line in firewall.describe_set(sets[version], version)]
    return "\n".join([*lines, ""])


def main() -> None:
    """Entry point."""
    raw_list = {"type": "list", "elements": "raw", "default": []}
    protected = {"name": {"type": "str", "required": True}, "network": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "blacklist": raw_list,
            "never_block": raw_list,
            "protected_networks": {"type": "list", "elements": "dict", "options": protected, "default": []},
            "sip_port": {"type": "int", "default": 5060},
            "rtp_first_port": {"type": "int", "default": 10000},
            "rtp_last_port": {"type": "int", "default": 10100},
        },
        supports_check_mode=True,
    )
    ports = firewall.Ports(
        module.params["sip_port"], module.params["rtp_first_port"], module.params["rtp_last_port"]
    )
    host = Host(module)
    block_list, networks = read_networks(module, host)
    members = {version: [str(network) for network in group] for version, group in networks.items()}

    variant, tables = read_tables(host)
    sets = {version: host.set(version, len(members[version])) for version in firewall.SETS}
    guard = host.guard(tables, ports)
    opens = {
        version: ports if guard.name == "iptables" and firewall.closes(table) else None
        for version, table in tables.items()
    }

    set_inputs = {version: firewall.plan_set(sets[version], version, members[version]) for version in sets}
    table_lines = {
        version: firewall.plan_table(tables[version], version, opens[version]) for version in tables
    }
    saved = {"sets": "".join(firewall.fill_set(version, members[version]) for version in firewall.SETS)}
    for version, program in PROGRAMS.items():
        saved[program] = "\n".join([*firewall.saved_rules(version, opens.get(version)), ""])
    unsaved = host.differing(saved)

    if not module.check_mode:
        for text in filter(None, set_inputs.values()):  # before the rules that name them
            host.feed(text, "ipset", "restore")
        for version, lines in table_lines.items():
            if lines:
                program = f"{PROGRAMS[version]}{variant}-restore"
                host.feed(firewall.restore_input(lines), program, "-w", LOCK_SECONDS, "--noflush")
        host.save(unsaved)

    notes = list(block_list.notes)
    if 6 not in tables:
        notes.append(
            "This host cannot filter IPv6 (ip6tables does not work); IPv6 entries block nothing here."
        )
    if variant:
        notes.append(f"Docker's rules are in iptables{variant}, not in the default iptables; so are ours.")
    result: dict[str, Any] = {
        "changed": any(set_inputs.values()) or any(table_lines.values()) or bool(unsaved),
        "guard": guard.name,
        "zone": guard.zone,
        "ports_open": guard.is_open,
        "ipv6": 6 in tables,
        "entries": {f"v{version}": len(group) for version, group in members.items()},
        "notes": notes,
    }
    if module._diff:
        after_tables = {
            version: firewall.apply_lines(tables[version], table_lines[version]) for version in tables
        }
        after_sets = {version: firewall.Set(True, frozenset(members[version])) for version in sets}
        result["diff"] = {
            "before_header": "packet filter",
            "after_header": "packet filter",
            "before": describe(tables, sets),
            "after": describe(after_tables, after_sets),
        }
    module.exit_json(**result)


if __name__ == "__main__":
    main()
