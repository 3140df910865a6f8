# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Pure planning of the SIP firewall: what the kernel has, what it should have, the lines that lead there.

A filter table is read from `iptables-save` and changed by lines for `iptables-restore --noflush`, which
commits them as one. A kernel set is changed by lines for `ipset restore` that fill a second set and swap.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

BLACKLIST = "SIP-BLACKLIST"
OPEN = "SIP-OPEN"
DOCKER_USER = "DOCKER-USER"
BUILT_IN = frozenset({"INPUT", "FORWARD", "OUTPUT"})
SETS = {4: "sip-blacklist-v4", 6: "sip-blacklist-v6"}
"""The listed networks."""
BANNED = {4: "sip-banned-v4", 6: "sip-banned-v6"}
"""Addresses banned for a while; they are added and removed one by one."""
NEVER = {4: "sip-never-v4", 6: "sip-never-v6"}
"""Networks no ban binds, whoever made it: the sender's address in a UDP packet proves nothing."""
FAMILIES = {4: "inet", 6: "inet6"}

# Upper bounds, not allocations. They never change: `create -exist` accepts a set only with its own bound.
MAX_ENTRIES = 1_000_000
MAX_BANNED = 65_536
MIN_BUCKETS = 1024
DEFAULT_BAN_SECONDS = 3600
"""How long an address stays banned that somebody adds by hand without saying."""

# The host part is left to whoever holds the network: a ban of IPv6 takes the whole of it.
_BANNED_NETWORK = {4: "", 6: " netmask 64"}

# What a rule may say besides its target and still catch the packets of any caller.
_CATCHES_CALLERS = re.compile(
    r"""-m\ comment\ --comment\ (?:"(?:[^"\\]|\\.)*"|\S+)\ ?
    | --reject-with\ \S+\ ?
    | -[pm]\ (?:udp|tcp)\ ?
    | !\ -i\ lo\ ?""",
    re.VERBOSE,
)
_TARGET = re.compile(r"(?:^| )-[jg] (\S+)")


@dataclass(frozen=True)
class Table:
    """One filter table: policies of the built-in chains, and the rules of every chain without `-A CHAIN `."""

    policies: Mapping[str, str]
    chains: Mapping[str, tuple[str, ...]]

    def rules(self, chain: str) -> tuple[str, ...]:
        """Return the rules of a chain, none when it does not exist."""
        return self.chains.get(chain, ())


@dataclass(frozen=True)
class Ports:
    """The ports calls need: SIP over UDP and TCP, and the first and last RTP port (UDP)."""

    sip: int
    rtp_first: int
    rtp_last: int


@dataclass(frozen=True)
class Set:
    """A kernel set: whether it exists, and its members as the kernel spells them.

    `members` is None when they were not read since their number is wrong already.
    """

    exists: bool
    members: frozenset[str] | None


EMPTY_TABLE = Table(policies=dict.fromkeys(BUILT_IN, "ACCEPT"), chains=dict.fromkeys(BUILT_IN, ()))
ABSENT_SET = Set(exists=False, members=frozenset())


def parse_table(text: str) -> Table:
    """Read the filter table out of the output of `iptables-save` (or `ip6tables-save`)."""
    policies = dict(EMPTY_TABLE.policies)
    chains: dict[str, list[str]] = {chain: [] for chain in BUILT_IN}
    for line in text.splitlines():
        if line.startswith(":"):
            name, policy = line[1:].split()[:2]
            chains.setdefault(name, [])
            if policy != "-":
                policies[name] = policy
        elif line.startswith("-A "):
            _, name, rule = line.split(" ", 2)
            chains.setdefault(name, []).append(rule)
    return Table(policies, {name: tuple(rules) for name, rules in chains.items()})


def blacklist_rules(version: int) -> tuple[str, ...]:
    """Return the rules of SIP-BLACKLIST: nothing from a listed or banned network passes, and nothing to it.

    Whether a network is protected is asked last and only of what a ban matches, side by side: a packet to a
    container has a protected destination, and is dropped for its source all the same.
    """
    sides = ("src", "dst")
    listed = (f"-m set --match-set {SETS[version]} {side} -j DROP" for side in sides)
    banned = (
        f"-m set --match-set {BANNED[version]} {side} -m set ! --match-set {NEVER[version]} {side} -j DROP"
        for side in sides
    )
    return (*listed, *banned)


