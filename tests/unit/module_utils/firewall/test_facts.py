"""What a host says about itself, in the words of its tools."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import facts
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.rules import Ports
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import Protected


def spelled(protected: tuple[Protected, ...]) -> list[tuple[str, str]]:
    """Return (name, network) pairs."""
    return [(one.name, str(one.network)) for one in protected]


def test_docker_networks_with_their_gateways() -> None:
    networks = [
        {"Name": "bridge", "IPAM": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]}},
        {"Name": "host", "IPAM": {"Config": []}},
        {"Name": "none", "IPAM": {"Config": None}},
        {"Name": "dual", "IPAM": {"Config": [{"Subnet": "172.20.0.0/16"}, {"Subnet": "fd00:1::/64"}]}},
    ]
    assert spelled(facts.docker_networks(networks)) == [
        ("Docker network bridge", "172.17.0.0/16"),
        ("Docker network bridge", "172.17.0.1"),
        ("Docker network dual", "172.20.0.0/16"),
        ("Docker network dual", "fd00:1::/64"),
    ]


def test_own_addresses_and_whole_docker_bridges() -> None:
    text = """[{"ifname":"eth0","addr_info":[{"local":"192.0.2.10","prefixlen":24},
               {"local":"fe80::1","prefixlen":64}]},{},
              {"ifname":"br-0123456789ab","addr_info":[{"local":"172.20.0.1","prefixlen":16}]},
              {"ifname":"docker0","addr_info":[{"local":"172.17.0.1","prefixlen":16}]},
              {"ifname":"br-lan","addr_info":[{"local":"10.0.0.1","prefixlen":24}]}]"""
    assert spelled(facts.own_addresses(text)) == [
        ("this host, eth0", "192.0.2.10"),
        ("this host, eth0", "fe80::1"),
        ("Docker bridge br-0123456789ab", "172.20.0.0/16"),
        ("Docker bridge docker0", "172.17.0.0/16"),
        ("this host, br-lan", "10.0.0.1"),
    ]


@pytest.mark.parametrize(
    ("text", "gateways", "device"),
    [
        pytest.param("", [], None, id="no route"),
        pytest.param("[ ]", [], None, id="empty list"),
        pytest.param(
            '[{"dst":"default","gateway":"192.0.2.1","dev":"eth0"}]',
            [("default gateway", "192.0.2.1")],
            "eth0",
            id="router",
        ),
        pytest.param('[{"dst":"default","dev":"ppp0","scope":"link"}]', [], "ppp0", id="no router"),
    ],
)
def test_default_route(text: str, gateways: list[tuple[str, str]], device: str | None) -> None:
    assert spelled(facts.default_gateways(text)) == gateways
    assert facts.default_device(text) == device


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param(b"A=b\0SSH_CONNECTION=192.0.2.5 51022 198.51.100.1 22\0", "192.0.2.5", id="IPv4"),
        pytest.param(b"SSH_CONNECTION=fe80::5%eth0 51022 fe80::1%eth0 22\0", "fe80::5", id="with a zone"),
        pytest.param(b"SUDO_USER=deploy\0XSSH_CONNECTION=192.0.2.5 1\0", None, id="dropped by sudo"),
        pytest.param(b"", None, id="kernel thread"),
    ],
)
def test_ssh_source(environ: bytes, expected: str | None) -> None:
    assert facts.ssh_source(environ) == expected


def test_parent_of_a_process_with_an_awkward_name() -> None:
    assert facts.parent_of("812 (a) b (c) S 411 812 812 0 -1") == 411


def test_read_protected_names_the_faulty_item() -> None:
    read = facts.read_protected([{"name": "carrier", "network": "192.0.2.0/30"}])
    assert spelled(read) == [("carrier", "192.0.2.0/30")]
    with pytest.raises(ValueError, match=r"^carrier two: '192\.0\.2\.0/99' is neither"):
        facts.read_protected([{"name": "carrier two", "network": "192.0.2.0/99"}])


def test_firewalld_ports_as_its_files_spell_them() -> None:
    zone = """<?xml version="1.0" encoding="utf-8"?>
<zone><short>Public</short><service name="ssh"/><port port="5060" protocol="udp"/>
<port port="5060" protocol="tcp"/><port port="10000-10100" protocol="udp"/></zone>"""
    wanted = facts.firewalld_ports(Ports(5060, 10000, 10100))
    assert facts.zone_file_ports(zone) == frozenset(wanted)
    assert facts.zone_file_ports("") == frozenset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{"type":"s","data":["public"]}', "public", id="text"),
        pytest.param('{"type":"aas","data":[[["5060","udp"]]]}', [["5060", "udp"]], id="ports"),
        pytest.param('{"type":"","data":[]}', None, id="nothing"),
        pytest.param("", None, id="no bus"),
    ],
)
def test_bus_reply(text: str, expected: object) -> None:
    assert facts.bus_reply(text) == expected


@pytest.mark.parametrize("text", ["127.0.0.0/8", "::1", "fe80::/10", "0.0.0.0", "::"])
def test_what_is_always_protected(text: str) -> None:
    assert text in [str(one.network) for one in facts.ALWAYS_PROTECTED]
