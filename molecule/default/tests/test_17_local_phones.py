"""A phone beside the server, which does not reach the public address, registers at the local one and talks.

The server gets a second address for it. What the phone's host sends to the public one is dropped, as a router
without hairpin does: an ACK, a BYE or audio that went there would be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.driver.agents import Pbx, Phone, Talk
from lab.driver.capture import Address, Leg, Recording, record
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed
from lab.driver.scanner import Scanner

LOCAL = Pbx("198.18.0.11", 5062)
SITE = {
    "pbx_local_networks": ["198.18.100.0/24", LOCAL.address],
    "pbx_local_address": LOCAL.address,
    "pbx_local_sip_port": LOCAL.sip_port,
}
SECONDS = 3
ENOUGH = SECONDS * 50 * 0.9
"""Packets. Some may be lost in the beginning: the PBX's first ones leave from the server's other address."""


@pytest.fixture(scope="module")
def local_phone(lab: Parties) -> Iterator[Phone]:
    machine = lab.phone_101.machine
    device = f"$(ip -o -4 address show to {lab.pbx.address} | awk '{{print $2}}')"
    no_hairpin = ["OUTPUT", "-d", lab.pbx.address, "-j", "DROP"]
    phone = Phone(machine, LOCAL, "102", lab.phone_102.password, sip_port=5072, media_port=6200)
    lab.server.run(["sh", "-c", f"ip address replace {LOCAL.address}/32 dev {device}"])
    machine.run(["iptables", "-I", *no_hairpin])
    lose_address = ["sh", "-c", f"ip address del {LOCAL.address}/32 dev {device} 2>/dev/null; true"]
    try:
        with redeployed("site.yml", SITE):
            phone.switch_on()
            yield phone
            phone.close()
            phone.register(expires=0)
            # Before the last deployment: the addresses of the server itself are protected from bans.
            lab.server.run(lose_address)
    finally:
        phone.close()
        machine.run(["iptables", "-D", *no_hairpin])
        lab.server.run(lose_address)
        lab.phone_101.switch_on()


@dataclass(frozen=True)
class LocalCall:
    """One call of the local phone, and what both hosts saw of it."""

    status: int
    local: Leg
    seen: Recording
    other: Leg


@pytest.fixture(scope="module", params=["calls", "is called"])
def call(request: pytest.FixtureRequest, lab: Parties, local_phone: Phone) -> LocalCall:
    caller, callee = (
        (local_phone, lab.phone_100) if request.param == "calls" else (lab.phone_100, local_phone)
    )
    with record(caller.machine, callee.machine) as recorded:
        result = caller.call(callee.number, Talk(seconds=SECONDS)).wait()
    placed = recorded.of(caller.machine).leg(result.call_id)
    taken = recorded.of(callee.machine).leg_from(caller.number)
    seen = recorded.of(local_phone.machine)
    if caller is local_phone:
        return LocalCall(result.status, placed, seen, taken)
    return LocalCall(result.status, taken, seen, placed)


def announced(leg: Leg) -> tuple[set[str], set[str]]:
    """The addresses that the PBX named to a phone: for media, and (with the port) for what follows."""
    own = [item.message for item in leg.messages if item.source.host != leg.host and item.message.media]
    media = {message.media.address for message in own if message.media}
    contacts = {message.header("contact").partition("@")[2] or message.header("contact") for message in own}
    return media, {contact.strip("<>").removeprefix("sip:").partition(">")[0] for contact in contacts}


def test_it_is_registered_by_the_transport_of_its_own(lab: Parties, local_phone: Phone) -> None:
    (contact,) = lab.server.contacts(local_phone.number)
    assert "x-ast-txp=transport-local" in contact


def test_the_call_is_answered_and_ended_properly(call: LocalCall) -> None:
    assert call.status == 200
    assert set(call.local.statuses("BYE")) == {200}, call.local.story


def test_it_is_told_the_local_address(call: LocalCall) -> None:
    assert announced(call.local) == ({LOCAL.address}, {LOCAL.target})


def test_a_phone_elsewhere_is_told_the_public_address(call: LocalCall, lab: Parties) -> None:
    assert announced(call.other) == ({lab.pbx.address}, {lab.pbx.target})


def test_audio_flows_both_ways(call: LocalCall) -> None:
    offered = next(
        item.message.media
        for item in call.local.messages
        if item.source.host == call.local.host and item.message.media
    )
    own = Address(call.local.host, offered.port)
    sent = [
        flow.packets
        for flow in call.seen.flows
        if flow.source == own and flow.destination.host == LOCAL.address
    ]
    heard = [flow.packets for flow in call.seen.flows if flow.destination == own]
    # Who answers in the lab sends back to where packets come from: Docker makes that the first address here.
    if call.local.messages[0].source.host == call.local.host:
        assert sum(sent) >= ENOUGH, call.seen.flows
    assert sum(heard) >= ENOUGH, call.seen.flows


@pytest.mark.usefixtures("local_phone")
def test_strangers_do_not_reach_the_port(lab: Parties) -> None:
    stranger = Scanner(lab.scanner.machine, Pbx(lab.pbx.address, LOCAL.sip_port))
    assert stranger.ask("OPTIONS", seconds=1) is None
    assert lab.scanner.ask("OPTIONS") is not None
