"""As many calls as the media ports carry, and a clean refusal for the next one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.driver.agents import CallResult, Talk
from lab.driver.audio import MAX_LOSS, PACKETS_PER_SECOND
from lab.driver.capture import Leg, record
from lab.driver.parties import Parties

DID = "+19863334949"
INBOUND, INTERNAL, RESERVED = 12, 11, 2
CAPACITY = INBOUND + INTERNAL
TALK = Talk(seconds=8)
BEFORE_RINGING_ENDS = 15
"""Seconds: a refusal that comes sooner did not wait for a phone to answer."""


@dataclass(frozen=True)
class Crowd:
    """Calls of one kind: what the caller's side and the answering side saw of them."""

    results: list[CallResult]
    callers: list[Leg]
    callees: list[Leg]


@dataclass(frozen=True)
class FullHouse:
    """As many calls as there may be, meanwhile one more and two emergency calls, and one after them."""

    crowds: tuple[Crowd, Crowd]
    one_more: CallResult
    seconds_to_refusal: float
    phones_that_rang: list[str]
    emergencies: list[CallResult]
    one_after: CallResult


@pytest.fixture(scope="module")
def full_house(lab: Parties) -> FullHouse:
    machines = (lab.ashburn.machine, lab.umatilla.machine, lab.phone_100.machine, lab.phone_101.machine)
    with record(*machines) as recorded:
        inbound = lab.ashburn.call(DID, TALK, caller="+15550105555", calls=INBOUND)
        internal = lab.phone_102.call("101", TALK, calls=INTERNAL)
        lab.server.wait_until(lambda: lab.server.channels() == 2 * CAPACITY, "a full house")
        one_more = lab.umatilla.call(DID, Talk(seconds=1), caller="+15550106666").wait()
        emergencies = lab.phone_102.call("911", Talk(seconds=1), calls=RESERVED).wait_all()
        results = (inbound.wait_all(), internal.wait_all())
        lab.server.wait_until_idle()
        one_after = lab.umatilla.call(DID, Talk(seconds=1), caller="+15550106667").wait()
    at_100, at_101 = recorded.of(lab.phone_100.machine), recorded.of(lab.phone_101.machine)
    called_by_102 = {result.call_id for result in (*results[1], *emergencies)}
    refused = recorded.of(lab.umatilla.machine).leg(one_more.call_id).messages
    return FullHouse(
        (
            Crowd(
                results[0],
                [recorded.of(lab.ashburn.machine).leg(result.call_id) for result in results[0]],
                [leg for leg in at_100.legs if "sip:+15550105555@" in leg.invites[0].header("from")],
            ),
            Crowd(
                results[1],
                [at_101.leg(result.call_id) for result in results[1]],
                [leg for leg in at_101.legs if leg.call_id not in called_by_102],
            ),
        ),
        one_more,
        next(item.time for item in refused if item.message.status >= 300) - refused[0].time,
        [invite.header("from") for item in (at_100, at_101) for invite in item.received_invites()],
        emergencies,
        one_after,
    )


def test_capacity_is_what_the_media_ports_carry(lab: Parties) -> None:
    ports = lab.model["pbx_rtp_ports"]
    assert (ports["last"] - ports["first"]) // 4 == CAPACITY + RESERVED
    assert lab.model["pbx_max_calls"] == CAPACITY


def test_as_many_calls_at_once_are_answered(full_house: FullHouse) -> None:
    for crowd, count in zip(full_house.crowds, (INBOUND, INTERNAL), strict=True):
        assert [result.status for result in crowd.results] == [200] * count


def test_all_of_them_have_audio_at_both_ends(full_house: FullHouse) -> None:
    expected = TALK.seconds * PACKETS_PER_SECOND
    for crowd in full_house.crowds:
        assert len(crowd.callers) == len(crowd.callees) == len(crowd.results)
        for leg in crowd.callers:
            assert leg.sent is not None, leg.call_id
            assert leg.received is not None, leg.call_id
            assert leg.sent.packets >= expected * (1 - MAX_LOSS), leg.sent
            # The phone echoes what it hears, so this went through the PBX twice.
            assert leg.received.packets >= expected * (1 - 2 * MAX_LOSS), leg.received
        for leg in crowd.callees:
            assert leg.sent is not None, leg.call_id
            assert leg.received is not None, leg.call_id
            assert leg.received.packets >= expected * (1 - MAX_LOSS), leg.received
            assert leg.sent.packets >= leg.received.packets * (1 - MAX_LOSS), leg.sent
        echoed = sum(leg.sent.packets for leg in crowd.callees if leg.sent)
        returned = sum(leg.received.packets for leg in crowd.callers if leg.received)
        assert returned >= echoed * (1 - MAX_LOSS)


def test_each_leg_has_a_media_port_of_its_own(full_house: FullHouse) -> None:
    legs = [leg for crowd in full_house.crowds for leg in (*crowd.callers, *crowd.callees)]
    assert len({leg.received.source.port for leg in legs if leg.received}) == 2 * CAPACITY


def test_one_call_more_is_refused_cleanly(full_house: FullHouse) -> None:
    assert full_house.one_more.status == 503
    assert full_house.seconds_to_refusal < BEFORE_RINGING_ENDS
    assert not any("+15550106666" in caller for caller in full_house.phones_that_rang)


def test_emergency_calls_find_a_place_in_a_full_house(full_house: FullHouse) -> None:
    assert [call.status for call in full_house.emergencies] == [200] * RESERVED


def test_place_is_free_again_afterwards(full_house: FullHouse) -> None:
    assert full_house.one_after.status == 200
