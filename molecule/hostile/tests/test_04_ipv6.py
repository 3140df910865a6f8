"""IPv6: listed and banned sources reach neither the host nor what Docker puts behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.driver.attacks import knock
from lab.driver.machine import Machine
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed
from lab.hosts import PBX

SUBNET = "2001:2:0:1::/64"
BEHIND = "2001:2:0:1::100"
NAME = "callcenter-six"


@pytest.fixture(scope="module")
def destinations(lab: Parties) -> Iterator[dict[str, tuple[str, int, str]]]:
    """Address and port on the host and in a container of its, and what whoever may reach them hears."""
    server, askers = lab.server, (lab.scanner.machine, lab.phone_100.machine)
    server.run(["docker", "network", "create", "--ipv6", "--subnet", SUBNET, NAME])
    image = server.run(["docker", "inspect", "-f", "{{.Config.Image}}", "callcenter-asterisk"]).strip()
    options = ["--rm", "-d", "--name", NAME, "--network", NAME, "--ip6", BEHIND, "--entrypoint", "sleep"]
    server.run(["docker", "run", *options, image, "600"])
    for machine in askers:
        machine.run(["ip", "-6", "route", "replace", SUBNET, "via", PBX.address6])
    # A new address is tried first: for a second or two nobody may use it.
    lab.server.wait_until(lambda: knock(askers[0], BEHIND, 5060) == "refused", f"an answer of {BEHIND}")
    yield {
        "SSH": (PBX.address6, 22, "open"),
        "SIP": (PBX.address6, 5060, "refused"),
        "a container": (BEHIND, 5060, "refused"),
    }
    for machine in askers:
        machine.run(["ip", "-6", "route", "del", SUBNET])
    server.run(["docker", "rm", "-f", NAME])
    server.run(["docker", "network", "rm", NAME])


@pytest.fixture(params=["listed", "banned"])
def blocked(request: pytest.FixtureRequest, lab: Parties) -> Iterator[Machine]:
    """The scanner, blocked one way or the other."""
    machine = lab.scanner.machine
    address = machine.host.address6
    if request.param == "listed":
        with redeployed("playbooks/blacklist.yml", {"pbx_blacklist": [address]}):
            yield machine
    else:
        lab.server.run(["fail2ban-client", "set", "sip-guessing", "banip", address])
        # Of IPv6 the whole /64 is banned.
        lab.server.wait_until(lambda: "2001:2::" in lab.server.banned(), "the ban")
        yield machine
        lab.server.run(["fail2ban-client", "unban", address])


@pytest.mark.parametrize("where", ["SSH", "SIP", "a container"])
def test_unlisted_source_is_answered(
    lab: Parties, destinations: dict[str, tuple[str, int, str]], where: str
) -> None:
    address, port, answer = destinations[where]
    for machine in (lab.scanner.machine, lab.phone_100.machine):
        assert knock(machine, address, port) == answer


@pytest.mark.parametrize(
    ("blocked", "where"),
    [
        ("listed", "SSH"),
        ("listed", "SIP"),
        ("listed", "a container"),
        ("banned", "SIP"),
        ("banned", "a container"),
    ],
    indirect=["blocked"],
)
def test_blocked_source_hears_nothing(
    blocked: Machine, destinations: dict[str, tuple[str, int, str]], where: str
) -> None:
    address, port, _ = destinations[where]
    assert knock(blocked, address, port) == "silence"


@pytest.mark.parametrize("blocked", ["banned"], indirect=True)
def test_a_ban_binds_sip_alone(blocked: Machine, destinations: dict[str, tuple[str, int, str]]) -> None:
    address, port, answer = destinations["SSH"]
    assert knock(blocked, address, port) == answer


@pytest.mark.parametrize("blocked", ["listed"], indirect=True)
def test_neighbour_of_a_listed_source_is_answered(
    lab: Parties, blocked: Machine, destinations: dict[str, tuple[str, int, str]]
) -> None:
    for address, port, answer in destinations.values():
        assert knock(lab.phone_100.machine, address, port) == answer