def open_rules(ports: Ports) -> tuple[str, ...]:
    """Return the rules of SIP-OPEN."""
    return (
        f"-p udp -m udp --dport {ports.sip} -j ACCEPT",
        f"-p tcp -m tcp --dport {ports.sip} -j ACCEPT",
        f"-p udp -m udp --dport {ports.rtp_first}:{ports.rtp_last} -j ACCEPT",
    )


def target_of(rule: str) -> str | None:
    """Return the chain or verdict a rule jumps or goes to."""
    found = _TARGET.search(rule)
    return found.group(1) if found else None


def closes(table: Table, chain: str = "INPUT") -> bool:
    """Tell whether a chain turns away callers for whom nobody opened a port, our own chains left out.

    A rule that keeps out one source, port or interface only is no closed door.
    """
    if table.policies.get(chain) == "DROP":
        return True
    for rule in table.rules(chain):
        target = target_of(rule)
        if target is None or _CATCHES_CALLERS.sub("", rule).strip() not in (f"-j {target}", f"-g {target}"):
            continue
        if target in ("DROP", "REJECT"):
            return True
        if target in table.chains and target not in (BLACKLIST, OPEN) and closes(table, target):
            return True
    return False


def ufw_is_on(table: Table) -> bool:
    """Tell whether ufw guards INPUT; switched off, it leaves empty chains behind."""
    return bool(table.rules("ufw-before-input") or table.rules("ufw6-before-input"))


def ufw_opens(table: Table, ports: Ports) -> bool:
    """Tell whether ufw lets anyone reach the ports; where it does not guard, it does not close either."""
    if not ufw_is_on(table):
        return True
    allowed = {*table.rules("ufw-user-input"), *table.rules("ufw6-user-input")}
    return allowed.issuperset(
        (
            f"-p udp -m udp --dport {ports.sip} -j ACCEPT",
            f"-p tcp -m tcp --dport {ports.sip} -j ACCEPT",
            f"-p udp -m multiport --dports {ports.rtp_first}:{ports.rtp_last} -j ACCEPT",
        )
    )


def saved_rules(version: int, ports: Ports | None) -> tuple[str, ...]:
    """Return the lines that define our chains anew; `ports` None leaves SIP-OPEN out."""
    chains = {BLACKLIST: blacklist_rules(version)}
    if ports:
        chains[OPEN] = open_rules(ports)
    return tuple(line for chain, rules in chains.items() for line in _define(chain, rules))


def plan_table(table: Table, version: int, ports: Ports | None) -> tuple[str, ...]:
    """Return the lines for `iptables-restore --noflush` (without table and COMMIT), none when all is right.

    SIP-BLACKLIST holds its rules and is jumped to once and first from INPUT and DOCKER-USER. DOCKER-USER,
    made here when Docker has not yet, is jumped to first from FORWARD, before anything there accepts
    established flows. With `ports`, SIP-OPEN comes second in INPUT; without, it goes.
    """
    lines: list[str] = []
    if DOCKER_USER not in table.chains:
        lines += _define(DOCKER_USER, ())
    if table.chains.get(BLACKLIST) != blacklist_rules(version):
        lines += _define(BLACKLIST, blacklist_rules(version))
    if ports and table.chains.get(OPEN) != open_rules(ports):
        lines += _define(OPEN, open_rules(ports))
    lines += _lead(table, "FORWARD", [DOCKER_USER], {DOCKER_USER})
    lines += _lead(table, DOCKER_USER, [BLACKLIST], {BLACKLIST, OPEN})
    lines += _lead(table, "INPUT", [BLACKLIST, OPEN] if ports else [BLACKLIST], {BLACKLIST, OPEN})
    if not ports and OPEN in table.chains:
        lines += [f"-F {OPEN}", f"-X {OPEN}"]
    return tuple(lines)


def _define(chain: str, rules: Iterable[str]) -> list[str]:
    return [f":{chain} - [0:0]", *(f"-A {chain} {rule}" for rule in rules)]


def _lead(table: Table, chain: str, targets: list[str], ours: Collection[str]) -> list[str]:
    """Return the lines after which `chain` begins with jumps to `targets` and has no other jump to `ours`."""
    rules = table.rules(chain)
    places = [place for place, rule in enumerate(rules, start=1) if target_of(rule) in ours]
    wanted = [f"-j {target}" for target in targets]
    if list(rules[: len(wanted)]) == wanted and len(places) == len(wanted):
        return []
    deletions = [f"-D {chain} {place}" for place in reversed(places)]
    return deletions + [f"-I {chain} {place} {jump}" for place, jump in enumerate(wanted, start=1)]


