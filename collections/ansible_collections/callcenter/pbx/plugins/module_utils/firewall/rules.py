# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Pure planning of the SIP firewall: what the kernel has, what it should have, the lines that lead there.

A filter table is read from `iptables-save` and changed by lines for `iptables-restore --noflush`, which
commits them as one. A kernel set is changed by lines for `ipset restore` that fill a second set and swap.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

BLACKLIST = "SIP-BLACKLIST"
OPEN = "SIP-OPEN"
LOCAL = "SIP-LOCAL"
GUARD = "SIP-GUARD"
REFUSED_AUDIO = "SIP-UNHEARD"
DOCKER_USER = "DOCKER-USER"
BUILT_IN = frozenset({"INPUT", "FORWARD", "OUTPUT"})
SETS = {4: "sip-blacklist-v4", 6: "sip-blacklist-v6"}
"""The listed networks."""
BANNED = {4: "sip-banned-v4", 6: "sip-banned-v6"}
"""Addresses banned for a while; they are added and removed one by one."""
NEVER = {4: "sip-never-v4", 6: "sip-never-v6"}
"""Networks no ban binds, whoever made it: the sender's address in a UDP packet proves nothing."""
EXPECTED = {4: "sip-expected-v4"}
"""Networks that calls and audio are expected from: the carriers' and the site's own (IPv4, as SIP itself)."""
KNOWN = {4: "sip-known-v4"}
"""Addresses that have given the right password of a phone lately; `callcenter-known` adds them."""
UNHEARD = {4: "sip-unheard-v4"}
"""Addresses whose audio was dropped lately, since nobody knows them: told to whoever looks for lost audio."""
STRAY = {4: "sip-stray-v4"}
"""Strangers that sent too many datagrams that begin nothing: their SIP is dropped for a while."""
FAMILIES = {4: "inet", 6: "inet6"}

# Upper bounds, not allocations. They never change: `create -exist` accepts a set only with its own bound.
MAX_ENTRIES = 1_000_000
MAX_BANNED = 65_536
MAX_KNOWN = 65_536
KNOWN_SECONDS = 86_400
"""How long an address is known. Phones give their password at least once an hour."""
MIN_BUCKETS = 1024
UNHEARD_SECONDS = 3600
MAX_UNHEARD = 1024
STRAY_SECONDS = 600
MAX_STRAYS = 65_536
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
class LocalPort:
    """A published UDP port that only these networks (IPv4) reach."""

    port: int
    networks: tuple[str, ...]


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
    """Read a table out of the output of `iptables-save -t TABLE` (or `ip6tables-save`)."""
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


def blacklist_rules(version: int, ports: Ports) -> tuple[str, ...]:
    """Return the rules of SIP-BLACKLIST: nothing from a listed network passes, and nothing to it.

    Bans are made by what UDP packets claim, so they bind SIP and audio alone, and not who has given a
    password lately. Whether a network is exempt is asked last and only of what a ban matches, side by side: a
    packet to a container has a protected destination, and is dropped for its source all the same.
    """
    listed = (f"-m set --match-set {SETS[version]} {side} -j DROP" for side in ("src", "dst"))
    numbers = f"{ports.sip},{ports.rtp_first}:{ports.rtp_last}"
    banned = (
        f"-p {protocol} -m multiport {ends} {numbers} -m set --match-set {BANNED[version]} {side} "
        f"-m set ! --match-set {NEVER[version]} {side} "
        f"{_not_in(KNOWN.get(version), side)}-j DROP"
        for protocol in ("udp", "tcp")
        for side, ends in (("src", "--dports"), ("dst", "--sports"))
    )
    return (*listed, *banned)


def _not_in(name: str | None, side: str) -> str:
    return f"-m set ! --match-set {name} {side} " if name else ""


def local_rules(local: LocalPort) -> tuple[str, ...]:
    """Return the rules of SIP-LOCAL: nothing from elsewhere passes to a port that Docker publishes.

    They ask for the port that a flow was first sent to, and only from outside: what goes to a phone whose own
    port has that number is none of their business.
    """
    sent_there = f"-p udp -m conntrack --ctstate DNAT --ctorigdstport {local.port} --ctdir ORIGINAL"
    sources = (network if "/" in network else f"{network}/32" for network in local.networks)
    return (*(f"-s {source} {sent_there} -j RETURN" for source in sources), f"{sent_there} -j DROP")


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


