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

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import (
    BANNED,
    KNOWN,
    NEVER,
    SETS,
)

BLACKLIST = "SIP-BLACKLIST"
OPEN = "SIP-OPEN"
LOCAL = "SIP-LOCAL"
GUARD = "SIP-GUARD"
REFUSED_AUDIO = "SIP-UNHEARD"
DOCKER_USER = "DOCKER-USER"
BUILT_IN = frozenset({"INPUT", "FORWARD", "OUTPUT"})


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


EMPTY_TABLE = Table(policies=dict.fromkeys(BUILT_IN, "ACCEPT"), chains=dict.fromkeys(BUILT_IN, ()))


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
