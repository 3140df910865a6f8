# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""The kernel's sets of addresses and networks: their names, how each is made, filled and read. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

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
JAILS = {
    "sip-guessing": "guessed passwords",
    "sip-enumeration": "looked for accounts",
    "sip-calls": "called without being known",
}
"""What a source has done, by the jail that banned it."""

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


@dataclass(frozen=True)
class Set:
    """A kernel set: whether it exists, and its members as the kernel spells them.

    `members` is None when they were not read since their number is wrong already.
    """

    exists: bool
    members: frozenset[str] | None


ABSENT_SET = Set(exists=False, members=frozenset())


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
