"""The address table is sound, and no real carrier is in it."""

from __future__ import annotations

import ipaddress

import pytest

from lab.hosts import HOSTS, NAMES, NETWORKS, POP_ASHBURN, SIP_NETWORK, TERMINATION_HOST, Host, host

LAB_RANGE = ipaddress.IPv4Network("198.18.0.0/15")
LAB_RANGE_6 = ipaddress.IPv6Network("2001:2::/48")


@pytest.mark.parametrize("item", HOSTS, ids=lambda item: item.name)
def test_host_has_an_address_of_its_own_on_the_sip_network(item: Host) -> None:
    assert ipaddress.ip_address(item.address) in ipaddress.ip_network(SIP_NETWORK.subnet)
    assert item.address != SIP_NETWORK.gateway
    assert [other.name for other in HOSTS if other.address == item.address] == [item.name]


@pytest.mark.parametrize("item", HOSTS, ids=lambda item: item.name)
def test_host_has_an_address_of_its_own_by_ipv6(item: Host) -> None:
    assert ipaddress.ip_address(item.address6) in ipaddress.ip_network(SIP_NETWORK.subnet6)
    assert [other.name for other in HOSTS if other.address6 == item.address6] == [item.name]


def test_networks_are_benchmark_addresses_and_apart() -> None:
    subnets = [ipaddress.IPv4Network(network.subnet) for network in NETWORKS]
    assert all(subnet.subnet_of(LAB_RANGE) for subnet in subnets)
    six = [ipaddress.IPv6Network(network.subnet6) for network in NETWORKS if network.subnet6]
    assert all(subnet.subnet_of(LAB_RANGE_6) for subnet in six)
    assert not subnets[0].overlaps(subnets[1])


def test_only_the_packages_network_leaves_the_machine() -> None:
    assert [network.name for network in NETWORKS if not network.internal] == ["lab-packages"]


def test_dns_answers_the_termination_host_and_forwards_nothing() -> None:
    command = POP_ASHBURN.command[-1]
    assert f"echo {POP_ASHBURN.address} {TERMINATION_HOST} > {NAMES} && exec dnsmasq " in command
    assert f" --local=/{TERMINATION_HOST}/ --addn-hosts={NAMES} " in command
    assert "--no-resolv" in command
    assert "--server" not in command


def test_host_is_found_by_name() -> None:
    assert host("lab-pop-ashburn") is POP_ASHBURN
    with pytest.raises(KeyError):
        host("lab-nobody")
