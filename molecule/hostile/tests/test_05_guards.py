"""A host with a firewall of its own: its ports are opened, and the bans bind whatever it does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.driver.agents import Pbx
from lab.driver.capture import record
from lab.driver.parties import Parties
from lab.driver.playbook import deploy, redeployed, run_playbook
from lab.driver.scanner import Scanner
from lab.driver.server import CONTAINER

DID = "+19863334949"


@dataclass(frozen=True)
class Guard:
    """A firewall program: how it is switched on by whoever wants to keep SSH, reloaded, and switched off."""

    package: str
    on: str
    reloads: tuple[str, ...]
    off: str


UFW = Guard(
    "ufw",
    "ufw allow 22/tcp && ufw --force enable",
    ("ufw reload", "systemctl restart ufw"),
    "ufw disable",
)
FIREWALLD = Guard(
    "firewalld",
    "systemctl enable --now firewalld && firewall-cmd --state",
    ("firewall-cmd --reload", "firewall-cmd --complete-reload", "systemctl restart firewalld"),
    "systemctl disable --now firewalld",
)


@pytest.fixture(scope="module", params=[UFW, FIREWALLD], ids=lambda guard: guard.package)
def guard(request: pytest.FixtureRequest, lab: Parties, limits: dict[str, int]) -> Iterator[Guard]:
    """The program guards the server, and the playbook has come by; the scanner is listed."""
    one: Guard = request.param
    apt = "DEBIAN_FRONTEND=noninteractive apt-get -qq"
    lab.server.run(
        ["sh", "-c", f"{apt} update && {apt} install --no-install-recommends -y {one.package}"], 600
    )
    lab.server.run(["sh", "-c", one.on])
    with redeployed("playbooks/host.yml", {"pbx_blacklist": [lab.scanner.machine.address]}):
        yield one
        lab.server.run(["sh", "-c", f"{one.off}; {apt} purge --autoremove -y {one.package}"], 300)
    # Debian's fail2ban stops together with firewalld; the next run starts it again.
    deploy("playbooks/pbx.yml", limits)
    deploy("playbooks/smoke.yml")


def test_guard_is_recognised_and_opened(lab: Parties, guard: Guard) -> None:
    again = deploy("playbooks/host.yml", {"pbx_blacklist": [lab.scanner.machine.address]})
    assert again.changed == 0, again.output
    assert lab.umatilla.call(DID, caller="+15550102001").wait().status == 200
    assert lab.phone_100.call("101").wait().status == 200


# Answers whatever comes with itself.
ECHO = """
import select, socket, sys
channels = []
for port in sys.argv[1:]:
    channels.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    channels[-1].bind(("", int(port)))
while True:
    for channel in select.select(channels, [], [])[0]:
        channel.sendto(*channel.recvfrom(65535))
"""
CLOSED_PORT = 5999


@pytest.fixture
def echo(lab: Parties, guard: Guard) -> Iterator[None]:
    """The server itself answers, where otherwise the PBX's container does, and on a port nobody asked for."""
    lab.server.run(["docker", "stop", "--time", "5", CONTAINER])
    process = lab.server.start(["python3", "-c", ECHO, str(lab.pbx.sip_port), str(CLOSED_PORT)], "echo")
    lab.server.wait_for_udp_port(CLOSED_PORT)
    yield
    process.stop()
    lab.server.run(["docker", "start", CONTAINER])
    lab.server.wait_until_healthy()
    for phone in lab.phones:
        phone.switch_on()


def test_ports_are_open_for_packets_to_the_host_itself(lab: Parties, echo: None) -> None:
    carrier = lab.umatilla.machine
    assert Scanner(carrier, lab.pbx).ask("OPTIONS") is not None
    assert Scanner(carrier, Pbx(lab.pbx.address, CLOSED_PORT)).ask("OPTIONS", seconds=1) is None
    assert lab.scanner.ask("OPTIONS", seconds=1) is None


def test_listed_source_hears_nothing_while_it_is_reloaded(lab: Parties, guard: Guard) -> None:
    scanner = lab.scanner.machine
    with record(scanner) as recorded:
        asking = lab.scanner.keep_asking("OPTIONS", interval=0.01)
        try:
            for command in guard.reloads:
                lab.server.run(["sh", "-c", command], 120)
                time.sleep(1)
        finally:
            asking.stop()
    heard = recorded.of(scanner).sip
    assert len(heard) > 50
    assert [item for item in heard if item.source.host == lab.pbx.address] == []


def test_everybody_else_still_calls_after_it_was_reloaded(lab: Parties, guard: Guard) -> None:
    assert lab.umatilla.call(DID, caller="+15550102002").wait().status == 200
    assert lab.phone_100.call("101").wait().status == 200
    smoke = run_playbook("playbooks/smoke.yml")
    if guard is FIREWALLD:
        # It lets no container reach out until Docker, which was there before it, is started again.
        assert "1 failed (carrier names)" in smoke.words
        assert "Where firewalld was started after Docker: `systemctl restart docker`" in smoke.words
    else:
        assert smoke.exit_code == 0, smoke.output


@pytest.fixture
def nftables_of_their_own(lab: Parties) -> Iterator[None]:
    """Somebody's table, as guides have it: what is forwarded is dropped unless a rule accepts it."""
    apt = "DEBIAN_FRONTEND=noninteractive apt-get -qq"
    lab.server.run(["sh", "-c", f"{apt} update && {apt} install --no-install-recommends -y nftables"], 600)
    chain = "{ type filter hook forward priority 0; policy drop; }"
    lab.server.run(["nft", f"add table inet mine; add chain inet mine forward {chain}"])
    yield
    lab.server.run(["sh", "-c", f"nft delete table inet mine; {apt} purge --autoremove -y nftables"], 300)


@pytest.mark.usefixtures("nftables_of_their_own")
def test_smoke_names_the_chain_of_nftables_that_drops_and_its_remedy_works(lab: Parties) -> None:
    smoke = run_playbook("playbooks/smoke.yml")
    assert smoke.exit_code != 0
    assert "table inet mine, chain forward (hook forward) drops what none of its rules accepts" in smoke.words
    # As the remedy says, word for word; and what the PBX sends.
    insert = "insert rule inet mine forward"
    lab.server.run(["nft", f"{insert} tcp dport 5060 accept"])
    lab.server.run(["nft", f"{insert} udp dport {{ 5060, 10000-10100 }} accept"])
    lab.server.run(["nft", f"{insert} ct state established,related accept"])
    mended = run_playbook("playbooks/smoke.yml")
    assert "drops what none of its rules accepts" not in mended.words
