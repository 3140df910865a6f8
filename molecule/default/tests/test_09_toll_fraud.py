"""Each toll-fraud limit refuses what it should and nothing else, audibly, and never an emergency call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from lab.driver.agents import Phone, Talk
from lab.driver.audio import assert_two_way_audio
from lab.driver.capture import Leg, Recordings, record
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed

MAX_CALL_SECONDS = 60
MAX_CALLS = 4
MAX_CALLS_PER_EXTENSION = 2
LIMITS = {
    "allowed_prefixes": ["+1", "+1900555"],
    "denied_prefixes": ["+1900", "+1242"],
    "max_call_seconds": MAX_CALL_SECONDS,
    "max_calls": MAX_CALLS,
    "max_calls_per_extension": MAX_CALLS_PER_EXTENSION,
}
SHORT = Talk(seconds=1)
WHILE = Talk(seconds=6)
LONGER_THAN_ALLOWED = Talk(seconds=MAX_CALL_SECONDS + 4, hang_up=False)
EMERGENCY = Talk(seconds=MAX_CALL_SECONDS + 4)


@dataclass(frozen=True)
class Attempt:
    """One call and what came of it."""

    status: int
    phone: Leg
    reached: list[str]
    log: str


@pytest.fixture(scope="module", autouse=True)
def limited(lab: Parties) -> Iterator[None]:
    """The PBX with small limits; as the inventory says afterwards."""
    with redeployed("playbooks/pbx.yml", {"pbx_outbound": {**lab.model["pbx_outbound"], **LIMITS}}):
        yield


class LongCalls:
    """Two calls of extension 101 that go on beside all other tests: an ordinary one, and 911."""

    def __init__(self, lab: Parties, recorded: Recordings) -> None:
        self.recorded = recorded
        self.ordinary = lab.phone_101.call("915551230000", LONGER_THAN_ALLOWED)
        self.emergency = lab.phone_101.call("911", EMERGENCY)


@pytest.fixture(scope="module", autouse=True)
def long_calls(lab: Parties, limited: None) -> Iterator[tuple[LongCalls, ExitStack]]:
    """The long calls, and the recording of them: close it when they are over."""
    with ExitStack() as recording:
        calls = LongCalls(lab, recording.enter_context(record(lab.phone_101.machine, lab.ashburn.machine)))
        wait_for_channels(lab, 4)
        yield calls, recording


def attempt(lab: Parties, phone: Phone, dialled: str, talk: Talk = SHORT) -> Attempt:
    """Dial, wait for the end, and collect what the carrier and the log saw."""
    mark = lab.server.log_size()
    with record(phone.machine, lab.ashburn.machine) as recorded:
        result = phone.call(dialled, talk).wait()
    carrier = recorded.of(lab.ashburn.machine)
    return Attempt(
        result.status,
        recorded.of(phone.machine).leg(result.call_id),
        [invite.uri.partition("@")[0] for invite in carrier.received_invites()],
        lab.server.log_since(mark),
    )


def assert_refused(attempted: Attempt, status: int, reason: str, number: str) -> None:
    """Refused with that status before it reached the carrier, audibly, and logged with who and why."""
    assert attempted.status == status
    lines = [line for line in attempted.log.splitlines() if "] WARNING[" in line and "Refused a call" in line]
    assert len(lines) == 1, attempted.log
    assert f"PJSIP/{number}-" in lines[0]
    assert reason in lines[0]
    assert 183 in attempted.phone.statuses()
    assert attempted.phone.received is not None, "the caller heard nothing"
    assert attempted.phone.received.packets > 50


def wait_for_channels(lab: Parties, channels: int) -> None:
    """Wait until that many channels are up."""
    lab.server.wait_until(lambda: lab.server.channels() >= channels, f"{channels} channels")


class TestSimultaneousCalls:
    """Two calls per extension, four in all. One of 101's is taken all the time, and so is one of all."""

    def test_call_beyond_the_extensions_own_is_refused_and_another_extension_calls(
        self, lab: Parties
    ) -> None:
        running = lab.phone_100.call("915551230001", WHILE, calls=MAX_CALLS_PER_EXTENSION)
        wait_for_channels(lab, 8)
        refused = attempt(lab, lab.phone_100, "915551230002")
        allowed = attempt(lab, lab.phone_102, "+15551230003")
        assert [call.status for call in running.wait_all()] == [200, 200]
        assert_refused(refused, 403, "simultaneous outbound calls per extension", "100")
        assert refused.reached == []
        assert allowed.status == 200

    def test_call_beyond_all_is_refused_until_one_ends(self, lab: Parties) -> None:
        first = lab.phone_100.call("915551230001", WHILE, calls=2)
        second = lab.phone_102.call("+15551230002", WHILE)
        wait_for_channels(lab, 10)
        refused = attempt(lab, lab.phone_101, "915551230003")
        assert [call.status for call in (*first.wait_all(), *second.wait_all())] == [200, 200, 200]
        assert_refused(refused, 503, f"limit of {MAX_CALLS} simultaneous outbound calls reached", "101")
        assert refused.reached == []
        assert attempt(lab, lab.phone_101, "915551230003").status == 200

    def test_internal_and_inbound_calls_are_not_counted(self, lab: Parties) -> None:
        running = lab.phone_100.call("915551230001", WHILE, calls=2)
        wait_for_channels(lab, 8)
        internal = lab.phone_100.call("101", SHORT)
        inbound = lab.umatilla.call("+19863334949", SHORT, caller="+15550104444")
        assert internal.wait().status == 200
        assert inbound.wait().status == 200
        assert [call.status for call in running.wait_all()] == [200, 200]

    def test_emergency_call_passes_when_every_line_is_taken(self, lab: Parties) -> None:
        first = lab.phone_100.call("915551230001", WHILE, calls=2)
        second = lab.phone_102.call("+15551230002", WHILE)
        wait_for_channels(lab, 10)
        emergency = attempt(lab, lab.phone_100, "911")
        assert [call.status for call in (*first.wait_all(), *second.wait_all())] == [200, 200, 200]
        assert emergency.status == 200
        assert set(emergency.reached) == {"sip:911"}


