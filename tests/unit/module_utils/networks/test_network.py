"""What a block list means, and what it must never contain."""

from __future__ import annotations

import ipaddress
import random

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import (
    Entry,
    Protected,
    drop_covered,
    find_conflicts,
    parse_network,
    read_block_list,
)


@pytest.mark.parametrize(
    ("text", "normal", "note"),
    [
        pytest.param("192.0.2.7", "192.0.2.7", None, id="address"),
        pytest.param(" 192.0.2.7\n", "192.0.2.7", None, id="surrounding space"),
        pytest.param("192.0.2.7/32", "192.0.2.7", None, id="address as network"),
        pytest.param("192.0.2.0/24", "192.0.2.0/24", None, id="network"),
        pytest.param("192.0.2.0/255.255.255.0", "192.0.2.0/24", None, id="netmask"),
        pytest.param("2001:DB8:0::1", "2001:db8::1", None, id="IPv6"),
        pytest.param("2001:db8::/32", "2001:db8::/32", None, id="IPv6 network"),
        pytest.param(
            "192.0.2.7/24",
            "192.0.2.0/24",
            "192.0.2.7/24 has host bits set; taken as 192.0.2.0/24",
            id="host bits",
        ),
        pytest.param(
            "::ffff:192.0.2.7",
            "192.0.2.7",
            "::ffff:192.0.2.7 is an IPv4 address written as IPv6; taken as 192.0.2.7",
            id="mapped",
        ),
        pytest.param(
            "::ffff:192.0.2.0/120",
            "192.0.2.0/24",
            "::ffff:192.0.2.0/120 is an IPv4 address written as IPv6; taken as 192.0.2.0/24",
            id="mapped network",
        ),
    ],
)
def test_parse_network(text: str, normal: str, note: str | None) -> None:
    network, said = parse_network(text)
    assert (str(network), said) == (normal, note)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.0/33",
        "sip.example.com",
        "192.0.2.1-192.0.2.9",
        "fe80::1%eth0",
        "1",
    ],
)
def test_parse_network_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_network(text)


def test_read_block_list_reports_every_fault_with_its_place() -> None:
    block_list = read_block_list(
        [
            "192.0.2.7",
            {"address": "2001:db8::/32", "reason": "scanner"},
            "nonsense",
            7,
            {"reason": "why"},
            "10.0.0.9/8",
        ]
    )
    assert [(entry.position, str(entry.network)) for entry in block_list.entries] == [
        (1, "192.0.2.7"),
        (2, "2001:db8::/32"),
        (6, "10.0.0.0/8"),
    ]
    assert block_list.faults == (
        "entry 3: 'nonsense' is neither an address nor a network such as 192.0.2.7 or 2001:db8::/32",
        "entry 4: 7 has no address",
        "entry 5: {'reason': 'why'} has no address",
    )
    assert block_list.notes == ("entry 6: 10.0.0.9/8 has host bits set; taken as 10.0.0.0/8",)


def protected(name: str, text: str) -> Protected:
    return Protected(name, parse_network(text)[0])


CARRIER = protected("carrier ashburn", "198.51.100.0/30")
LOOPBACK = protected("loopback", "127.0.0.0/8")
WIDE = protected("office", "198.51.0.0/16")


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        pytest.param(["203.0.113.5", "2001:db8::1"], [], id="none"),
        pytest.param(["198.51.100.2"], [(1, "carrier ashburn"), (1, "office")], id="inside two"),
        pytest.param(["198.51.100.4"], [(1, "office")], id="just behind the carrier"),
        pytest.param(["192.0.0.0/3"], [(1, "carrier ashburn"), (1, "office")], id="around them"),
        pytest.param(
            ["0.0.0.0/0"], [(1, "carrier ashburn"), (1, "loopback"), (1, "office")], id="everything"
        ),
        pytest.param(["203.0.113.5", "::ffff:127.0.0.1"], [(2, "loopback")], id="hidden in IPv6"),
    ],
)
def test_find_conflicts(items: list[str], expected: list[tuple[int, str]]) -> None:
    found = find_conflicts(read_block_list(items).entries, [CARRIER, LOOPBACK, WIDE])
    assert [(conflict.entry.position, conflict.protected.name) for conflict in found] == expected


def test_drop_covered_keeps_the_widest_and_the_first() -> None:
    gateway = protected("gateway", "198.51.100.1")
    again = protected("loopback again", "127.0.0.0/8")
    v6 = protected("IPv6 loopback", "::1")
    assert drop_covered([gateway, CARRIER, WIDE, LOOPBACK, again, v6]) == (WIDE, LOOPBACK, v6)


def test_conflict_names_both() -> None:
    (conflict,) = find_conflicts(read_block_list(["198.51.100.9/24"]).entries, [CARRIER])
    assert str(conflict) == "entry 1, 198.51.100.9/24, overlaps 198.51.100.0/30 (carrier ashburn)"


def test_conflicts_agree_with_the_standard_library() -> None:
    chance = random.Random(4)

    def some_network() -> str:
        third = chance.randrange(256)
        return f"{chance.choice([10, 11])}.{chance.randrange(4)}.{third}.0/{chance.randrange(8, 33)}"

    entries = [
        Entry(number, text, parse_network(text)[0])
        for number, text in enumerate(some_network() for _ in range(300))
    ]
    guards = [protected(str(number), some_network()) for number in range(20)]
    expected = {
        (entry.position, guard.name)
        for entry in entries
        for guard in guards
        if ipaddress.ip_network(str(entry.network)).overlaps(ipaddress.ip_network(str(guard.network)))
    }
    assert {
        (found.entry.position, found.protected.name) for found in find_conflicts(entries, guards)
    } == expected
