"""Each toll-fraud limit refuses what it should and nothing else, audibly, and never an emergency call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.capture import Leg, Recording, record
from lab.driver.agents import Phone, Talk
from lab.driver.audio import assert_two_way_audio
from lab.driver.parties import Parties
from lab.driver.playbook import redeployed

MAX_CALL_SECONDS = 6
LIMITS = {
    "allowed_prefixes": ["+1", "+1900555"],
    "denied_prefixes": ["+1900", "+1242"],
    "max_call_seconds": MAX_CALL_SECONDS,
    "max_calls": 2,
    "max_calls_per_extension": 1,
}
SHORT = Talk(seconds=1)
LONGER_THAN_ALLOWED = Talk(seconds=MAX_CALL_SECONDS + 2, hang_up=False)


@dataclass(frozen=True)
class Attempt:
    """One call and what came of it."""

    status: int
    phone: Leg
    reached: list[str]
    log: str
    carrier: Recording


@pytest.fixture(scope="module", autouse=True)
def limited(lab: Parties) -> Iterator[None]:
    """The PBX with small limits; as the inventory says afterwards."""
    with redeployed("playbooks/pbx.yml", {"pbx_outbound": {**lab.model["pbx_outbound"], **LIMITS}}):
        yield


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
        carrier,
    )


def assert_refused(attempted: Attempt, status: int, reason: str, number: str) -> None:
    """Refused with that status before it reached the carrier, audibly, and logged with who and why."""
    assert attempted.status == status
    lines = [line for line in attempted.log.splitlines() if "Refused a call" in line]
    assert len(lines) == 1, attempted.log
    assert "WARNING" in lines[0]
    assert f"PJSIP/{number}-" in lines[0]
    assert reason in lines[0]
    assert 183 in attempted.phone.statuses()
    assert attempted.phone.received is not None, "the caller heard nothing"
    assert attempted.phone.received.packets > 50


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
    def test_ends_at_its_limit(self, lab: Parties) -> None:
        attempted = attempt(lab, lab.phone_100, "915551234567", LONGER_THAN_ALLOWED)
        answered = next(item.time for item in attempted.phone.messages if item.message.status == 200)
        (ended,) = attempted.phone.requests("BYE")
        assert ended.source.host == lab.pbx.address
        assert MAX_CALL_SECONDS - 0.5 <= ended.time - answered <= MAX_CALL_SECONDS + 1.5
        assert [item.source.host for item in attempted.carrier.legs[0].requests("BYE")] == [lab.pbx.address]


class TestSimultaneousCalls:
    """One call per extension, two in all."""

    def test_second_call_of_an_extension_is_refused_and_another_extension_calls(self, lab: Parties) -> None:
        first = lab.phone_100.call("915551230001", Talk(seconds=5))
        wait_for_channels(lab, 2)
        refused = attempt(lab, lab.phone_100, "915551230002")
        allowed = attempt(lab, lab.phone_102, "+15551230003")
        assert first.wait().status == 200
        assert_refused(refused, 403, "simultaneous outbound calls per extension", "100")
        assert refused.reached == []
        assert allowed.status == 200

    def test_call_beyond_all_is_refused_until_one_ends(self, lab: Parties) -> None:
        running = [
            lab.phone_100.call("915551230001", Talk(seconds=5)),
            lab.phone_102.call("+15551230002", Talk(seconds=5)),
        ]
        wait_for_channels(lab, 4)
        refused = attempt(lab, lab.phone_101, "915551230003")
        assert [call.wait().status for call in running] == [200, 200]
        assert_refused(refused, 503, "simultaneous outbound calls reached", "101")
        assert refused.reached == []
        assert attempt(lab, lab.phone_101, "915551230003").status == 200

    def test_internal_and_inbound_calls_are_not_counted(self, lab: Parties) -> None:
        running = lab.phone_100.call("915551230001", Talk(seconds=5))
        wait_for_channels(lab, 2)
        internal = lab.phone_100.call("101", SHORT)
        inbound = lab.umatilla.call("+19863334949", SHORT, caller="+15550104444")
        assert internal.wait().status == 200
        assert inbound.wait().status == 200
        assert running.wait().status == 200


class TestEmergency:
    def test_is_never_limited(self, lab: Parties) -> None:
        """Every line is taken, the caller's own too, and the call may last longer than others."""
        running = [
            lab.phone_100.call("915551230001", Talk(seconds=5)),
            lab.phone_102.call("+15551230002", Talk(seconds=5)),
        ]
        wait_for_channels(lab, 4)
        with record(lab.phone_100.machine, lab.ashburn.machine) as recorded:
            result = lab.phone_100.call("911", Talk(seconds=MAX_CALL_SECONDS + 2)).wait()
        assert [call.wait().status for call in running] == [200, 200]
        assert result.status == 200
        phone = recorded.of(lab.phone_100.machine).leg(result.call_id)
        carrier = next(
            leg for leg in recorded.of(lab.ashburn.machine).legs if leg.invites[0].uri.startswith("sip:911@")
        )
        assert_two_way_audio(phone, carrier, MAX_CALL_SECONDS + 2)
        assert [item.source.host for item in phone.requests("BYE")] == [phone.host]


def wait_for_channels(lab: Parties, channels: int) -> None:
    """Wait until that many channels are up."""
    lab.server.wait_until(lambda: lab.server.channels() >= channels, f"{channels} channels", 10)
