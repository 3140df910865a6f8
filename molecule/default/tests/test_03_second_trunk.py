"""A second carrier lands in from-pstn: both phones ring, the first to answer gets the call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.driver.agents import NEVER_ANSWER, Answer, Talk
from lab.driver.audio import assert_two_way_audio
from lab.driver.capture import Leg, record
from lab.driver.parties import Parties

DID = "+19863334949"
CALLER = "+15550102222"


@dataclass(frozen=True)
class ParallelCall:
    """A call to both phones: the carrier's leg, the winner's and the loser's."""

    status: int
    carrier: Leg
    winner: Leg
    loser: Leg


@pytest.fixture(scope="module", params=["100", "101"])
def call(request: pytest.FixtureRequest, lab: Parties) -> Iterator[ParallelCall]:
    """The second carrier calls; the phone of this number answers after a moment, the other only rings."""
    winner, loser = sorted(lab.phones, key=lambda phone: phone.number != request.param)
    winner.listen(Answer(ring_ms=700))
    loser.listen(NEVER_ANSWER)
    try:
        machines = (lab.carrier_two.machine, winner.machine, loser.machine)
        with record(*machines) as recorded:
            result = lab.carrier_two.call(DID, Talk(seconds=2), caller=CALLER).wait()
        yield ParallelCall(
            result.status,
            recorded.of(lab.carrier_two.machine).leg(result.call_id),
            recorded.of(winner.machine).leg_from(CALLER),
            recorded.of(loser.machine).leg_from(CALLER),
        )
    finally:
        for phone in lab.phones:
            phone.listen(Answer())


def test_both_phones_ring(call: ParallelCall) -> None:
    assert 180 in call.winner.statuses()
    assert 180 in call.loser.statuses()


def test_first_phone_to_answer_gets_the_call_with_audio(call: ParallelCall) -> None:
    assert call.status == 200
    assert 200 in call.winner.statuses()
    assert_two_way_audio(call.carrier, call.winner, 2)


def test_other_phone_stops_ringing(call: ParallelCall) -> None:
    answered = next(item.time for item in call.winner.messages if item.message.status == 200)
    cancels = call.loser.requests("CANCEL")
    assert len(cancels) == 1
    assert 0 <= cancels[0].time - answered < 1
    assert call.loser.statuses()[-1] == 487
    assert call.loser.received is None
