"""Attackers ban themselves, within seconds; nobody else is banned, whatever is sent in his name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from lab.driver.agents import Talk
from lab.driver.attacks import forge, offend
from lab.driver.capture import record
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed, run_playbook
from lab.driver.server import Server

SOON = 10
"""Seconds between the first offence and the ban, at most, on a machine that is not busy otherwise."""
BUSY = 3
"""So many times that on one that is. An attacker who is not cut off at all goes on for longer."""


@pytest.mark.parametrize("kind", ["guess", "enumerate", "call"])
def test_attacker_is_cut_off(lab: Parties, kind: str) -> None:
    start = time.monotonic()
    attack = offend(lab.scanner.machine, lab.pbx, kind)
    assert attack.was_cut_off, attack
    # Two unanswered offences of two seconds each end the attack.
    assert time.monotonic() - start < BUSY * SOON + 4
    assert lab.scanner.machine.address in lab.server.banned()


def test_repeated_offender_is_banned_for_longer(lab: Parties, limits: dict[str, int]) -> None:
    scanner = lab.scanner.machine
    seconds = 10
    with redeployed("playbooks/pbx.yml", {**limits, "sip_bans_first_ban_seconds": seconds}, limits):
        assert offend(scanner, lab.pbx, "guess").was_cut_off
        assert lab.server.banned()[scanner.address] <= seconds
        lab.server.wait_until(lambda: scanner.address not in lab.server.banned(), "the end of the ban")
        assert lab.scanner.ask("OPTIONS") is not None
        assert offend(scanner, lab.pbx, "guess").was_cut_off
        lab.server.wait_until(
            lambda: lab.server.banned().get(scanner.address, 0) > 3 * seconds, "a longer ban"
        )


def test_calls_of_others_go_on(lab: Parties) -> None:
    assert offend(lab.scanner.machine, lab.pbx, "guess").was_cut_off
    assert lab.phone_100.call("101").wait().status == 200


def test_phone_with_typing_errors_is_not_locked_out(lab: Parties) -> None:
    phone = lab.phone_102
    assert [phone.register(number="101", password=f"typo-{number}") for number in range(4)] == [401] * 4
    time.sleep(3)
    assert lab.server.banned() == {}
    assert phone.register(number="102", expires=0) == 200


def test_source_that_is_never_blocked_is_not_banned(lab: Parties) -> None:
    """An office whose phones all have yesterday's password is not locked out where the inventory says so."""
    never = {"pbx_never_block": [lab.scanner.machine.address]}
    with redeployed("playbooks/host.yml", never):
        lab.server.run(["fail2ban-client", "set", "sip-guessing", "banip", lab.scanner.machine.address])
        time.sleep(1)
        assert lab.scanner.machine.address not in lab.server.banned()
        attack = offend(lab.scanner.machine, lab.pbx, "guess", most=20)
        assert not attack.was_cut_off, attack


@pytest.mark.parametrize("victim", ["lab-pop-ashburn", "lab-carrier-two"])
def test_forged_carrier_is_not_banned(lab: Parties, victim: str) -> None:
    pop = next(pop for pop in lab.carriers if pop.machine.name == victim)
    with record(pop.machine) as recorded:
        forge(lab.scanner.machine, lab.pbx, pop.machine.address).wait(30)
    # The PBX has taken them for the carrier's: that one gets the answers.
    answered = [i for i in recorded.of(pop.machine).sip if i.source.host == lab.pbx.address]
    assert [i for i in answered if i.message.call_id.startswith("forged-")]
    # Were any of it an offence, this would follow.
    lab.server.run(["fail2ban-client", "set", "sip-guessing", "banip", pop.machine.address])
    time.sleep(3)
    assert pop.machine.address not in lab.server.banned()
    assert pop.call("+19863334949", caller="+15550100123").wait().status == 200


