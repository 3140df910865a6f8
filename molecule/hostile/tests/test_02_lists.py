"""Listed sources: by command, at once, and nobody else; what others do to the chain is noticed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab.driver.agents import Talk
from lab.driver.attacks import flood
from lab.driver.capture import record
from lab.driver.held import held_call
from lab.driver.parties import Parties
from lab.driver.playbook import run_playbook
from lab.paths import INVENTORY_DIR

BLACKLIST = "playbooks/blacklist.yml"
FILE = INVENTORY_DIR / "group_vars" / "pbx" / "blacklist.yml"


@pytest.fixture(autouse=True)
def file_as_before() -> Iterator[None]:
    """Whatever a test does to the inventory is undone, there and on the server."""
    before = FILE.read_text()
    yield
    if FILE.read_text() != before:
        FILE.write_text(before)
        assert run_playbook(BLACKLIST).exit_code == 0


def test_block_and_unblock_by_command(lab: Parties) -> None:
    before, scanner = FILE.read_text(), lab.scanner.machine.address
    blocked = run_playbook(BLACKLIST, "-e", f"block={scanner}", "-e", "reason='guesses passwords'")
    assert blocked.exit_code == 0, blocked.output
    assert lab.scanner.ask("OPTIONS", seconds=1) is None
    assert "guesses passwords" in FILE.read_text()
    assert "guesses passwords" in run_playbook("playbooks/blocked.yml").output
    unblocked = run_playbook(BLACKLIST, "-e", f"unblock={scanner}")
    assert unblocked.exit_code == 0, unblocked.output
    assert lab.scanner.ask("OPTIONS") is not None
    assert FILE.read_text() == before


def test_carrier_cannot_be_blocked(lab: Parties) -> None:
    before = FILE.read_text()
    refused = run_playbook(BLACKLIST, "-e", f"block={lab.ashburn.machine.address}")
    assert refused.exit_code != 0
    assert lab.ashburn.machine.address in refused.words
    assert "twilio-na-us" in refused.words
    assert FILE.read_text() == before


def test_call_of_a_newly_listed_source_is_cut_at_once(lab: Parties) -> None:
    source = lab.phone_101.machine.address
    with record(lab.phone_100.machine) as recorded:
        call = lab.phone_101.call("100", Talk(seconds=60, hang_up=False))
        lab.server.wait_until(lambda: lab.server.channels() == 2, "the call", 5)
        time.sleep(1)
        result = run_playbook(BLACKLIST, "-e", f"block={source}")
        assert result.exit_code == 0, result.output
        lab.server.wait_until_idle()
        marked = time.time()
        time.sleep(2)
        call.stop()
    later = [packet for packet in recorded.of(lab.phone_100.machine).rtp if packet.time > marked + 0.5]
    assert [packet for packet in later if packet.source.host == lab.pbx.address] == []


def test_flood_leaves_a_call_its_audio(lab: Parties) -> None:
    with held_call(lab) as held:
        attack = flood(lab.scanner.machine, lab.pbx, rate=500, seconds=8)
        attack.wait(30)
    held.assert_nothing_was_lost(300)


def test_flushed_chain_is_reported_and_put_back(lab: Parties) -> None:
    lab.server.run(["iptables", "-F", "DOCKER-USER"])
    reported = run_playbook("playbooks/smoke.yml")
    assert reported.exit_code != 0
    assert "SIP-BLACKLIST" in reported.words
    repaired = run_playbook("playbooks/host.yml")
    assert repaired.exit_code == 0, repaired.output
    assert run_playbook("playbooks/smoke.yml").exit_code == 0
