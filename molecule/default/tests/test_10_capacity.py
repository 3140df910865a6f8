"""As many calls as the media ports carry, and a clean refusal for the next one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.capture import Recording, record
from lab.driver.agents import CallResult, Talk
from lab.driver.audio import MAX_LOSS, PACKETS_PER_SECOND
from lab.driver.parties import Parties

DID = "+19863334949"
CAPACITY = 25
TALK = Talk(seconds=5)


@dataclass(frozen=True)
class FullHouse:
    """Twenty-five calls at once, one more while they last, and one after them."""

    calls: list[CallResult]
    one_more: CallResult
    seconds_to_refusal: float
    one_after: CallResult
    carrier: Recording
    phone: Recording
    log: str


@pytest.fixture(scope="module")
def full_house(lab: Parties) -> FullHouse:
    mark = lab.server.log_size()
    with record(lab.ashburn.machine, lab.umatilla.machine, lab.phone_100.machine) as recorded:
        crowd = lab.ashburn.call(DID, TALK, caller="+15550105555", calls=CAPACITY)
        lab.server.wait_until(lambda: lab.server.channels() == 2 * CAPACITY, "a full house", 5)
        one_more = lab.umatilla.call(DID, Talk(seconds=1), caller="+15550106666").wait()
        calls = crowd.wait_all()
        lab.server.wait_until_idle()
        one_after = lab.umatilla.call(DID, Talk(seconds=1), caller="+15550106667").wait()
    messages = recorded.of(lab.umatilla.machine).leg(one_more.call_id).messages
    refusal = next(item.time for item in messages if item.message.status >= 300)
    return FullHouse(
        calls,
        one_more,
        refusal - messages[0].time,
        one_after,
        recorded.of(lab.ashburn.machine),
        recorded.of(lab.phone_100.machine),
        lab.server.log_since(mark),
    )


def test_capacity_is_what_the_media_ports_carry(lab: Parties) -> None:
    ports = lab.model["pbx_rtp_ports"]
    assert (ports["last"] - ports["first"]) // 4 == CAPACITY
    assert lab.model["pbx_max_calls"] == CAPACITY


def test_twenty_five_calls_at_once_are_answered(full_house: FullHouse) -> None:
    assert [call.status for call in full_house.calls] == [200] * CAPACITY


def test_all_of_them_have_audio_at_both_ends(full_house: FullHouse) -> None:
    expected = TALK.seconds * PACKETS_PER_SECOND
    carrier_legs = [full_house.carrier.leg(call.call_id) for call in full_house.calls]
    phone_legs = [leg for leg in full_house.phone.legs if leg.requests("BYE")][:CAPACITY]
    assert len(phone_legs) == CAPACITY
    for leg in (*carrier_legs, *phone_legs):
        assert leg.sent is not None, leg.call_id
        assert leg.received is not None, leg.call_id
        # The phone echoes what it hears: what comes back to the carrier went through the PBX twice.
        assert leg.sent.packets >= expected * (1 - MAX_LOSS), leg.sent
        assert leg.received.packets >= expected * (1 - MAX_LOSS), leg.received
        assert leg.received.lost < expected * MAX_LOSS, leg.received


def test_each_leg_has_a_port_of_its_own(full_house: FullHouse) -> None:
    carrier_legs = [full_house.carrier.leg(call.call_id) for call in full_house.calls]
    phone_legs = [leg for leg in full_house.phone.legs if leg.requests("BYE")][:CAPACITY]
    ports = {leg.received.source.port for leg in (*carrier_legs, *phone_legs) if leg.received}
    assert len(ports) == 2 * CAPACITY


def test_one_call_more_is_refused_cleanly(full_house: FullHouse) -> None:
    assert full_house.one_more.status == 503
    assert full_house.seconds_to_refusal < 1
    assert not any(
        "+15550106666" in invite.header("from") for invite in full_house.phone.requests("INVITE")
    ), "the phone rang for a call that cannot be carried"


def test_place_is_free_again_afterwards(full_house: FullHouse) -> None:
    assert full_house.one_after.status == 200