def test_forged_gateway_of_docker_is_not_banned(lab: Parties) -> None:
    """Where Docker hides who calls, everybody seems to be its gateway: a ban of it would be one of all.

    The kernel takes no packet from outside with an address of its own, so the ban is asked for by hand.
    """
    network = lab.server.run(
        ["docker", "network", "ls", "--filter", "name=callcenter", "--format", "{{.Name}}"]
    )
    gateway = lab.server.run(
        ["docker", "network", "inspect", network.strip(), "-f", "{{(index .IPAM.Config 0).Gateway}}"]
    ).strip()
    forge(lab.scanner.machine, lab.pbx, gateway).wait(30)
    lab.server.run(["fail2ban-client", "set", "sip-guessing", "banip", gateway])
    time.sleep(2)
    assert gateway not in lab.server.banned()
    assert lab.phone_100.call("101").wait().status == 200


def test_ban_by_hand_of_a_carrier_does_not_bind(lab: Parties) -> None:
    address = lab.ashburn.machine.address
    lab.server.run(["ipset", "-exist", "add", "sip-banned-v4", address, "timeout", "60"])
    try:
        assert lab.ashburn.call("+19863334949", caller="+15550100124").wait().status == 200
    finally:
        lab.server.run(["ipset", "-exist", "del", "sip-banned-v4", address])


@pytest.fixture
def phones_on_again(lab: Parties) -> Iterator[None]:
    """After the test, nobody is banned, and both phones are registered."""
    yield
    lab.server.run(["fail2ban-client", "unban", "--all"])
    lab.server.run(["systemctl", "start", "callcenter-known"])
    for phone in lab.phones:
        phone.switch_on()


def test_call_of_a_banned_source_is_hung_up(lab: Parties, phones_on_again: None) -> None:
    call = lab.phone_101.call("100", Talk(seconds=60, hang_up=False))
    lab.server.wait_until(lambda: lab.server.answered_channels() == 2, "the call")
    # A day after its last password a phone is no longer known, and can be banned again.
    lab.server.run(["systemctl", "stop", "callcenter-known"])
    lab.server.run(["ipset", "-exist", "del", "sip-known-v4", lab.phone_101.machine.address])
    lab.server.run(["fail2ban-client", "set", "sip-guessing", "banip", lab.phone_101.machine.address])
    lab.server.wait_until_idle()
    call.stop()


def test_ban_outlives_fail2ban_and_is_lifted_by_command(lab: Parties) -> None:
    scanner = lab.scanner.machine
    assert offend(scanner, lab.pbx, "guess").was_cut_off
    lab.server.run(["systemctl", "restart", "fail2ban"])
    assert lab.scanner.ask("OPTIONS", seconds=1) is None
    shown = run_playbook("playbooks/blocked.yml")
    assert f"{scanner.address} guessed passwords (sip-guessing)" in shown.words, shown.output
    lifted = run_playbook("playbooks/blocked.yml", "-e", f"unban={scanner.address}")
    assert lifted.exit_code == 0, lifted.output
    assert lab.scanner.ask("OPTIONS") is not None


def reboot_without_fail2ban(server: Server) -> None:
    """It may fail to start, or start after Docker does: neither lets anybody in."""
    server.run(["systemctl", "disable", "fail2ban"])
    server.reboot()


EVENTS = {
    "reboot": Server.reboot,
    "reboot, fail2ban late": reboot_without_fail2ban,
    "restart of Docker": Server.restart_docker,
}


@pytest.fixture
def fail2ban_on_again(lab: Parties) -> Iterator[None]:
    """After the test, fail2ban runs, also after the next boot."""
    yield
    lab.server.run(["systemctl", "enable", "--now", "fail2ban"])
    lab.server.run(["sh", "-c", "until fail2ban-client ping; do sleep 0.1; done"])


@pytest.mark.usefixtures("phones_on_again", "fail2ban_on_again")
@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_banned_source_hears_nothing_all_along(lab: Parties, event: Callable[[Server], None]) -> None:
    scanner = lab.scanner.machine
    assert offend(scanner, lab.pbx, "guess").was_cut_off
    with record(scanner) as recorded:
        asking = lab.scanner.keep_asking("OPTIONS", interval=0.02)
        try:
            event(lab.server)
            lab.server.wait_until_healthy()
            time.sleep(2)
        finally:
            asking.stop()
    heard = recorded.of(scanner).sip
    assert len([item for item in heard if item.source.host == scanner.address]) > 50
    assert [item for item in heard if item.source.host == lab.pbx.address] == []
    assert scanner.address in lab.server.banned()
