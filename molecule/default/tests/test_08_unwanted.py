"""Strangers get nowhere, and a banned address gets nothing at all."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab.driver.attacks import knock
from lab.driver.capture import record
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed


def test_unknown_source_is_refused_and_logged(lab: Parties) -> None:
    mark = lab.server.log_size()

    def complaint() -> str:
        answer = lab.scanner.ask("INVITE", "915551234567")
        assert answer is not None
        assert answer.status == 401
        log = lab.server.log_since(mark).splitlines()
        return next((line for line in log if "No matching endpoint found" in line), "")

    # Of the first request within two minutes nothing is said: a phone's digest could follow.
    deadline = time.monotonic() + 180
    while not (line := complaint()):
        assert time.monotonic() < deadline
        time.sleep(2)
    assert lab.scanner.machine.address in line


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE"])
def test_unknown_source_gets_the_same_answer_for_every_method(lab: Parties, method: str) -> None:
    answer = lab.scanner.ask(method, "100")
    assert answer is not None
    assert answer.status == 401


def test_stranger_who_writes_the_trunks_name_is_not_the_trunk(lab: Parties) -> None:
    with record(lab.phone_100.machine) as recorded:
        answer = lab.scanner.ask("INVITE", "+19863334949", caller="twilio-na-us")
    assert answer is not None
    assert answer.status == 401
    assert recorded.of(lab.phone_100.machine).requests("INVITE") == []


@pytest.fixture(scope="class")
def banned(lab: Parties) -> Iterator[None]:
    """The scanner's address is on the blacklist."""
    with redeployed("playbooks/host.yml", {"pbx_blacklist": [lab.scanner.machine.address]}):
        yield


class TestBannedSource:
    def test_gets_no_answer_over_udp(self, lab: Parties, banned: None) -> None:
        for method in ("OPTIONS", "INVITE", "REGISTER"):
            assert lab.scanner.ask(method, "100", seconds=1) is None

    def test_gets_no_packet_at_all(self, lab: Parties, banned: None) -> None:
        with record(lab.scanner.machine) as recorded:
            lab.scanner.ask("OPTIONS", seconds=1)
        assert [
            item for item in recorded.of(lab.scanner.machine).sip if item.source.host == lab.pbx.address
        ] == []

    def test_cannot_connect_over_tcp(self, lab: Parties, banned: None) -> None:
        assert knock(lab.scanner.machine, lab.pbx.address, lab.pbx.sip_port) == "silence"

    def test_is_counted_by_the_chain(self, lab: Parties, banned: None) -> None:
        before = lab.server.banned_packets()
        lab.scanner.ask("OPTIONS", seconds=0.5)
        lab.scanner.ask("INVITE", "100", seconds=0.5)
        assert lab.server.banned_packets() >= before + 2

    def test_leaves_everybody_else_alone(self, lab: Parties, banned: None) -> None:
        assert lab.phone_100.call("101").wait().status == 200


def test_source_taken_off_the_list_is_answered_again(lab: Parties) -> None:
    answer = lab.scanner.ask("OPTIONS")
    assert answer is not None
    assert answer.status == 401
