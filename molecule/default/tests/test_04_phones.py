"""What phones of all kinds do, and are right to expect."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.driver.agents import Answer, Talk
from lab.driver.capture import record
from lab.driver.parties import Parties
from lab.driver.playbook import run_playbook
from lab.driver.sipp import ULAW, Codec


@pytest.fixture
def asleep(lab: Parties, answering_again: None) -> None:
    """Phone 101 is registered and silent, and the PBX has found that out."""
    phone = lab.phone_101
    phone.silence()
    phone.register(expires=0)
    assert phone.register() == 200
    lab.server.wait_until(lambda: "Unavail" in contact(lab, "101"), "the PBX to miss phone 101", 60)


def contact(lab: Parties, number: str) -> str:
    """The line of the extension's contact, with its state."""
    lines = lab.server.asterisk("pjsip show contacts").splitlines()
    return next((line for line in lines if f" {number}/" in line), "")


@pytest.mark.usefixtures("asleep")
def test_phone_that_answers_no_options_is_called_all_the_same(lab: Parties) -> None:
    lab.phone_101.listen(Answer())
    assert lab.phone_100.call("101", Talk(seconds=1)).wait().status == 200


@pytest.mark.usefixtures("asleep")
def test_phone_that_is_not_there_is_told_as_480(lab: Parties) -> None:
    assert lab.phone_100.call("101", Talk(seconds=1)).wait().status == 480


def test_key_told_by_sip_info_reaches_the_far_end_as_an_rtp_event(lab: Parties) -> None:
    with record(lab.ashburn.machine) as recorded:
        result = lab.phone_100.call("915551234567", Talk(seconds=3, key="5")).wait()
    assert result.status == 200
    answered = [item.status for item in result.messages if item.method == "INFO" and item.status]
    assert answered == [200]
    leg = recorded.of(lab.ashburn.machine).legs[-1]
    assert leg.received is not None
    assert 101 in leg.received.payload_types


def test_subscription_to_a_mailbox_is_answered_without_noise(lab: Parties) -> None:
    mark = lab.server.log_size()
    assert lab.phone_102.subscribe() == 200
    assert [
        line for line in lab.server.log_since(mark).splitlines() if "WARNING" in line or "ERROR" in line
    ] == []


def test_who_is_refused_for_its_codec_is_named_to_whoever_listens(lab: Parties) -> None:
    g729 = Codec(18, "G729/8000", ULAW.milliwatt)
    with ThreadPoolExecutor() as pool:
        listening = pool.submit(run_playbook, "playbooks/status.yml", "-e", "listen=25")
        statuses = []
        while not listening.done():
            statuses.append(lab.phone_100.call("101", Talk(seconds=1, codec=g729)).wait().status)
            time.sleep(1)
    assert set(statuses) == {488}
    run = listening.result()
    assert run.exit_code == 0, run.output
    assert f"100 ({lab.phone_100.machine.address}:" in run.words
    assert "offers g729; here its codecs are ulaw, alaw" in run.words
