"""Emergency calls leave as they were dialled, whoever dials, and are noticed."""

from __future__ import annotations

import time

import pytest

from lab.driver.agents import Talk
from lab.driver.audio import assert_two_way_audio
from lab.driver.capture import Leg, record
from lab.driver.parties import Parties

TERMINATION = "nlpbay.pstn.ashburn.twilio.com"
CALLS = {
    ("100", "911"): "911",
    ("100", "9911"): "911",
    ("100", "933"): "933",
    ("102", "911"): "911",
    ("102", "9911"): "911",
    ("102", "933"): "933",
    ("102", "9933"): "933",
}


class EmergencyCalls:
    """All emergency calls, placed 300 ms apart, with what the server logged."""

    def __init__(self, lab: Parties) -> None:
        phones = {"100": lab.phone_100, "102": lab.phone_102}
        mark = lab.server.log_size()
        machines = (lab.phone_100.machine, lab.phone_102.machine, lab.ashburn.machine)
        with record(*machines) as recorded:
            ongoing = {}
            for number, dialled in CALLS:
                ongoing[number, dialled] = phones[number].call(dialled, Talk(seconds=2))
                time.sleep(0.3)
            self.statuses = {key: call.wait() for key, call in ongoing.items()}
        self.log = lab.server.log_since(mark)
        self.received = recorded.of(lab.ashburn.machine).received_invites()
        self.phone_legs = {
            key: recorded.of(phones[key[0]].machine).leg(result.call_id)
            for key, result in self.statuses.items()
        }
        in_order = sorted(self.phone_legs, key=lambda key: self.phone_legs[key].messages[0].time)
        legs = recorded.of(lab.ashburn.machine).legs
        self.carrier_legs: dict[tuple[str, str], Leg] = dict(zip(in_order, legs, strict=True))


@pytest.fixture(scope="module")
def calls(lab: Parties) -> EmergencyCalls:
    return EmergencyCalls(lab)


@pytest.mark.parametrize("key", CALLS, ids=lambda key: f"{key[1]}-from-{key[0]}")
class TestEmergencyCall:
    def test_leaves_without_prefix_and_without_plus(
        self, calls: EmergencyCalls, key: tuple[str, str]
    ) -> None:
        wanted = f"sip:{CALLS[key]}@{TERMINATION}"
        assert [invite.uri for invite in calls.carrier_legs[key].invites] == [wanted, wanted]

    def test_is_answered_with_audio_and_the_right_digest(
        self, calls: EmergencyCalls, lab: Parties, key: tuple[str, str]
    ) -> None:
        assert calls.statuses[key].status == 200
        assert lab.challenge.is_answered_by(calls.carrier_legs[key].invites[-1])
        assert_two_way_audio(calls.phone_legs[key], calls.carrier_legs[key], 2)

    def test_shows_the_emergency_caller_id(
        self, calls: EmergencyCalls, lab: Parties, key: tuple[str, str]
    ) -> None:
        number = lab.model["pbx_outbound"]["emergency"]["caller_id_number"]
        for invite in calls.carrier_legs[key].invites:
            for name in ("from", "p-asserted-identity"):
                assert f"<sip:{number}@{lab.pbx.address}>" in invite.header(name)


def test_911_is_never_dialled_as_11(calls: EmergencyCalls) -> None:
    users = {invite.uri.partition("sip:")[2].partition("@")[0] for invite in calls.received}
    assert users == {"911", "933"}


def test_each_911_raises_one_prominent_log_line(calls: EmergencyCalls) -> None:
    lines = [line for line in calls.log.splitlines() if "EMERGENCY CALL" in line and "] WARNING[" in line]
    assert len(lines) == sum(wanted == "911" for wanted in CALLS.values())
    assert sum("PJSIP/102-" in line for line in lines) == 2
