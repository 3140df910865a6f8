"""Attackers ban themselves, within seconds; nobody else is banned, whatever is sent in his name."""

from __future__ import annotations

import time

import pytest

from lab.driver.attacks import forge, offend
from lab.driver.machine import docker_client
from lab.driver.parties import Parties
from lab.driver.playbook import run_playbook

SOON = 10
"""Seconds between the first offence and the ban, at most."""


def banned(lab: Parties) -> dict[str, int]:
    """Addresses banned in the kernel, with the seconds that are left."""
    lines = lab.server.run(["ipset", "save", "sip-banned-v4"]).splitlines()
    words = [line.split() for line in lines if line.startswith("add ")]
    return {entry[2]: int(entry[entry.index("timeout") + 1]) for entry in words}


def await_ban(lab: Parties, address: str, seconds: float = SOON) -> None:
    lab.server.wait_until(lambda: address in banned(lab), f"the ban of {address}", seconds)


@pytest.mark.parametrize("kind", ["guess", "enumerate", "call"])
def test_attacker_is_cut_off(lab: Parties, kind: str) -> None:
    start = time.monotonic()
    attack = offend(lab.scanner.machine, lab.pbx, kind)
    assert attack.was_cut_off, attack
    # Two unanswered offences of a second each end the attack.
    assert time.monotonic() - start < SOON + 2
    assert lab.scanner.machine.address in banned(lab)


def test_repeated_offender_is_banned_for_longer(lab: Parties) -> None:
    scanner = lab.scanner.machine
    assert offend(scanner, lab.pbx, "guess").was_cut_off
    lab.server.wait_until(lambda: max(banned(lab).values(), default=0) > 3700, "a longer ban", SOON)


def test_banned_calls_of_others_go_on(lab: Parties) -> None:
    assert offend(lab.scanner.machine, lab.pbx, "guess").was_cut_off
    assert lab.phone_100.call("101").wait().status == 200


def test_phone_with_typing_errors_is_not_locked_out(lab: Parties) -> None:
    phone = lab.phone_102
    assert [phone.register(number="101", password=f"typo-{number}") for number in range(4)] == [401] * 4
    time.sleep(3)
    assert banned(lab) == {}
    assert phone.register(number="102", expires=0) == 200


@pytest.mark.parametrize("victim", ["lab-pop-ashburn", "lab-carrier-two"])
def test_forged_carrier_is_not_banned(lab: Parties, victim: str) -> None:
    pop = next(pop for pop in lab.carriers if pop.machine.name == victim)
    forge(lab.scanner.machine, lab.pbx, pop.machine.address)
    time.sleep(3)
    assert pop.machine.address not in banned(lab)
    assert pop.call("+19863334949", caller="+15550100123").wait().status == 200


def test_ban_by_hand_of_a_carrier_does_not_bind(lab: Parties) -> None:
    address = lab.ashburn.machine.address
    lab.server.run(["ipset", "-exist", "add", "sip-banned-v4", address, "timeout", "60"])
    try:
        assert lab.ashburn.call("+19863334949", caller="+15550100124").wait().status == 200
    finally:
        lab.server.run(["ipset", "-exist", "del", "sip-banned-v4", address])


def test_gateway_of_docker_is_never_banned(lab: Parties) -> None:
    gateway = lab.server.run(
        ["docker", "network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Gateway}}"]
    )
    lab.server.run(
        ["sh", "-c", f"/usr/local/sbin/callcenter-ban ban {gateway.strip()} $(date +%s) 60 0 sip-guessing"]
    )
    assert gateway.strip() not in banned(lab)


def test_ban_outlives_fail2ban_and_is_lifted_by_command(lab: Parties) -> None:
    scanner = lab.scanner.machine
    assert offend(scanner, lab.pbx, "guess").was_cut_off
    lab.server.run(["systemctl", "restart", "fail2ban"])
    assert lab.scanner.ask("OPTIONS", seconds=1) is None
    shown = run_playbook("playbooks/blocked.yml")
    assert scanner.address in shown.output, shown.output
    lifted = run_playbook("playbooks/blocked.yml", "-e", f"unban={scanner.address}")
    assert lifted.exit_code == 0, lifted.output
    assert lab.scanner.ask("OPTIONS") is not None


def test_ban_outlives_a_reboot_and_a_restart_of_docker(lab: Parties) -> None:
    assert offend(lab.scanner.machine, lab.pbx, "guess").was_cut_off
    docker_client().containers.get(lab.server.name).restart(timeout=30)
    lab.server.wait_until_healthy(120)
    await_ban(lab, lab.scanner.machine.address, 60)
    assert lab.scanner.ask("OPTIONS", seconds=1) is None
    lab.server.run(["systemctl", "restart", "docker"], 120)
    lab.server.wait_until_healthy(120)
    assert lab.scanner.ask("OPTIONS", seconds=1) is None
    for phone in lab.phones:
        phone.switch_on()