class TestDestinations:
    def test_denied_prefix_is_refused(self, lab: Parties) -> None:
        attempted = attempt(lab, lab.phone_100, "919005501234")
        assert_refused(attempted, 403, "destination not allowed", "100")
        assert attempted.reached == []

    def test_number_outside_the_allowed_prefixes_is_refused(self, lab: Parties) -> None:
        attempted = attempt(lab, lab.phone_102, "+442079460000")
        assert_refused(attempted, 403, "destination not allowed", "102")
        assert attempted.reached == []

    @pytest.mark.parametrize(
        "dialled",
        ["919015501234", "912435551234", "919005551234"],
        ids=["beside", "beside-too", "longer-allowed"],
    )
    def test_neighbouring_number_is_allowed(self, lab: Parties, dialled: str) -> None:
        attempted = attempt(lab, lab.phone_100, dialled)
        assert attempted.status == 200
        assert set(attempted.reached) == {f"sip:+{dialled[1:]}"}


class TestLongestCall:
    def test_ordinary_call_ends_at_its_limit_and_emergency_call_does_not(
        self, lab: Parties, long_calls: tuple[LongCalls, ExitStack]
    ) -> None:
        calls, recording = long_calls
        ordinary, emergency = calls.ordinary.wait(), calls.emergency.wait()
        recording.close()
        phone = calls.recorded.of(lab.phone_101.machine)
        carrier = calls.recorded.of(lab.ashburn.machine)

        assert ordinary.status == 200
        leg = phone.leg(ordinary.call_id)
        answered = next(item.time for item in leg.messages if item.message.status == 200)
        (ended,) = leg.requests("BYE")
        assert ended.source.host == lab.pbx.address
        assert MAX_CALL_SECONDS - 0.5 <= ended.time - answered <= MAX_CALL_SECONDS + 2

        assert emergency.status == 200
        leg = phone.leg(emergency.call_id)
        assert [item.source.host for item in leg.requests("BYE")] == [lab.phone_101.machine.address]
        called = next(item for item in carrier.legs if item.invites[0].uri.startswith("sip:911@"))
        assert_two_way_audio(leg, called, EMERGENCY.seconds)
