"""The phones call each other; no carrier hears of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.driver.agents import Talk
from lab.driver.audio import assert_two_way_audio
from lab.driver.capture import Leg, Recordings, record
from lab.driver.parties import Parties

DIRECTIONS = {
    "100-calls-101": ("100", "101"),
    "101-calls-100": ("101", "100"),
    "102-calls-100": ("102", "100"),
}


@dataclass(frozen=True)
class InternalCalls:
    """The calls of both directions, placed at the same time."""

    statuses: dict[str, int]
    callers: dict[str, Leg]
    callees: dict[str, list[Leg]]
    recorded: Recordings


def rung_by(legs: list[Leg], caller: str, callee: str, pbx: str) -> list[Leg]:
    """The legs by which the PBX rang this phone for that caller."""
    return [
        leg
        for leg in legs
        if leg.requests("INVITE")[0].source.host == pbx
        and f"<sip:{caller}@" in leg.invites[0].header("from")
        and leg.invites[0].uri.startswith(f"sip:{callee}@")
    ]


@pytest.fixture(scope="module")
def calls(lab: Parties) -> InternalCalls:
    phones = {phone.number: phone for phone in (*lab.phones, lab.phone_102)}
    machines = {phone.machine.name: phone.machine for phone in lab.phones} | {
        carrier.machine.name: carrier.machine for carrier in lab.carriers
    }
    with record(*machines.values()) as recorded:
        ongoing = {
            name: phones[caller].call(callee, Talk(seconds=2))
            for name, (caller, callee) in DIRECTIONS.items()
        }
        results = {name: call.wait() for name, call in ongoing.items()}
    callers = {
        name: recorded.of(phones[caller].machine).leg(results[name].call_id)
        for name, (caller, _) in DIRECTIONS.items()
    }
    callees = {
        name: rung_by(recorded.of(phones[callee].machine).legs, caller, callee, lab.pbx.address)
        for name, (caller, callee) in DIRECTIONS.items()
    }
    return InternalCalls({name: item.status for name, item in results.items()}, callers, callees, recorded)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_extension_reaches_extension_with_audio(calls: InternalCalls, name: str) -> None:
    assert calls.statuses[name] == 200
    (callee,) = calls.callees[name]
    assert_two_way_audio(calls.callers[name], callee, 2)


def test_media_goes_through_the_pbx(calls: InternalCalls, lab: Parties) -> None:
    for leg in (*calls.callers.values(), *(leg for legs in calls.callees.values() for leg in legs)):
        assert leg.received is not None
        assert leg.received.source.host == lab.pbx.address


def test_nothing_of_an_internal_call_reaches_a_carrier(calls: InternalCalls, lab: Parties) -> None:
    for carrier in lab.carriers:
        recording = calls.recorded.of(carrier.machine)
        assert recording.requests("INVITE") == []
        assert recording.flows == []