def apply_lines(table: Table, lines: Iterable[str]) -> Table:
    """Return the table as `iptables-restore --noflush` leaves it, for a diff without touching the kernel."""
    chains = {name: list(rules) for name, rules in table.chains.items()}
    for line in lines:
        command, chain, *rest = re.split(" ", line, maxsplit=3)
        if command.startswith(":"):
            chains[command[1:]] = []
        elif command == "-A":
            chains[chain].append(" ".join(rest))
        elif command == "-I":
            chains[chain].insert(int(rest[0]) - 1, rest[1])
        elif command == "-D":
            del chains[chain][int(rest[0]) - 1]
        elif command == "-F":
            chains[chain] = []
        elif command == "-X":
            del chains[chain]
    return replace(table, chains={name: tuple(rules) for name, rules in chains.items()})


def describe_table(table: Table, program: str) -> list[str]:
    """Spell our chains, and those that jump to them, as `iptables -S` does, headed by the program."""
    shown = [chain for chain in ("INPUT", "FORWARD", DOCKER_USER, BLACKLIST, OPEN) if chain in table.chains]
    lines = [f"{program} -N {chain}" for chain in shown if chain not in BUILT_IN]
    return lines + [f"{program} -A {chain} {rule}" for chain in shown for rule in table.rules(chain)]


def restore_input(lines: Iterable[str]) -> str:
    """Wrap lines as the standard input of `iptables-restore`."""
    return "\n".join(["*filter", *lines, "COMMIT", ""])


def create_banned(version: int) -> str:
    """Return the line for `ipset restore` that makes the set of bans, and leaves one that exists as it is.

    When it is full, a new ban takes the place of another one.
    """
    kind = f"hash:ip family {FAMILIES[version]}{_BANNED_NETWORK[version]}"
    extensions = f"timeout {DEFAULT_BAN_SECONDS} counters comment forceadd"
    return f"create {BANNED[version]} {kind} maxelem {MAX_BANNED} {extensions} -exist\n"


def fill_set(
    version: int, members: Collection[str], names: Mapping[int, str] = SETS, exists: bool = False
) -> str:
    """Return the standard input of `ipset restore` that gives a set of networks these members in one swap.

    It works whether or not the set exists, and whatever an interrupted run left behind. Each entry counts the
    packets it matches, from the swap on.

    :param names: the set's name by IP version, `SETS` or `NEVER`
    :param exists: whether the set is known to exist, possibly made by a former version and of another kind
    """
    name, new = names[version], f"{names[version]}-new"
    buckets = MIN_BUCKETS
    while buckets < len(members):
        buckets *= 2
    kind = f"hash:net family {FAMILIES[version]}"
    lines = [
        *([] if exists else [f"create {name} {kind} maxelem {MAX_ENTRIES} counters -exist"]),
        f"create {new} {kind} hashsize {buckets} maxelem {MAX_ENTRIES} counters -exist",
        f"flush {new}",
        *(f"add {new} {member}" for member in members),
        f"swap {new} {name}",
        f"destroy {new}",
        "",
    ]
    return "\n".join(lines)


def plan_set(current: Set, version: int, members: Collection[str], names: Mapping[int, str] = SETS) -> str:
    """Return the standard input of `ipset restore` that makes a set hold `members`, '' when it does."""
    if current.exists and current.members == frozenset(members):
        return ""
    return fill_set(version, members, names, current.exists)


def parse_set(text: str) -> Set:
    """Read one set of networks out of the output of `ipset save NAME`; no output means no set.

    A set that does not count packets, as a former version made it, is not right whatever it holds: its
    members are not read.
    """
    if not text.startswith("create "):
        return ABSENT_SET
    if not is_of_our_kind(text):
        return Set(exists=True, members=None)
    members = (line.split(" ", 3)[2] for line in text.splitlines() if line.startswith("add "))
    return Set(exists=True, members=frozenset(members))


def is_of_our_kind(text: str) -> bool:
    """Tell whether the output of `ipset save NAME` is that of a set of networks which counts packets."""
    head = text.partition("\n")[0]
    return head.startswith("create ") and " counters" in head


def describe_set(current: Set, version: int, names: Mapping[int, str] = SETS) -> list[str]:
    """Spell a set as `ipset save` does, sorted."""
    if not current.exists:
        return []
    name = names[version]
    return [
        f"ipset create {name} hash:net",
        *(f"ipset add {name} {member}" for member in sorted(current.members or ())),
    ]
