"""Long block lists: what a plain list means, and that the fast way says what `ipaddress` says."""

from __future__ import annotations

import ipaddress
import random

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.networks import plain_list
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import (
    Protected,
    parse_network,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.plain_list import (
    Fault,
    Index,
    parse_plain,
)


def spelled(text: str) -> list[str]:
    """The networks of a plain list, IPv4 first."""
    groups = plain_list.spell(parse_plain(text).keys)
    return [*groups[4], *groups[6]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("203.0.113.7\n", ["203.0.113.7"], id="address"),
        pytest.param("203.0.113.7", ["203.0.113.7"], id="no line end"),
        pytest.param("203.0.113.7\r\n\r\n203.0.113.9\r\n", ["203.0.113.7", "203.0.113.9"], id="CRLF"),
        pytest.param("# a\n; b\n  # c\n\n203.0.113.7", ["203.0.113.7"], id="comments and blank lines"),
        pytest.param(
            "203.0.113.7 # scanner\n203.0.113.0/29 ; SBL1\n203.0.113.9;x\n2001:db8::/32\t# y",
            ["203.0.113.0/29", "203.0.113.9", "2001:db8::/32"],
            id="trailing comments",
        ),
        pytest.param("\ufeff203.0.113.7", ["203.0.113.7"], id="byte order mark"),
        pytest.param("  203.0.113.7\t\n", ["203.0.113.7"], id="surrounding space"),
        pytest.param("203.0.113.7/24", ["203.0.113.0/24"], id="host bits"),
        pytest.param("203.0.113.0/255.255.255.0", ["203.0.113.0/24"], id="netmask"),
        pytest.param("203.0.113.7/32\n2001:DB8::1/128", ["203.0.113.7", "2001:db8::1"], id="single hosts"),
        pytest.param("::ffff:203.0.113.7\n::ffff:0:0/95", ["203.0.113.7", "::fffe:0:0/95"], id="mapped"),
        pytest.param(
            "203.0.113.9\n203.0.113.7\n203.0.113.9\n203.0.113.8/31",
            ["203.0.113.7", "203.0.113.8/31"],
            id="sorted, repeated, within another",
        ),
        pytest.param(
            "203.0.113.0/25\n203.0.113.128/25", ["203.0.113.0/25", "203.0.113.128/25"], id="neighbours"
        ),
    ],
)
def test_what_a_plain_list_means(text: str, expected: list[str]) -> None:
    plain = parse_plain(text)
    assert (spelled(text), plain.faults) == (expected, ())


@pytest.mark.parametrize(
    "line",
    [
        "203.0.113",
        "203.0.113.256",
        "203.0.113.0/33",
        "203.0.113.0/-1",
        "203.0.113.01",
        "203.0.113.7/",
        "203.0.113.0/255.0.255.0",
        "2001:db8::/129",
        "2001:db8::/ffff:ffff::",
        "203.0.113.1 - 203.0.113.9",
        "203.0.113.1,203.0.113.2",
        "fe80::1%eth0",
        "sip.example.com",
        "<html>",
        "203.0.113.7\0",
        "1",
    ],
)
def test_a_line_that_means_nothing_is_skipped_with_its_number(line: str) -> None:
    plain = parse_plain(f"# list\n203.0.113.7\n{line}\n203.0.113.9\n")
    assert plain.faults == (Fault(3, line),)
    assert plain.entries == 2


def test_the_fast_way_reads_and_merges_as_the_standard_library_does() -> None:
    chance = random.Random(7)

    def some_network() -> str:
        if chance.random() < 0.3:
            parts = [chance.randrange(4), chance.randrange(4), chance.randrange(16)]
            address = "2001:db8:{:x}:{:x}::{:x}".format(*parts)
            return f"{address}/{chance.choice([44, 60, 64, 126, 128])}"
        address = f"11.{chance.randrange(3)}.{chance.randrange(8)}.{chance.randrange(256)}"
        return address if chance.random() < 0.5 else f"{address}/{chance.randrange(8, 33)}"

    for _ in range(50):
        texts = [some_network() for _ in range(chance.randrange(1, 200))]
        networks = {ipaddress.ip_network(text, strict=False) for text in texts}
        widest = [
            network
            for network in networks
            if not any(
                other != network and network.overlaps(other) and other.prefixlen <= network.prefixlen
                for other in networks
            )
        ]
        ordered = sorted(widest, key=lambda network: (network.version, int(network.network_address)))
        expected = [
            str(one.network_address) if one.prefixlen == one.max_prefixlen else str(one) for one in ordered
        ]
        assert spelled("\n".join(texts)) == expected


@pytest.mark.parametrize(
    ("good", "bad", "is_garbage"),
    [
        pytest.param(0, 5, False, id="few lines"),
        pytest.param(0, 6, True, id="nothing but garbage"),
        pytest.param(12, 6, False, id="a third"),
        pytest.param(11, 6, True, id="more than a third"),
        pytest.param(1000, 400, False, id="a long list with many faults"),
    ],
)
def test_mostly_garbage(good: int, bad: int, is_garbage: bool) -> None:
    lines = [f"203.0.{number // 256}.{number % 256}" for number in range(good)] + ["nonsense"] * bad
    assert parse_plain("# comment\n\n" + "\n".join(lines)).is_mostly_garbage is is_garbage


