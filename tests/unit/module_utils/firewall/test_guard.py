"""What strangers may send: the rules as `iptables-save` spells them, and their coming into force."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import guard
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import rules as firewall
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.rules import Ports, Table

PORTS = Ports(5060, 10000, 10100)
STRANGER = "-m set ! --match-set sip-expected-v4 src -m set ! --match-set sip-known-v4 src"
SYN = "--tcp-flags FIN,SYN,RST,ACK SYN"
HERE = "-m addrtype --dst-type LOCAL -g SIP-STRANGERS"
DOCKERS = Table({}, {"PREROUTING": ("-d 172.18.0.2/32 ! -i br-1 -j DROP",), "OUTPUT": ()})


def raw(asymmetric: bool) -> dict[str, tuple[str, ...]]:
    return guard.all_raw_chains(PORTS, asymmetric, "172.30.255.252/30")


def test_the_container_reaches_no_service_of_the_server() -> None:
    assert raw(False)["SIP-ARRIVAL"][-1] == (
        f"-s 172.30.255.252/30 -p tcp -m tcp {SYN} -m multiport ! --dports 53,5060 "
        "-m addrtype --dst-type LOCAL -j DROP"
    )


def test_audio_of_strangers_is_noted_and_dropped_and_their_connections_are_few() -> None:
    chains = guard.inner_chains(4, PORTS, None, "172.30.255.252/30", [5061])
    assert chains == {
        "SIP-UNHEARD": ("-j SET --add-set sip-unheard-v4 src --exist --timeout 3600", "-j DROP"),
        "SIP-GUARD": (
            "-p udp -m conntrack --ctstate DNAT --ctorigdstport 10000:10100 --ctdir ORIGINAL "
            f"{STRANGER} -g SIP-UNHEARD",
            f"-p tcp -m tcp --dport 5060 {SYN} -m conntrack --ctstate DNAT {STRANGER} "
            "-m connlimit --connlimit-above 10 --connlimit-mask 32 --connlimit-saddr -j DROP",
            f"-p tcp -m tcp --dport 5060 {SYN} -m conntrack --ctstate DNAT {STRANGER} "
            "-m connlimit --connlimit-above 200 --connlimit-mask 0 --connlimit-saddr -j DROP",
            "-s 172.30.255.252/30 -d 169.254.0.0/16 -p udp -m udp --dport 53 -j RETURN",
            "-s 172.30.255.252/30 -d 169.254.0.0/16 -p tcp -m tcp --dport 53 -j RETURN",
            "-s 172.30.255.252/30 -d 169.254.0.0/16 -j DROP",
            f"-s 172.30.255.252/30 -p tcp -m tcp {SYN} -m multiport ! --dports 53,5061 "
            "-m set ! --match-set sip-expected-v4 dst -m set ! --match-set sip-known-v4 dst -j DROP",
            *(
                f"-s 172.30.255.252/30 -d {network} -p udp -m conntrack --ctstate NEW "
                "-m multiport ! --dports 53 "
                "-m set ! --match-set sip-expected-v4 dst -m set ! --match-set sip-known-v4 dst -j DROP"
                for network in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
            ),
        ),
    }


FRIEND = (
    "-m hashlimit --hashlimit-above 200/sec --hashlimit-burst 400 --hashlimit-mode srcip "
    "--hashlimit-name sip-friend --hashlimit-htable-max 65536 --hashlimit-htable-expire 60000 -j DROP"
)


@pytest.mark.parametrize(
    ("asymmetric", "forged"),
    [(False, "-m rpfilter --invert -j DROP"), (True, "-m rpfilter --loose --invert -j DROP")],
)
def test_sip_of_strangers_is_limited_before_it_is_tracked(asymmetric: bool, forged: str) -> None:
    assert guard.raw_chains(PORTS, asymmetric) == {
        "SIP-ARRIVAL": (
            f"! -i lo -p udp -m udp --dport 5060 {HERE}",
            f"! -i lo -p tcp -m tcp --dport 5060 {SYN} {HERE}",
        ),
        "SIP-STRANGERS": (
            forged,
            '-p udp -m string --string "maddr" --algo bm --icase -j DROP',
            f"-m set --match-set sip-expected-v4 src {FRIEND}",
            "-m set --match-set sip-expected-v4 src -j RETURN",
            f"-m set --match-set sip-known-v4 src {FRIEND}",
            "-m set --match-set sip-known-v4 src -j RETURN",
            "-m set --match-set sip-stray-v4 src -j DROP",
            "-m hashlimit --hashlimit-above 20/sec --hashlimit-burst 40 --hashlimit-mode srcip "
            "--hashlimit-name sip-source --hashlimit-htable-max 65536 --hashlimit-htable-expire 60000 "
            "-j DROP",
            "-m hashlimit --hashlimit-above 100/sec --hashlimit-burst 200 --hashlimit-name sip-strangers "
            "-j DROP",
            # REGISTER, INVITE, OPTIONS, SUBSCRIBE
            '-p udp -m u32 ! --u32 "0x0>>0x16&0x3c@0x8=0x52454749,0x494e5649,0x4f505449,0x53554253" '
            "-m hashlimit --hashlimit-above 20/min --hashlimit-burst 20 --hashlimit-mode srcip "
            "--hashlimit-name sip-stray --hashlimit-htable-max 65536 "
            "-j SET --add-set sip-stray-v4 src --exist --timeout 600",
        ),
    }


def test_our_chains_in_raw_come_first_and_docker_keeps_its_own() -> None:
    lines = guard.plan_raw(DOCKERS, raw(False))
    assert [line for line in lines if line.startswith(":")] == list(lines[:2]), (
        "defined before they are named"
    )
    applied = firewall.apply_lines(DOCKERS, lines)
    assert applied.rules("PREROUTING") == ("-j SIP-ARRIVAL", *DOCKERS.rules("PREROUTING"))
    assert guard.plan_raw(applied, raw(False)) == ()
    assert guard.plan_raw(applied, raw(True)) != ()


def test_a_rule_flushed_or_edited_by_hand_is_put_back() -> None:
    right = firewall.apply_lines(DOCKERS, guard.plan_raw(DOCKERS, raw(False)))
    for chain in ("PREROUTING", "SIP-ARRIVAL", "SIP-STRANGERS"):
        broken = Table({}, {**right.chains, chain: ()})
        repaired = firewall.apply_lines(broken, guard.plan_raw(broken, raw(False)))
        assert repaired.rules("PREROUTING")[0] == "-j SIP-ARRIVAL"
        assert {name: repaired.rules(name) for name in raw(False)} == (raw(False))


def test_what_is_saved_is_what_is_in_force() -> None:
    saved = guard.saved_raw(raw(False)).splitlines()
    applied = firewall.apply_lines(Table({}, {}), saved)
    assert applied.chains == raw(False)


def test_ipv6_has_no_port_to_guard() -> None:
    assert guard.inner_chains(6, PORTS, None, "172.30.255.252/30", [5061]) == {}


def test_a_diff_reads_like_the_tools() -> None:
    right = firewall.apply_lines(DOCKERS, guard.plan_raw(DOCKERS, raw(False)))
    assert guard.describe(right)[0] == "iptables -t raw -A PREROUTING -j SIP-ARRIVAL"
