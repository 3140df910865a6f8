"""What is blocked, and why: what the kernel prints, whom the lists name, the report people read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.action.blocked import read_sources
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import counters as blocked_host
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist import report as blocked
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.report import (
    Ban,
    inventory_source,
    plain_source,
)

SAVED = """create sip-banned-v4 hash:ip family inet hashsize 1024 maxelem 65536 timeout 3600 counters comment
add sip-banned-v4 203.0.113.7 timeout 3581 packets 12 bytes 5376 comment "sip-guessing 1795468251"
add sip-banned-v4 203.0.113.8 timeout 60 packets 0 bytes 0
"""
LISTED = """create sip-blacklist-v4 hash:net family inet hashsize 1024 maxelem 1000000 counters bucketsize 12
add sip-blacklist-v4 198.51.100.0/24 packets 0 bytes 0
add sip-blacklist-v4 45.0.0.7 packets 30 bytes 960
"""
CHAIN = """Chain SIP-BLACKLIST (2 references)
    pkts      bytes target     prot opt in     out     source               destination
       7      420 DROP       all  --  *      *       0.0.0.0/0            0.0.0.0/0            match-set sip-blacklist-v4 src
       1       60 DROP       all  --  *      *       0.0.0.0/0            0.0.0.0/0            match-set sip-blacklist-v4 dst
      12     5376 DROP       all  --  *      *       0.0.0.0/0            0.0.0.0/0            match-set sip-banned-v4 src ! match-set sip-never-v4 src
       0        0 DROP       all  --  *      *       0.0.0.0/0            0.0.0.0/0            match-set sip-banned-v4 dst ! match-set sip-never-v4 dst
