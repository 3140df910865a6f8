"""After a reboot of the server, and after a restart of its Docker engine, everything is back by itself.

These tests come last: they take the PBX away from everybody for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from lab.driver.capture import Recording, record
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed
from lab.driver.server import Server

DID = "+19863334949"


EVENTS: dict[str, Callable[[Server], None]] = {
    "reboot": Server.reboot,
    "docker-restart": Server.restart_docker,
}


@dataclass(frozen=True)
class Restart:
    """What happened around one restart.

    Attributes:
        scanner: all that the banned scanner, which kept asking all the time, sent and received.
        banned_packets: that the chain counted once everything was back.
    """

    event: str
    scanner: Recording
    banned_packets: int
    registrations: int


@pytest.fixture(scope="module", autouse=True)
def banned(lab: Parties) -> Iterator[None]:
    """The scanner is on the blacklist."""
    with redeployed("playbooks/host.yml", {"pbx_blacklist": [lab.scanner.machine.address]}):
        yield


@pytest.fixture(scope="module", params=EVENTS)
def restart(request: pytest.FixtureRequest, lab: Parties, banned: None) -> Restart:
    """The event, with a banned scanner that asks fifty times a second from before it until after it."""
    phones = [phone.machine for phone in lab.phones]
    with record(lab.scanner.machine, *phones) as recorded:
        asking = lab.scanner.keep_asking("OPTIONS", interval=0.02)
        try:
            EVENTS[request.param](lab.server)
            lab.server.wait_until_healthy()
            counted = lab.server.banned_packets()
            time.sleep(1)
            counted = lab.server.banned_packets() - counted
        finally:
            asking.stop()
    registrations = sum(len(recorded.of(phone).requests("REGISTER")) for phone in phones)
    return Restart(request.param, recorded.of(lab.scanner.machine), counted, registrations)


def test_banned_source_never_gets_a_packet_meanwhile(restart: Restart, lab: Parties) -> None:
    sent = [item for item in restart.scanner.sip if item.source.host == lab.scanner.machine.address]
    assert len(sent) > 50
    assert [item for item in restart.scanner.sip if item.source.host == lab.pbx.address] == []


def test_chain_counts_the_banned_source_again(restart: Restart) -> None:
    assert restart.banned_packets >= 5


def test_chain_stands_first_in_both_places(restart: Restart, lab: Parties) -> None:
    for chain in ("INPUT", "DOCKER-USER"):
        rules = lab.server.run(["iptables", "--list-rules", chain]).splitlines()
        first = next(rule for rule in rules if rule.startswith("-A "))
        assert first == f"-A {chain} -j SIP-BLACKLIST", rules


def test_phones_are_reachable_without_registering_again(restart: Restart, lab: Parties) -> None:
    assert restart.registrations == 0
    lab.server.wait_until(lambda: reachable(lab) >= {"100", "101"}, "the phones' contacts", 120)
    assert lab.umatilla.call(DID, caller="+15550101313").wait().status == 200
    assert lab.phone_100.call("101").wait().status == 200


def test_outbound_calls_pass_again(restart: Restart, lab: Parties) -> None:
    assert lab.phone_100.call("915551234567").wait().status == 200


def test_everybody_else_is_answered(restart: Restart, lab: Parties) -> None:
    assert lab.carrier_two.call(DID, caller="+15550101314").wait().status == 200


def reachable(lab: Parties) -> set[str]:
    """The extensions whose contact the PBX knows and has an answer from."""
    lines = lab.server.asterisk("pjsip show contacts").splitlines()
    contacts = [line.split() for line in lines if line.strip().startswith("Contact:") and " Avail " in line]
    return {words[1].partition("/")[0] for words in contacts}
