"""A server in a cloud: calls, bans, a reboot and every command, with a password for sudo."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lab.driver.agents import Talk
from lab.driver.audio import assert_two_way_audio
from lab.driver.capture import record
from lab.driver.parties import Parties
from lab.driver.playbook import PlaybookResult, run_playbook
from lab.hosts import CAREFUL_USER, CLOUD_PBX, PBX
from lab.paths import INVENTORY_DIR, SUDO_PASSWORD_PROGRAM

IN_DOCKER = re.compile(r"\b172\.(?:1[6-9]|2\d|3[01])\.\d")
FILE = INVENTORY_DIR / "group_vars" / "pbx" / "blacklist.yml"


def play(playbook: str, *arguments: str) -> PlaybookResult:
    """Run a playbook as the user whom sudo asks for a password."""
    login = ("-e", f"ansible_user={CAREFUL_USER}", f"--become-password-file={SUDO_PASSWORD_PROGRAM}")
    return run_playbook(playbook, *login, *arguments)


def test_the_server_does_not_have_its_public_address(lab: Parties) -> None:
    addresses = lab.server.run(["ip", "-4", "-o", "address"])
    assert f"inet {CLOUD_PBX.address}/" in addresses
    assert PBX.address not in addresses


def test_its_own_rules_still_close_it(lab: Parties) -> None:
    for chain in ("INPUT", "FORWARD"):
        rules = lab.server.run(["iptables", "-S", chain]).splitlines()
        assert "SIP-BLACKLIST" in rules[1] or "DOCKER-USER" in rules[1]
        assert f"-A {chain} -j REJECT --reject-with icmp-host-prohibited" in rules


def call_in(lab: Parties) -> None:
    """The carrier calls extension 100, and both hear each other."""
    talk, caller = Talk(), "+15550100100"
    with record(lab.ashburn.machine, lab.phone_100.machine) as recorded:
        result = lab.ashburn.call("+19863334949", talk, caller=caller).wait()
    assert result.status == 200
    callee = recorded.of(lab.phone_100.machine).leg_from(caller)
    assert_two_way_audio(recorded.of(lab.ashburn.machine).leg(result.call_id), callee, talk.seconds)


def test_calls_in_have_audio_both_ways(lab: Parties) -> None:
    call_in(lab)


def test_calls_out_have_audio_both_ways(lab: Parties) -> None:
    talk = Talk()
    with record(lab.ashburn.machine, lab.phone_100.machine) as recorded:
        result = lab.phone_100.call("915551234567", talk).wait()
    assert result.status == 200
    callee = recorded.of(lab.ashburn.machine).leg_from(lab.model["pbx_outbound"]["caller_id_number"])
    assert_two_way_audio(recorded.of(lab.phone_100.machine).leg(result.call_id), callee, talk.seconds)


def test_carrier_and_phone_see_the_public_address_alone(lab: Parties) -> None:
    with record(lab.phone_100.machine, lab.ashburn.machine) as recorded:
        result = lab.phone_100.call("915551234567").wait()
    assert result.status == 200
    for machine in (lab.phone_100.machine, lab.ashburn.machine):
        said = [item.message for item in recorded.of(machine).sip if item.source.host == lab.pbx.address]
        assert said
        for message in said:
            assert CLOUD_PBX.address not in str(message)
            assert not IN_DOCKER.search(str(message)), "the container's own address"


@pytest.mark.parametrize(
    ("playbook", "shown"),
    [
        ("playbooks/smoke.yml", "smoke checks of lab-pbx"),
        ("playbooks/blocked.yml", "networks listed"),
        ("playbooks/status.yml", "198.18.100.100:"),
    ],
)
def test_every_reading_command_works_with_a_password_for_sudo(
    lab: Parties, playbook: str, shown: str
) -> None:
    run = play(playbook)
    assert run.exit_code == 0, run.output
    assert run.changed == 0
    assert shown in run.words


@pytest.fixture
def list_as_before() -> Iterator[None]:
    before = FILE.read_text()
    yield
    FILE.write_text(before)
    assert play("playbooks/blacklist.yml").exit_code == 0


@pytest.mark.usefixtures("list_as_before")
def test_a_listed_source_gets_nothing_and_a_reboot_changes_nothing(lab: Parties) -> None:
    scanner = lab.scanner.machine.address
    assert lab.scanner.ask("OPTIONS") is not None
    assert play("playbooks/blacklist.yml", "-e", f"block={scanner}").exit_code == 0
    assert lab.scanner.ask("OPTIONS", seconds=1) is None
    lab.server.reboot()
    lab.server.wait_until_healthy()
    assert lab.scanner.ask("OPTIONS", seconds=1) is None
    lab.switch_on()
    call_in(lab)
    smoke = play("playbooks/smoke.yml")
    assert smoke.exit_code == 0, smoke.output
    again = play("site.yml")
    assert (again.exit_code, again.changed) == (0, 0), again.output


def test_without_the_password_nothing_is_touched_and_sudo_is_named(lab: Parties) -> None:
    run = run_playbook("site.yml", "-e", f"ansible_user={CAREFUL_USER}")
    assert run.exit_code != 0
    assert run.changed == 0
    assert "sudo" in run.words.lower() or "password" in run.words.lower()
