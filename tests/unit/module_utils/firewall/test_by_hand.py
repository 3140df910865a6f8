"""Rules that somebody added to SIP-BLACKLIST by hand: which stay, and why the others go."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import rules as firewall
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.by_hand import (
    ByHand,
    read_saved,
    save,
    sort_out,
    source_of,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.counters import parse_by_hand
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import Protected, parse_network

PORTS = firewall.Ports(5060, 10000, 10100)
OURS = firewall.blacklist_rules(4, PORTS)
MINE = "-s 203.0.113.7/32 -j DROP"
CARRIER = (Protected("trunk carrier", parse_network("198.51.100.0/30")[0]),)


def table(*rules: str) -> firewall.Table:
    """A filter table with such a chain."""
    return firewall.Table({}, {firewall.BLACKLIST: rules})


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (MINE, "203.0.113.7/32"),
        ("-s 203.0.113.0/24 -p udp -m udp --dport 5060 -j DROP", "203.0.113.0/24"),
        ('-s 203.0.113.7/32 -m comment --comment "guesses; see mail" -j DROP', "203.0.113.7/32"),
        ("-s 203.0.113.7/32 -j REJECT --reject-with icmp-port-unreachable", "203.0.113.7/32"),
        ("-s 203.0.113.7/32 -j ACCEPT", None),
        ("-s 203.0.113.7/32 -j RETURN", None),
        ("! -s 203.0.113.7/32 -j DROP", None),
        ("-j DROP", None),
        ("-p udp -m udp --dport 5060 -j DROP", None),
        (OURS[0], None),
    ],
)
def test_a_rule_that_keeps_out_a_source_is_told_from_others(rule: str, source: str | None) -> None:
    assert source_of(rule) == source


def test_rules_stay_in_their_order_wherever_they_were_put() -> None:
    other = "-s 203.0.113.8/32 -j DROP"
    found = sort_out(table(other, *OURS, MINE, MINE), OURS, "", CARRIER)
    assert found == ByHand((other, MINE))
    lines = firewall.plan_table(table(other, *OURS, MINE), 4, PORTS, False, found.kept)
    assert [line for line in lines if line.startswith(("-A", ":SIP-BLACKLIST"))] == [
        ":SIP-BLACKLIST - [0:0]",
        *(f"-A SIP-BLACKLIST {rule}" for rule in (*OURS, other, MINE)),
    ]


@pytest.mark.parametrize("rules", [(), (OURS[0],), (OURS[1], MINE)])
def test_what_was_saved_counts_where_the_chain_was_emptied(rules: tuple[str, ...]) -> None:
    assert sort_out(table(*rules), OURS, save([MINE]), CARRIER).kept == (MINE,)


def test_a_rule_removed_by_hand_is_gone() -> None:
    assert sort_out(table(*OURS), OURS, save([MINE]), CARRIER) == ByHand()


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("-s 198.51.100.2/32 -j DROP", "it would block 198.51.100.0/30 (trunk carrier)"),
        ("-s 0.0.0.0/1 -j ACCEPT", "it keeps out no source (rules of the form -s SOURCE ... -j DROP stay)"),
        ("-s 192.0.0.0/3 -j DROP", "it would block 198.51.100.0/30 (trunk carrier)"),
    ],
)
def test_what_would_do_harm_goes_with_a_reason(rule: str, why: str) -> None:
    assert sort_out(table(*OURS, rule), OURS, "", CARRIER) == ByHand((), ((rule, why),))


def test_rules_of_a_former_version_go_without_a_word() -> None:
    former = (
        "-m set --match-set sip-blacklist-v4 src -j DROP",
        "-m set --match-set sip-banned-v4 src -m set ! --match-set sip-never-v4 src -j DROP",
    )
    assert sort_out(table(*former, MINE), OURS, "", CARRIER) == ByHand((MINE,))


def test_a_rule_whose_source_is_listed_goes_without_a_word() -> None:
    in_part = "-s 203.0.113.7/32 -p udp -j DROP"
    found = sort_out(table(*OURS, MINE, in_part), OURS, "", CARRIER, lambda network: True)
    assert found == ByHand((in_part,)), "what is no plain block says more than the list does"


def test_the_saved_file_is_read_back() -> None:
    assert read_saved(save([MINE, "-s 203.0.113.8/32 -j DROP"])) == [MINE, "-s 203.0.113.8/32 -j DROP"]


def test_packets_of_rules_made_by_hand_are_read() -> None:
    listing = """Chain SIP-BLACKLIST (2 references)
    pkts bytes target prot opt in out source         destination
       9   540 DROP   0    --  *  *   0.0.0.0/0      0.0.0.0/0   match-set sip-blacklist-v4 src
      12   720 DROP   0    --  *  *   203.0.113.7    0.0.0.0/0
       3   180 DROP   17   --  *  *   203.0.113.0/24 0.0.0.0/0   udp dpt:5060
       1    40 DROP   0        *  *   2001:db8::7    ::/0
"""
    assert parse_by_hand(listing) == [
        {"address": "203.0.113.7", "packets": 12, "only": ""},
        {"address": "203.0.113.0/24", "packets": 3, "only": "udp dpt:5060"},
        {"address": "2001:db8::7", "packets": 1, "only": ""},
    ]
