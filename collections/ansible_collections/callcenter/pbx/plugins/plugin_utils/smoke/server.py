# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Judges of the smoke checks about the server: container, ports, log, firewall. Pure functions."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk import listings
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.log import LOGS_IN_CONTAINER
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.by_hand import source_of
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.rules import (
    BLACKLIST,
    DOCKER_USER,
    Table,
    blacklist_rules,
    target_of,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import BANNED, JAILS, NEVER, SETS
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.types import (
    Evidence,
    Outcome,
    Problem,
    Wanted,
    outcome,
)

_PROGRAMS = {4: "iptables", 6: "ip6tables"}
_ENDS_THE_CHAIN = frozenset({"ACCEPT", "RETURN"})
_LOW_SPACE_BYTES = 100 * 1024 * 1024
_STRAYS = (
    "{strays}: left on the container's network by one that is gone. It has the container's address, and "
    "refuses what is meant for it"
)
_SUDDEN = "Somebody may have the password of a phone, and call at your cost"
_ASK_ABOUT = (
    "Ask who called. If nobody did, give the phone another password, playbooks/rotate_passwords.yml, and let "
    "it in from its own networks alone: networks in pbx_extensions."
)
_END_STRAYS = "On the server: `ip link delete {stray}`. Keep live-restore in /etc/docker/daemon.json."


def compose_state(wanted: Wanted, evidence: Evidence) -> Outcome:
    """The compose service exists, runs, is healthy, and its console answers."""
    found = evidence.container
    if found is None:
        if error := evidence.raw["engine_error"]:
            return outcome("no engine", [Problem(error, "See `systemctl status docker`, then run site.yml.")])
        seen = "there is no container; `docker compose ps` lists nothing"
        return outcome("not there", [Problem(seen, "Run site.yml.")])
    health = found["health"] or "no health check"
    service = f"{found['project']}/{found['service']}"
    problems = []
    if not found["running"]:
        seen = f"the container is {found['status']}, exit code {found['exit_code']}"
        return outcome(found["status"], [Problem(seen)])
    if found["project"] is None or found["service"] != "asterisk":
        problems.append(Problem(f"the container is {service}, not the service asterisk of a compose project"))
    if health == "unhealthy":
        problems.append(Problem("the container runs, but its health check says unhealthy"))
    if evidence.console_error:
        problems.append(Problem(f"the container runs, but {evidence.console_error}"))
    uptime = listings.uptime_seconds(evidence.answer("core show uptime seconds"))
    since = f" for {spell_seconds(uptime)}" if uptime is not None else ""
    restarts = f", restarted by itself {found['restarts']}x" if found["restarts"] else ""
    return outcome(f"service {service} runs{since}, {health}{restarts}", problems)


def published_ports(wanted: Wanted, evidence: Evidence) -> Outcome:
    """Exactly the declared ports are published, each under its own number."""
    ports = (evidence.container or {"ports": {}})["ports"]
    rtp = range(wanted.rtp_first, wanted.rtp_last + 1)
    declared = {f"{wanted.sip_port}/udp", *(f"{port}/udp" for port in rtp)}
    if wanted.sip_tcp:
        declared.add(f"{wanted.sip_port}/tcp")
    if wanted.local_sip_port:
        declared.add(f"{wanted.local_sip_port}/udp")
    published = {port: bound for port, bound in ports.items() if bound}
    moved = [
        f"{port} as {bound}"
        for port, bindings in published.items()
        for bound in bindings
        if port in declared and bound.split()[-1] != port.split("/")[0]
    ]
    problems = []
    if missing := declared - published.keys():
        problems.append(Problem(f"not published: {spell_ports(missing)}"))
    if moved:
        problems.append(Problem(f"published under another number: {', '.join(moved)}"))
    if strays := (evidence.container or {}).get("strays"):
        problems.append(
            Problem(_STRAYS.format(strays=", ".join(strays)), _END_STRAYS.format(stray=strays[0]))
        )
    if extra := published.keys() - declared:
        problems.append(Problem(f"published without being declared: {spell_ports(extra)}", is_warning=True))
    return outcome(spell_ports(published), problems)


def log_written(wanted: Wanted, evidence: Evidence) -> Outcome:
    """Asterisk writes to the files that the guide and fail2ban read, and there is room."""
    log = evidence.raw["log"]
    if log["error"]:
        return outcome("missing", [Problem(f"{log['path']}: {log['error']}")])
    problems = []
    channels = evidence.answer("logger show channels")
    off = [path for path in LOGS_IN_CONTAINER if not listings.log_is_enabled(channels, path)]
    closed = [path for path in evidence.raw["closed_logs"] if path not in off]
    if off:
        problems.append(Problem(f"`logger show channels` does not list {', '.join(off)} as enabled"))
    if closed:
        seen = f"Asterisk has not opened {', '.join(closed)}: it writes to a file that was moved or deleted"
        remedy = "Run `docker compose exec asterisk asterisk -rx 'logger reload'` in {root_dir}."
        problems.append(Problem(seen, remedy=remedy.format(root_dir=wanted.root_dir)))
    free = log["free_bytes"]
    if free < _LOW_SPACE_BYTES:
        remedy = "Free space on the file system of the logs, or enlarge it."
        problems.append(Problem(f"{spell_bytes(free)} free at {log['path']}", remedy, is_warning=free > 0))
    idle = spell_seconds(log["idle_seconds"])
    return outcome(f"{log['path']}: {spell_bytes(log['size'])}, last line {idle} ago", problems)


def log_activity(wanted: Wanted, evidence: Evidence) -> Outcome:
    """What the log says of late; only a carrier that was turned away is more than information."""
    log = evidence.raw["log"]
    if log["error"]:
        return outcome("no log")
    refused = log["no_endpoint"]
    problems = []
    for trunk in wanted.trunks:
        networks = [ipaddress.ip_network(network, strict=False) for network in trunk.networks]
        ours = [
            source
            for source in refused
            if any(ipaddress.ip_address(source) in network for network in networks)
        ]
        problems += [
            Problem(f"trunk {trunk.name} was turned away, {source}: {refused[source]} times", is_warning=True)
            for source in ours
        ]
    problems += [
        Problem(
            f"{refused[gateway]} requests of strangers seem to come from {gateway}, Docker's own gateway",
            "Nobody can be banned whom Docker hides: update Docker (29.5 has this fault), keep the proxy "
            f"off, run `conntrack -D -p udp --orig-port-dst {wanted.sip_port}` on the server.",
            "Whoever guesses passwords is not banned",
            is_warning=True,
        )
        for gateway in (evidence.container or {}).get("gateways", ())
        if gateway in refused
    ]
    if log["no_auth"]:
        symptom = '"There were no auth ids available": outgoing calls failed'
        remedy = "If the check of the trunks' auths passes, it is over."
        problems.append(Problem(f"{log['no_auth']} times", remedy, symptom, is_warning=True))
    problems += [Problem(change, _ASK_ABOUT, _SUDDEN, is_warning=True) for change in log["changes"]]
    top = ", ".join(f"{source} {count}x" for source, count in list(refused.items())[:3])
    from_whom = f" ({top})" if top else ""
    summary = f"{log['calls']} call lines, {sum(refused.values())}x No matching endpoint found{from_whom}"
    return outcome(f"since {log['since']}: {summary}" if log["since"] else "empty", problems)


def blacklist_first_in_docker_user(wanted: Wanted, evidence: Evidence) -> Outcome:
    """A packet to a published port meets the blacklist before anything else."""
    problems = []
    for version, table in evidence.tables.items():
        if isinstance(table, str):
            problems.append(Problem(f"IPv{version}: {table}"))
            continue
        problems += _not_first(version, table, DOCKER_USER, BLACKLIST)
        problems += _not_first(version, table, "FORWARD", DOCKER_USER)
    return outcome(_first_summary(problems, DOCKER_USER), problems)


def blacklist_first_in_input(wanted: Wanted, evidence: Evidence) -> Outcome:
    """A packet to the host itself meets the blacklist before anything else."""
    problems = []
    for version, table in evidence.tables.items():
        if isinstance(table, str):
            problems.append(Problem(f"IPv{version}: {table}"))
        else:
            problems += _not_first(version, table, "INPUT", BLACKLIST)
    return outcome(_first_summary(problems, "INPUT"), problems)


def blacklist_matches(wanted: Wanted, evidence: Evidence) -> Outcome:
    """The chain drops what the sets hold, and the sets exist."""
    sets = set_sizes(evidence.raw["host"]["sets"]["text"])
    problems = []
    if error := evidence.raw["host"]["sets"]["error"]:
        problems.append(Problem(f"the kernel's sets cannot be read: {error}"))
    for version, table in evidence.tables.items():
        problems += [
            Problem(f"the set {names[version]} does not exist")
            for names in (SETS, BANNED, NEVER)
            if names[version] not in sets and not error
        ]
        if isinstance(table, str):
            problems.append(Problem(f"IPv{version}: {table}"))
            continue
        rules = table.rules(BLACKLIST)
        reached = rules[: next((at for at, rule in enumerate(rules) if _lets_pass(rule)), len(rules))]
        problems += [
            Problem(f"IPv{version}: {BLACKLIST} does not hold, or does not reach: {rule}")
            for rule in blacklist_rules(version, wanted.ports)
            if rule not in reached
        ]
    listed, banned = (sum(sets.get(name, 0) for name in names.values()) for names in (SETS, BANNED))
    by_hand = sum(
        source_of(rule) is not None
        for table in evidence.tables.values()
        if not isinstance(table, str)
        for rule in table.rules(BLACKLIST)
    )
    summary = f"drops what is listed ({listed} networks) or banned ({banned})"
    if by_hand:
        summary += f", and {by_hand} made by hand: see `make blocked`"
    return outcome(summary if not problems else "does not bind", problems)


def blacklist_drops(wanted: Wanted, evidence: Evidence) -> Outcome:
    """Packets of a banned source are dropped, counted one by one."""
    tried = evidence.raw["drop"]
    if tried is None:
        return outcome("not tried in check mode")
    if tried["error"]:
        remedy = (
            "Mend what is in the way, or list an address of yours and see whether it still gets an answer."
        )
        seen = f"could not be tried: {tried['error']}"
        return outcome("not tried", [Problem(seen, remedy, is_warning=True)])
    problems = [
        Problem(f"{way['name']}: {way['dropped']} of {way['sent']} packets of a banned source were dropped")
        for way in tried["ways"]
        if way["dropped"] != way["sent"]
    ]
    sent = sum(way["sent"] for way in tried["ways"])
    names = ", ".join(way["name"] for way in tried["ways"])
    return outcome("lets packets pass" if problems else f"{sent} of {sent} packets, to {names}", problems)


def automatic_bans(wanted: Wanted, evidence: Evidence) -> Outcome:
    """fail2ban watches the PBX's logs."""
    found = evidence.raw["host"]["jails"]
    if found["error"]:
        return outcome("fail2ban does not answer", [Problem(found["error"])])
    jails = found["text"].rpartition("Jail list:")[2].replace(",", " ").split()
    missing = [name for name in JAILS if name not in jails]
    problems = [Problem(f"the jail {name} of fail2ban does not run") for name in missing]
    return outcome(f"{', '.join(JAILS)} watch" if not problems else "incomplete", problems)


def set_sizes(text: str) -> dict[str, int]:
    """Read `ipset list -terse`: how many entries each set holds, by name."""
    found: dict[str, int] = {}
    name = ""
    for line in text.splitlines():
        key, _, value = line.partition(": ")
        if key == "Name":
            name = value
        elif key == "Number of entries":
            found[name] = int(value)
    return found


def spell_ports(ports: Iterable[str]) -> str:
    """Spell port/protocol names, runs as ranges: ``5060/tcp, 5060/udp, 10000-10100/udp``."""
    by_protocol: dict[str, list[int]] = {}
    for text in ports:
        number, _, protocol = text.partition("/")
        by_protocol.setdefault(protocol, []).append(int(number))
    spelled = []
    for protocol, numbers in by_protocol.items():
        for first, last in _runs(sorted(numbers)):
            spelled.append((first, protocol, f"{first}" if first == last else f"{first}-{last}"))
    return ", ".join(f"{text}/{protocol}" for _, protocol, text in sorted(spelled)) or "none"


def spell_seconds(seconds: int) -> str:
    """Spell a duration in its largest sensible unit."""
    for unit, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def spell_bytes(size: int) -> str:
    """Spell a size in its largest sensible unit."""
    for unit, name in ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
        if size >= 2 * unit:
            return f"{size // unit} {name}"
    return f"{size} bytes"


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each run of consecutive numbers."""
    first: int | None = None
    for place, number in enumerate(numbers):
        first = number if first is None else first
        if place + 1 == len(numbers) or numbers[place + 1] != number + 1:
            yield first, number
            first = None


def _not_first(version: int, table: Table, chain: str, target: str) -> list[Problem]:
    rules = table.rules(chain)
    if rules and rules[0] == f"-j {target}":
        return []
    program = _PROGRAMS[version]
    first = f"`{program} -S {chain}` begins with: {rules[0]}" if rules else f"`{program} -S {chain}` is empty"
    if chain not in table.chains:
        first = f"{program} has no chain {chain}"
    return [Problem(f"IPv{version}: {chain} does not jump to {target} first. {first}")]


def _first_summary(problems: list[Problem], chain: str) -> str:
    return (
        f"{BLACKLIST} is not first in {chain}"
        if problems
        else f"{BLACKLIST} is first in {chain}, IPv4 and IPv6"
    )


def _lets_pass(rule: str) -> bool:
    return target_of(rule) in _ENDS_THE_CHAIN
