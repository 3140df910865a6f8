"""A call in which nobody sends media: a living one is left alone, a dead one is ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.driver.agents import OngoingCall, Talk
from lab.driver.parties import Parties
from lab.driver.playbook import deploy
from lab.paths import INVENTORY_DIR

SILENT = Talk(seconds=0, hang_up=False)
# Sessions are refreshed at half of this. 90 s is the shortest that RFC 4028 knows; a site has 1200 s.
SHORT_SESSIONS = "[101](+)\nendpoint/timers_sess_expires = 90\n"
FILES = INVENTORY_DIR / "asterisk"


@dataclass(frozen=True)
class Quiet:
    """A call without media in either direction, and when it came up (``time.monotonic``)."""

    call: OngoingCall
    since: float


@pytest.fixture(scope="module")
def short_sessions(lab: Parties) -> Iterator[None]:
    FILES.mkdir()
    try:
        (FILES / "pjsip_wizard.conf").write_text(SHORT_SESSIONS)
        deploy("playbooks/pbx.yml")
        yield
    finally:
        (FILES / "pjsip_wizard.conf").unlink()
        FILES.rmdir()
        deploy("playbooks/pbx.yml")


@pytest.fixture(scope="module")
def quiet(lab: Parties, short_sessions: None) -> Iterator[Quiet]:
    """From phone 100 to phone 102, which both live."""
    lab.phone_102.switch_on()
    call = lab.phone_100.call("102", SILENT)
    lab.server.wait_until(lambda: lab.server.answered_channels() == 2, "the silent call")
    yield Quiet(call, time.monotonic())
    lab.server.asterisk("channel request hangup all")
    lab.phone_102.close()


def test_a_phone_that_died_in_a_call_ends_it(lab: Parties, quiet: Quiet) -> None:
    lab.phone_101.switch_on()
    call = lab.phone_100.call("101", SILENT)
    lab.server.wait_until(lambda: lab.server.answered_channels() == 4, "the call to who will die")
    lab.phone_101.silence()
    ended = call.wait(180)
    assert ended.status == 200, "it was answered"
    assert "BYE" in [message.method for message in ended.messages], "the other side was told"
    assert lab.server.channels() == 2, "the living one goes on"


def test_minutes_without_media_do_not_end_a_call(lab: Parties, quiet: Quiet) -> None:
    """Longer than the kernel keeps the flows of its audio, and than its sessions last without a refresh."""
    time.sleep(max(0, quiet.since + 200 - time.monotonic()))
    assert lab.server.channels() == 2
    lab.server.asterisk("channel request hangup all")
    assert quiet.call.wait().sipp.exit_code == 0, "both ends were there to the end"