def saved_rules(
    version: int, ports: Ports, opens: bool, inner: Mapping[str, Sequence[str]] | None = None
) -> tuple[str, ...]:
    """Return the lines that define our chains anew; SIP-OPEN only where this `opens` the ports.

    :param inner: as in `plan_table`
    """
    chains: dict[str, Sequence[str]] = {BLACKLIST: blacklist_rules(version, ports), **(inner or {})}
    if opens:
        chains[OPEN] = open_rules(ports)
    return tuple(line for chain, rules in chains.items() for line in define(chain, rules))


def plan_table(
    table: Table,
    version: int,
    ports: Ports,
    opens: bool,
    by_hand: Sequence[str] = (),
    inner: Mapping[str, Sequence[str]] | None = None,
) -> tuple[str, ...]:
    """Return the lines for `iptables-restore --noflush` (without table and COMMIT), none when all is right.

    SIP-BLACKLIST holds its rules, then those made `by_hand`, and is jumped to once and first from INPUT and
    DOCKER-USER. DOCKER-USER, made here when Docker has not yet, is jumped to first from FORWARD, before
    anything there accepts established flows. If this `opens` the ports, SIP-OPEN comes second in INPUT;
    otherwise it goes.

    :param inner: the rules of SIP-LOCAL and SIP-GUARD, which come next in DOCKER-USER, and of SIP-UNHEARD,
        which the latter goes to; what is left out goes
    """
    lines: list[str] = []
    wanted_inner = dict(inner or {})
    chains = {BLACKLIST: (*blacklist_rules(version, ports), *by_hand), **wanted_inner}
    if opens:
        chains[OPEN] = open_rules(ports)
    if DOCKER_USER not in table.chains:
        lines += define(DOCKER_USER, ())
    for chain, rules in chains.items():
        if table.chains.get(chain) != tuple(rules):
            lines += define(chain, rules)
    lines += lead(table, "FORWARD", [DOCKER_USER], {DOCKER_USER})
    targets = [chain for chain in (BLACKLIST, LOCAL, GUARD) if chain in chains]
    lines += lead(table, DOCKER_USER, targets, {BLACKLIST, LOCAL, GUARD, OPEN})
    lines += lead(table, "INPUT", [BLACKLIST, OPEN] if opens else [BLACKLIST], {BLACKLIST, OPEN})
    for chain in (OPEN, LOCAL, GUARD, REFUSED_AUDIO):
        if chain not in chains and chain in table.chains:
            lines += [f"-F {chain}", f"-X {chain}"]
    return tuple(lines)


def define(chain: str, rules: Iterable[str]) -> list[str]:
    """Return the lines that make a chain hold these rules alone."""
    return [f":{chain} - [0:0]", *(f"-A {chain} {rule}" for rule in rules)]


def lead(table: Table, chain: str, targets: list[str], ours: Collection[str]) -> list[str]:
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
    ours = ("INPUT", "FORWARD", DOCKER_USER, BLACKLIST, LOCAL, GUARD, REFUSED_AUDIO, OPEN)
    shown = [chain for chain in ours if chain in table.chains]
    lines = [f"{program} -N {chain}" for chain in shown if chain not in BUILT_IN]
    return lines + [f"{program} -A {chain} {rule}" for chain in shown for rule in table.rules(chain)]


def restore_input(tables: Mapping[str, Sequence[str]]) -> str:
    """Wrap the lines of each table as the standard input of `iptables-restore`."""
    return "".join("\n".join([f"*{name}", *lines, "COMMIT", ""]) for name, lines in tables.items() if lines)


def create_known(version: int) -> str:
    """Return the line for `ipset restore` that makes the set of known addresses, if there is none."""
    kind = f"hash:ip family {FAMILIES[version]}"
    return f"create {KNOWN[version]} {kind} maxelem {MAX_KNOWN} timeout {KNOWN_SECONDS} -exist\n"


def create_unheard(version: int) -> str:
    """Return the line for `ipset restore` that makes the set of dropped audio's sources, if there is none."""
    return _create_noted(UNHEARD, version, MAX_UNHEARD, UNHEARD_SECONDS)


def create_stray(version: int) -> str:
    """Return the line for `ipset restore` that makes the set of senders of strays, if there is none."""
    return _create_noted(STRAY, version, MAX_STRAYS, STRAY_SECONDS)


def _create_noted(names: Mapping[int, str], version: int, most: int, seconds: int) -> str:
    kind = f"hash:ip family {FAMILIES[version]}"
    return f"create {names[version]} {kind} maxelem {most} timeout {seconds} counters -exist\n"


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

    :param names: the set's name by IP version: `SETS`, `NEVER` or `EXPECTED`
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