"""  # noqa: E501


def test_members() -> None:
    assert blocked_host.parse_members(SAVED + LISTED) == [
        {"address": "203.0.113.7", "seconds": 3581, "packets": 12, "comment": "sip-guessing 1795468251"},
        {"address": "203.0.113.8", "seconds": 60, "packets": 0, "comment": ""},
        {"address": "198.51.100.0/24", "seconds": None, "packets": 0, "comment": ""},
        {"address": "45.0.0.7", "seconds": None, "packets": 30, "comment": ""},
    ]


def test_rules() -> None:
    assert blocked_host.parse_rules(CHAIN) == {"sip-blacklist-v4": 8, "sip-banned-v4": 12}


def test_a_host_without_any_of_it_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocked_host, "_output", lambda *argv: "")
    found = blocked_host.read(10)
    assert (found["chain"], found["rules"], found["banned"]) == (False, {}, [])
    assert found["listed"] == {"count": 0, "packets": 0, "members": []}


def test_those_with_the_most_packets_leave_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"sip-blacklist-v4": LISTED, "sip-banned-v4": SAVED}
    monkeypatch.setattr(blocked_host, "_output", lambda *argv: texts.get(argv[-1], ""))
    found = blocked_host.read(1)
    assert found["listed"] == {"count": 2, "packets": 30, "members": [["45.0.0.7", 30]]}
    assert len(found["banned"]) == 2


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        pytest.param(
            {"address": "203.0.113.7", "seconds": 60, "packets": 1, "comment": "sip-calls 1795468251"},
            Ban("203.0.113.7", "called without being known (sip-calls)", 1795468251.0, 60, 1),
            id="by a jail",
        ),
        pytest.param(
            {"address": "2001:db8:1:2::", "seconds": 60, "packets": 0, "comment": "sip-guessing 1"},
            Ban("2001:db8:1:2::/64", "guessed passwords (sip-guessing)", 1.0, 60, 0),
            id="a network of IPv6",
        ),
        pytest.param(
            {"address": "203.0.113.7", "seconds": None, "packets": 0, "comment": ""},
            Ban("203.0.113.7", "by hand", None, None, 0),
            id="by hand",
        ),
        pytest.param(
            {"address": "203.0.113.7", "seconds": 5, "packets": 0, "comment": "rude to Bob"},
            Ban("203.0.113.7", "rude to Bob", None, 5, 0),
            id="by hand, with a reason",
        ),
    ],
)
def test_read_ban(member: dict[str, Any], expected: Ban) -> None:
    assert blocked.read_ban(member) == expected


SOURCES = [
    inventory_source([{"address": "203.0.113.0/28", "reason": "guessed passwords"}, "2001:db8::/32", 7]),
    plain_source("scanners.txt", "# scanners\n45.0.0.0/24\n203.0.113.9\n"),
]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        pytest.param("203.0.113.0/28", "pbx_blacklist: guessed passwords", id="as listed, with its reason"),
        pytest.param("2001:db8::/32", "pbx_blacklist", id="without reason"),
        pytest.param("45.0.0.0/24", "scanners.txt", id="a file"),
        pytest.param("192.0.2.1", "no longer listed: run playbooks/blacklist.yml", id="nobody lists it"),
    ],
)
def test_why(address: str, why: str) -> None:
    found = {"banned": [], "by_hand": [], "unheard": [], "strays": [], "listed": {"members": [[address, 5]]}}
    data = blocked.summarise(found, SOURCES)
    assert data["listed"] == [{"address": address, "why": why, "packets": 5}]
    counted = {one["name"]: one["packets"] for one in data["sources"]}
    assert counted == {name: 5 if why.startswith(name) else 0 for name in ("pbx_blacklist", "scanners.txt")}


def found(count: int, members: list[list[Any]], banned: int = 1) -> dict[str, Any]:
    """Return what a host tells."""
    bans = [
        {
            "address": f"203.0.113.{number}",
            "seconds": 3581,
            "packets": 12,
            "comment": "sip-guessing 1795468251",
        }
        for number in range(banned)
    ]
    return {
        "now": 1795468300.0,
        "loaded": 1795468200.0,
        "chain": True,
        "rules": {"sip-blacklist-v4": 30, "sip-banned-v4": 1200},
        "by_hand": [],
        "unheard": [],
        "strays": [],
        "listed": {"count": count, "packets": 30, "members": members},
        "banned": bans,
    }


def report(answer: dict[str, Any]) -> str:
    """Return the report on it."""
    return blocked.report("pbx", answer, blocked.summarise(answer, SOURCES))


def test_whose_audio_was_dropped_is_shown_with_the_remedy() -> None:
    sources = {"203.0.113.9": 7, "192.0.2.7": 9}
    unheard = [{"address": address, "packets": packets} for address, packets in sources.items()]
    text = report({**found(0, [], 0), "unheard": unheard})
    assert "belong into its media_networks, in pbx_trunks or pbx_extensions." in text
    assert text.index("192.0.2.7") < text.index("203.0.113.9"), "the loudest first"


def test_who_sent_strays_is_shown() -> None:
    strays = [{"address": "203.0.113.9", "packets": 40}]
    words = " ".join(report({**found(0, [], 0), "strays": strays}).split())
    assert "SIP from these is dropped for 10 minutes" in words
    assert "203.0.113.9 40" in words


def test_rules_made_by_hand_are_shown_with_the_command_that_takes_them_over() -> None:
    answer = {**found(0, []), "by_hand": [{"address": "203.0.113.9", "packets": 7, "only": "udp dpt:5060"}]}
    text = " ".join(report(answer).split())
    assert "Rules added to the chain by hand; they stay. source what packets" in text
    assert "203.0.113.9 udp dpt:5060 7" in text
    assert "playbooks/blacklist.yml -e block=203.0.113.9" in text


def test_report() -> None:
    assert report(found(2, [["45.0.0.0/24", 30], ["203.0.113.0/28", 0]])) == (
        "pbx: 2 networks listed, 1 banned; 1,230 packets dropped.\n"
        "\n"
        "banned       why                               since                 ends in  packets\n"
        "203.0.113.0  guessed passwords (sip-guessing)  2026-11-23 21:10 UTC  59 min        12\n"
        "\n"
        "The list, loaded 2026-11-23 21:10 UTC; packets are counted since:\n"
        "source         networks  packets\n"
        "pbx_blacklist  2               0\n"
        "scanners.txt   2              30\n"
        "\n"
        "listed          why                               packets\n"
        "45.0.0.0/24     scanners.txt                           30\n"
        "203.0.113.0/28  pbx_blacklist: guessed passwords        0"
    )


def test_of_a_long_list_only_those_with_packets_are_named() -> None:
    members = [[f"45.0.0.{number}", 0] for number in range(30)]
    assert report(found(100_000, members)).endswith("\n\n100,000 listed, without packets.")
    members[0][1] = 4
    text = report(found(100_000, members))
    assert "\n45.0.0.0  scanners.txt        4\n\n99,999 more listed, without packets." in text
    assert "45.0.0.1 " not in text


def test_of_many_hits_or_bans_the_first_are_named() -> None:
    text = report(found(30, [[f"45.0.0.{number}", 100 - number] for number in range(30)], banned=25))
    assert "10 more listed, with as many packets at most." in text
    assert "5 more banned, with as many packets at most." in text
    assert ("45.0.0.19 " in text, "45.0.0.20 " in text) == (True, False)


def test_nothing_blocked() -> None:
    assert report(found(0, [], banned=0)) == "pbx: 0 networks listed, 0 banned; 1,230 packets dropped."


def test_a_host_without_the_chain_is_named() -> None:
    answer = found(2, [], banned=0) | {"chain": False}
    assert "does not exist: nothing is blocked. Run playbooks/host.yml." in report(answer)


def test_a_source_that_cannot_be_read_is_a_warning(tmp_path: Any) -> None:
    (tmp_path / "good.txt").write_text("203.0.113.7\n")
    sources, warnings = read_sources(
        {
            "blacklist": [],
            "blacklist_files": [str(tmp_path / "good.txt"), str(tmp_path / "gone.txt")],
            "blacklist_urls": [{"url": "https://lists.example.org/sip.txt", "sha256": "none"}],
            "cache_dir": str(tmp_path),
        }
    )
    assert [source.count for source in sources] == [0, 1]
    assert [warning.split(": ")[0] for warning in warnings] == [
        str(tmp_path / "gone.txt"),
        "https://lists.example.org/sip.txt",
    ]