def test_reading_ends_after_very_many_faults() -> None:
    plain = parse_plain("203.0.113.7\n" + "nonsense\n" * 20_000 + "203.0.113.9")
    assert (plain.entries, len(plain.faults), plain.is_cut, plain.is_mostly_garbage) == (
        1,
        10_001,
        True,
        True,
    )


def test_a_long_list_is_read_to_its_end_with_the_right_numbers() -> None:
    lines = [f"2001:db8::{number >> 8:x}:{number & 255:x}" for number in range(100_000)]
    lines[::1000] = [""] * 100
    plain = parse_plain("\r\n".join([*lines, "x", "203.0.113.7"]))
    assert plain.entries == 99_901
    assert plain.faults == (Fault(100_001, "x"),)


@pytest.mark.parametrize(
    ("text", "wide"),
    [
        ("8.0.0.0/7", ["8.0.0.0/7"]),
        ("8.0.0.0/8\n9.0.0.0/8", []),
        ("0.0.0.0/0\n10.0.0.0/8", ["0.0.0.0/0"]),
        ("224.0.0.0/3", []),
        ("192.0.0.0/2", ["192.0.0.0/2"]),
        ("::ffff:0:0/96", ["0.0.0.0/0"]),
        ("2000::/15\n2002::/16", ["2000::/15"]),
        ("fc00::/7\nfe80::/10", []),
        ("::/0\n8.0.0.0/6", ["8.0.0.0/6", "::/0"]),
    ],
)
def test_networks_wider_than_anybody_holds(text: str, wide: list[str]) -> None:
    assert [str(network) for network in plain_list.too_wide(parse_plain(text).keys)] == wide


def test_index_agrees_with_the_standard_library() -> None:
    chance = random.Random(9)
    texts = [
        f"11.0.{chance.randrange(16)}.{chance.randrange(256)}/{chance.randrange(24, 33)}" for _ in range(200)
    ]
    keys = parse_plain("\n".join(texts)).keys
    merged = [ipaddress.ip_network(text) for text in plain_list.spell(keys)[4]]
    index = Index(keys)
    for _ in range(300):
        asked = ipaddress.ip_network(
            f"11.0.{chance.randrange(16)}.{chance.randrange(256)}/{chance.randrange(16, 33)}", strict=False
        )
        found = index.overlapping(parse_network(str(asked))[0])
        expected = [network for network in merged if network.overlaps(asked)]
        assert plain_list.spell({4: found})[4] == [str(one).removesuffix("/32") for one in expected]


def protected(name: str, text: str) -> Protected:
    return Protected(name, parse_network(text)[0])


def test_entries_that_would_block_something_protected_are_left_out() -> None:
    keys = parse_plain("203.0.113.0/24\n198.51.100.2\n198.51.100.8\n2001:db8::1\n2001:db9::1").keys
    kept, left_out = plain_list.leave_out(
        keys,
        [
            protected("carrier", "198.51.100.0/30"),
            protected("office", "203.0.113.9"),
            protected("home", "2001:db8::/32"),
        ],
    )
    assert plain_list.spell(kept) == {4: ["198.51.100.8"], 6: ["2001:db9::1"]}
    assert [(str(network), guard.name) for network, guard in left_out] == [
        ("198.51.100.2", "carrier"),
        ("203.0.113.0/24", "office"),
        ("2001:db8::1", "home"),
    ]
    assert plain_list.describe_left_out("drop.txt", left_out, shown=2) == (
        "drop.txt: 3 entries overlap what must never be blocked, left out: "
        "198.51.100.2 (carrier 198.51.100.0/30), 203.0.113.0/24 (office 203.0.113.9) and 1 more"
    )


@pytest.mark.parametrize(
    "text",
    [
        "10.9.8.7",
        "100.100.1.1",
        "169.254.1.1",
        "172.20.0.0/24",
        "192.168.1.0/24",
        "224.0.0.1",
        "255.255.255.255",
        "fd00::1",
        "fe80::1",
        "ff02::1",
        "::1",
        "0.0.0.0/0",
        "::/0",
    ],
)
def test_reserved_networks(text: str) -> None:
    assert plain_list.leave_out(parse_plain(text).keys, plain_list.RESERVED)[1]


@pytest.mark.parametrize(
    "text", ["203.0.113.7", "198.18.99.9", "11.0.0.0/8", "172.32.0.0/16", "2001:db8::/32", "223.255.255.255"]
)
def test_networks_that_are_not_reserved(text: str) -> None:
    assert plain_list.leave_out(parse_plain(text).keys, plain_list.RESERVED)[1] == ()


def test_faults_are_described_with_file_line_and_text() -> None:
    faults = [Fault(number, "spam") for number in (2, 4, 5, 6, 9)]
    assert plain_list.describe_faults("drop.txt", faults) == (
        "no address or network, skipped: drop.txt:2: 'spam', drop.txt:4: 'spam', "
        "drop.txt:5: 'spam'; and 2 more, lines 6, 9"
    )
    assert plain_list.describe_faults("drop.txt", faults[1:4], shown=1) == (
        "no address or network, skipped: drop.txt:4: 'spam'; and 2 more, lines 5-6"
    )


def test_what_is_packed_comes_out_again_and_is_short() -> None:
    content = {"sources": [{"name": "a", "networks": "\n".join(f"203.0.113.{n}" for n in range(256))}]}
    packed = plain_list.pack(content)
    assert plain_list.unpack(packed) == content
    assert len(packed) < 1500
