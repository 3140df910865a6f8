"""What is cut of a newly listed source: whose tracked connections, and whose calls."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import conntrack
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import cut as firewall_cut
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.plain_list import Index, parse_plain

GROUPS = """Channel                    Group                 Category            
PJSIP/100-00000000         all                   call                
PJSIP/100-00000000         203.0.113.7:5071      source              
PJSIP/101-00000001         sip:101               203.0.113.9:5070@source
PJSIP/twilio-na-us-00000002  198.51.100.1:5060     source              
PJSIP/102-00000003         [2001:db8::7]:5060    source              
PJSIP/103-00000004         sip:phone.example.com:5060  source              
PJSIP/104-00000005         sip:203.0.113.10:5060  source              
PJSIP/105-00000006                               source              
9 active channels
"""


def test_read_sources() -> None:
    assert firewall_cut.read_sources(GROUPS) == {
        "PJSIP/100-00000000": "203.0.113.7:5071",
        "PJSIP/101-00000001": "203.0.113.9:5070",
        "PJSIP/twilio-na-us-00000002": "198.51.100.1:5060",
        "PJSIP/102-00000003": "[2001:db8::7]:5060",
        "PJSIP/103-00000004": "sip:phone.example.com:5060",
        "PJSIP/104-00000005": "sip:203.0.113.10:5060",
        "PJSIP/105-00000006": "",
    }


@pytest.mark.parametrize(
    ("listed", "channels"),
    [
        pytest.param(["203.0.113.7"], ["PJSIP/100-00000000"], id="the caller"),
        pytest.param(["203.0.113.9"], ["PJSIP/101-00000001"], id="the one who was called"),
        pytest.param(["2001:db8::/32"], ["PJSIP/102-00000003"], id="IPv6"),
        pytest.param(
            ["203.0.113.0/28"],
            ["PJSIP/100-00000000", "PJSIP/101-00000001", "PJSIP/104-00000005"],
            id="a network",
        ),
        pytest.param(["192.0.2.7"], [], id="nobody"),
    ],
)
def test_channels_of_listed_sources(listed: list[str], channels: list[str]) -> None:
    sources = firewall_cut.read_sources(GROUPS)
    assert firewall_cut.channels_of(sources, Index(parse_plain("\n".join(listed)).keys)) == channels


def test_nothing_is_asked_where_nothing_is_newly_listed() -> None:
    assert firewall_cut.cut({4: [], 6: []}, "no-such-container") == firewall_cut.Cut(0, 0, ())


def attribute(kind: int, value: bytes, nested: bool = False) -> bytes:
    """One netlink attribute, padded."""
    header = struct.pack("=HH", 4 + len(value), kind | (0x8000 if nested else 0))
    return header + value + bytes(-len(value) % 4)


def addresses(kind: int, source: str, destination: str) -> bytes:
    """The tuple of one direction of a connection."""
    packed = [ipaddress.ip_address(text).packed for text in (source, destination)]
    first = 1 if len(packed[0]) == 4 else 3
    inner = attribute(first, packed[0]) + attribute(first + 1, packed[1])
    ports = attribute(1, b"\x11") + attribute(2, b"\x0f\xa0") + attribute(3, b"\x27\x10")
    return attribute(kind, attribute(1, inner, True) + attribute(2, ports, True), True)


def entry(source: str, destination: str, behind: str) -> bytes:
    """A tracked connection as the kernel dumps it: to a published port, and on to a container."""
    return (
        struct.pack("=BBH", 2, 0, 0)
        + addresses(1, source, destination)
        + addresses(2, behind, source)
        + attribute(3, b"\0\0\0\x08")
        + attribute(12, b"\x01\x02\x03\x04")
    )


def test_read_flow_names_the_original_direction_and_the_id() -> None:
    flow = conntrack.read_flow(entry("203.0.113.7", "198.51.100.1", "172.17.0.2"), 4)
    texts = {str(ipaddress.ip_address(address)) for address in flow.addresses}
    assert texts == {"203.0.113.7", "198.51.100.1", "172.17.0.2"}
    assert flow.name == addresses(1, "203.0.113.7", "198.51.100.1") + attribute(12, b"\x01\x02\x03\x04")


@pytest.mark.parametrize(
    ("flow", "is_cut"),
    [
        pytest.param(("203.0.113.7", "198.51.100.1", "172.17.0.2"), True, id="from a listed source"),
        pytest.param(("172.17.0.2", "203.0.113.7", "203.0.113.7"), True, id="to a listed source"),
        pytest.param(("203.0.113.8", "198.51.100.1", "172.17.0.2"), False, id="of somebody else"),
    ],
)
def test_which_flows_are_cut(flow: tuple[str, str, str], is_cut: bool) -> None:
    listed = Index(parse_plain("203.0.113.7\n203.0.113.9\n2001:db8::/32").keys)
    assert firewall_cut._touches(conntrack.read_flow(entry(*flow), 4), listed) is is_cut


def test_messages_of_one_read_are_split() -> None:
    one, two = conntrack.message(257, 1, 2, b"abcd"), conntrack.message(3, 2, 10)
    assert list(conntrack.messages(one + two)) == [(257, b"\2\0\0\0abcd"), (3, b"\n\0\0\0")]


@pytest.mark.parametrize(("number", "error"), [(0, 0), (-2, 2), (-1, 1)])
def test_acknowledged(number: int, error: int) -> None:
    assert conntrack.acknowledged(struct.pack("=IHHIIi", 36, 2, 0, 0, 0, number)) == error
