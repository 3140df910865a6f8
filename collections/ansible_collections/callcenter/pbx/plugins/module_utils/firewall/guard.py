# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""What strangers may send: how often, from where, and no audio. Pure.

A stranger is a source that is neither expected (a carrier, a network of the site) nor known (it has given the
right password of a phone lately).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.rules import (
    GUARD,
    LOCAL,
    REFUSED_AUDIO,
    LocalPort,
    Ports,
    Table,
    define,
    lead,
    local_rules,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import (
    EXPECTED,
    KNOWN,
    STRAY,
    STRAY_SECONDS,
    UNHEARD,
    UNHEARD_SECONDS,
)

ARRIVAL = "SIP-ARRIVAL"
STRANGERS = "SIP-STRANGERS"
RAW_FILE = "iptables-raw"
"""The saved file that restores the chains in the table ``raw``."""

# A phone that is new here needs two packets to register, and is known from then on.
PER_SOURCE = "--hashlimit-above 20/sec --hashlimit-burst 40"
# All strangers together. So many forged senders a second cannot outrun fail2ban, which reads 225 a second.
TOGETHER = "--hashlimit-above 100/sec --hashlimit-burst 200"
# Datagrams of one stranger that begin nothing. Asterisk logs none of them, so fail2ban never hears of them.
STRAYS = "--hashlimit-above 20/min --hashlimit-burst 20"
# What a phone begins with that is new here. REGISTER, INVITE, OPTIONS and SUBSCRIBE are told by four letters.
OPENINGS = ("REGI", "INVI", "OPTI", "SUBS")
# A carrier or a phone. Others can write its address: a full house of calls is some tens of packets a second.
PER_FRIEND = "--hashlimit-above 200/sec --hashlimit-burst 400"
MAX_SOURCES = 65_536
"""How many senders are told apart; of more, all are turned away until the oldest are forgotten."""
CONNECTIONS_PER_SOURCE = 10
"""Open TCP connections of one stranger: an office of new phones behind one address."""
CONNECTIONS = 200
"""Open TCP connections of all strangers: Asterisk's own limit is near 1,000."""

CLOUD_SERVICES = "169.254.0.0/16"
PRIVATE_NETWORKS = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")

_SYN = "--tcp-flags FIN,SYN,RST,ACK SYN"


def inner_chains(
    version: int, ports: Ports, local: LocalPort | None, container: str, tcp_ports: Collection[int]
) -> dict[str, tuple[str, ...]]:
    """Return the rules of the chains behind SIP-BLACKLIST, each before the chain that names it.

    Docker publishes SIP over IPv4.

    :param container: the network of the container
    :param tcp_ports: where carriers take connections
    """
    if version != 4:
        return {}
    noted = f"-j SET --add-set {UNHEARD[4]} src --exist --timeout {UNHEARD_SECONDS}"
    return {
        **({LOCAL: local_rules(local)} if local else {}),
        REFUSED_AUDIO: (noted, "-j DROP"),
        GUARD: (*guard_rules(ports), *leaving_rules(container, tcp_ports)),
    }


def guard_rules(ports: Ports) -> tuple[str, ...]:
    """Return the rules of SIP-GUARD: no audio from strangers, and few of their connections.

    Audio that answers what the PBX sends is no stranger's: it comes from where the other side's SDP says.
    What begins a flow is dropped, and its source noted.
    """
    from_stranger = (
        f"-m set ! --match-set {EXPECTED[4]} src -m set ! --match-set {KNOWN[4]} src"  # asked in this order
    )
    audio = f"--ctstate DNAT --ctorigdstport {ports.rtp_first}:{ports.rtp_last} --ctdir ORIGINAL"
    connection = f"-p tcp -m tcp --dport {ports.sip} {_SYN} -m conntrack --ctstate DNAT {from_stranger}"
    return (
        f"-p udp -m conntrack {audio} {from_stranger} -g {REFUSED_AUDIO}",
        f"{connection} -m connlimit --connlimit-above {CONNECTIONS_PER_SOURCE} --connlimit-mask 32 "
        "--connlimit-saddr -j DROP",
        f"{connection} -m connlimit --connlimit-above {CONNECTIONS} --connlimit-mask 0 "
        "--connlimit-saddr -j DROP",
    )


def leaving_rules(container: str, tcp_ports: Collection[int]) -> tuple[str, ...]:
    """Return the rules of SIP-GUARD about what leaves the container.

    Nothing goes to the cloud's own services: there a cloud hands out the server's credentials to whoever asks
    from it. Some have their name server there.

    The PBX connects to carriers that speak SIP over TCP, to phones and to name servers. Into private networks
    it sends no datagram either, but to these, and where somebody has sent it one. Whoever takes the container
    over gets no further.
    """
    there = f"-s {container} -d {CLOUD_SERVICES}"
    names = (f"{there} -p {protocol} -m {protocol} --dport 53 -j RETURN" for protocol in ("udp", "tcp"))
    numbers = ",".join(str(port) for port in sorted({53, *tcp_ports}))
    friends = f"-m set ! --match-set {EXPECTED[4]} dst -m set ! --match-set {KNOWN[4]} dst"
    datagram = f"-p udp -m conntrack --ctstate NEW -m multiport ! --dports 53 {friends} -j DROP"
    private = (f"-s {container} -d {network} {datagram}" for network in PRIVATE_NETWORKS)
    elsewhere = f"-m multiport ! --dports {numbers} {friends}"
    return (
        *names,
        f"{there} -j DROP",
        f"-s {container} -p tcp -m tcp {_SYN} {elsewhere} -j DROP",
        *private,
    )


def services_rule(container: str, ports: Ports) -> str:
    """Return the rule of SIP-ARRIVAL that keeps the container from the server's own services.

    The server itself may be its name server, and it may call its own public address.
    """
    wanted = f"-m multiport ! --dports 53,{ports.sip}"
    return f"-s {container} -p tcp -m tcp {_SYN} {wanted} -m addrtype --dst-type LOCAL -j DROP"


def raw_chains(ports: Ports, asymmetric: bool) -> dict[str, tuple[str, ...]]:
    """Return the rules of our chains about SIP in the table ``raw``, which comes before connection tracking.

    :param asymmetric: packets may arrive by another interface than answers leave by
    """
    here = "-m addrtype --dst-type LOCAL"
    forged = "-m rpfilter --loose --invert" if asymmetric else "-m rpfilter --invert"
    limit = "-m hashlimit {rate} {mode}--hashlimit-name {name} {table}-j DROP"
    table = f"--hashlimit-htable-max {MAX_SOURCES} --hashlimit-htable-expire 60000 "
    friends = [
        f"-m set --match-set {name} src {rule}"
        for name in (EXPECTED[4], KNOWN[4])
        for rule in (
            limit.format(rate=PER_FRIEND, mode="--hashlimit-mode srcip ", name="sip-friend", table=table),
            "-j RETURN",
        )
    ]
    return {
        ARRIVAL: (
            f"! -i lo -p udp -m udp --dport {ports.sip} {here} -g {STRANGERS}",
            f"! -i lo -p tcp -m tcp --dport {ports.sip} {_SYN} {here} -g {STRANGERS}",
        ),
        STRANGERS: (
            # The answer would go to somebody else.
            f"{forged} -j DROP",
            # Via ...;maddr=: the answer would go where the sender likes. Nobody has used it for decades.
            '-p udp -m string --string "maddr" --algo bm --icase -j DROP',
            *friends,
            f"-m set --match-set {STRAY[4]} src -j DROP",
            limit.format(rate=PER_SOURCE, mode="--hashlimit-mode srcip ", name="sip-source", table=table),
            limit.format(rate=TOGETHER, mode="", name="sip-strangers", table=""),
            _note_strays(),
        ),
    }


def _note_strays() -> str:
    """Return the rule that notes who sends one stray after the other.

    A stray is no opening of a stranger's: ACK, BYE, CANCEL, a response, or no SIP at all. The rule reads the
    first four letters behind the headers of IP and UDP.
    """
    words = ",".join(f"0x{word.encode().hex()}" for word in OPENINGS)
    noted = f"-j SET --add-set {STRAY[4]} src --exist --timeout {STRAY_SECONDS}"
    # By the minute, 60000 ms are what hashlimit takes by itself, and iptables-save leaves out.
    table = f"--hashlimit-name sip-stray --hashlimit-htable-max {MAX_SOURCES}"
    limit = f"-m hashlimit {STRAYS} --hashlimit-mode srcip {table}"
    return f'-p udp -m u32 ! --u32 "0x0>>0x16&0x3c@0x8={words}" {limit} {noted}'


def all_raw_chains(ports: Ports, asymmetric: bool, container: str) -> dict[str, tuple[str, ...]]:
    """Return all rules of our chains in the table ``raw``.

    :param container: the network of the container
    """
    chains = raw_chains(ports, asymmetric)
    return {**chains, ARRIVAL: (*chains[ARRIVAL], services_rule(container, ports))}


def plan_raw(table: Table, chains: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the lines for `iptables-restore --noflush` in the table ``raw``, none when all is right."""
    lines: list[str] = []
    for chain, rules in chains.items():
        if table.chains.get(chain) != rules:
            lines += define(chain, rules)
    # A chain is defined before a rule names it.
    lines.sort(key=lambda line: not line.startswith(":"))
    return (*lines, *lead(table, "PREROUTING", [ARRIVAL], {ARRIVAL}))


def saved_raw(chains: Mapping[str, tuple[str, ...]]) -> str:
    """Return the content of the file that restores them."""
    lines = [line for chain, rules in chains.items() for line in define(chain, rules)]
    return "\n".join([*lines, ""])


def describe(table: Table) -> list[str]:
    """Spell our chains in the table ``raw`` as `iptables -t raw -S` does."""
    return [
        f"iptables -t raw -A {chain} {rule}"
        for chain in ("PREROUTING", ARRIVAL, STRANGERS)
        for rule in table.rules(chain)
    ]
