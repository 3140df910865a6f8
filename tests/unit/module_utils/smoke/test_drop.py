"""The packets of the smoke checks' proof: where they go, what they look like, how they are counted."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import dpkt
import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.smoke import drop
from ansible_collections.callcenter.pbx.plugins.module_utils.smoke.drop import Way

HOST = [Way("the host", 4, 5060), Way("the host, IPv6", 6, 5060)]


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        pytest.param({}, HOST, id="nothing published"),
        pytest.param({"5060/tcp": ["0.0.0.0 5060"]}, HOST, id="no UDP"),
        pytest.param(
            {"10000/udp": ["0.0.0.0 10000"], "5060/udp": ["0.0.0.0 5060"]},
            [HOST[1], Way("published ports", 4, 5060)],
            id="SIP",
        ),
        pytest.param(
            {"5060/udp": ["198.51.100.10 5060", ":: 5060"]},
            [Way("published ports", 4, 5060, "198.51.100.10"), Way("published ports, IPv6", 6, 5060)],
            id="bound to an address, and IPv6",
        ),
        pytest.param({"5060/udp": []}, HOST, id="exposed only"),
    ],
)
def test_ways(ports: dict[str, list[str]], expected: list[Way]) -> None:
    assert drop.ways(ports, 5060) == expected


@pytest.mark.parametrize(
    ("source", "destination"), [("192.0.2.77", "192.0.2.254"), ("2001:db8:1:2::", "2001:db8:ffff:ffff::1")]
)
def test_a_packet_is_well_formed(source: str, destination: str) -> None:
    raw = drop.udp_packet(source, destination, 5060)
    packet = dpkt.ip6.IP6(raw) if ":" in source else dpkt.ip.IP(raw)
    datagram = packet.data
    assert (dpkt.utils.inet_to_str(packet.src), dpkt.utils.inet_to_str(packet.dst)) == (source, destination)
    assert (datagram.dport, datagram.data) == (5060, b"\r\n\r\n")
    # Built anew by another hand, the packet is the same one: all checksums are right.
    checksum = datagram.sum
    datagram.sum = packet.sum = 0
    if ":" in source:
        head = packet.src + packet.dst + struct.pack("!IxxxB", len(bytes(datagram)), 17)
        assert dpkt.in_cksum(head + bytes(datagram)) == checksum
    else:
        assert bytes(packet) == raw


def test_two_runs_at_once_use_other_senders() -> None:
    senders = {drop._sender(version, 1) for version in (4, 6) for _ in range(50)}
    assert len(senders) > 20


def test_counters() -> None:
    text = (
        "create sip-banned-v4 hash:ip family inet hashsize 1024 maxelem 65536 timeout 3600 counters comment\n"
        'add sip-banned-v4 192.0.2.77 timeout 9 packets 3 bytes 96 comment "smoke"\n'
        'add sip-banned-v4 203.0.113.7 timeout 9 packets 120 bytes 96 comment "sip-guessing 1795468251"\n'
    )
    assert drop.counters(text) == {"192.0.2.77": 3, "203.0.113.7": 120}


def test_senders_that_are_listed_are_counted_by_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = {
        "sip-blacklist-v4": "add sip-blacklist-v4 192.0.2.0/24 packets 6 bytes 96\n"
        "add sip-blacklist-v4 203.0.113.7 packets 0 bytes 0\n",
        "sip-blacklist-v6": "add sip-blacklist-v6 2001:db8::/32 packets 3 bytes 96\n",
    }
    monkeypatch.setattr(drop, "_run", lambda *argv: saved[argv[2]])
    assert drop._listed_packets({"192.0.2.77", "192.0.2.120", "2001:db8:1:2::"}) == {
        "192.0.2.77": 3,
        "192.0.2.120": 3,
        "2001:db8:1:2::": 3,
    }
    assert drop._listed_packets(()) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", False, id="none"),
        pytest.param("00000000000000000000000000000001 01 80 10 80       lo\n", False, id="loopback"),
        pytest.param("fe800000000000000042c6fffe12000a 12 40 20 80     eth1\n", False, id="link-local"),
        pytest.param("20010002000000000000000000000010 12 40 00 82     eth1\n", True, id="global"),
    ],
)
def test_speaks_ipv6(text: str, expected: bool) -> None:
    assert drop.speaks_ipv6(text) is expected


@pytest.mark.parametrize(
    ("flags", "name", "expected"),
    [("82", "callcenter0", True), ("c2", "callcenter0", False), ("82", "eth1", False)],
    ids=["settled", "tentative", "another-interface"],
)
def test_takes_ipv6(flags: str, name: str, expected: bool) -> None:
    own = ip_address(drop._OUR_END[6]).exploded.replace(":", "")
    assert drop.takes_ipv6(f"{own} 12 40 00 {flags} {name}\n", "callcenter0") is expected


def test_a_machine_on_which_nothing_can_be_sent_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise drop.Untried("there is no /dev/net/tun (Operation not permitted)")

    monkeypatch.setattr(drop, "_open_device", refuse)
    assert drop.prove({}, 5060) == {
        "error": "there is no /dev/net/tun (Operation not permitted)",
        "ways": [],
    }
