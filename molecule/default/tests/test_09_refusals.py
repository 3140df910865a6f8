"""Nobody answers, somebody is busy, nobody is there: the caller hears it as a proper SIP answer, in time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab.driver.agents import NEVER_ANSWER, OngoingCall, Refuse
from lab.driver.capture import Leg, Recordings, record
from lab.driver.parties import Parties

DID = "+19863334949"
CALLER = "+15550103333"
BEFORE_RINGING_ENDS = 15
"""Seconds: an answer that comes sooner did not wait for phones that ring, which they do for 20."""


@pytest.fixture(scope="module", autouse=True)
def answering_afterwards(lab: Parties) -> Iterator[None]:
    yield
    lab.answer_every_call()


def four_calls(lab: Parties) -> dict[str, OngoingCall]:
    """A call from each carrier, one between extensions, and one to the outside, at the same time."""
    return {
        "first-carrier": lab.umatilla.call(DID, caller=CALLER),
        "second-carrier": lab.carrier_two.call(DID, caller=CALLER),
        "extension": lab.phone_102.call("101"),
        "outside": lab.phone_102.call("+15551234567"),
    }


def wait_for_all(calls: dict[str, OngoingCall]) -> dict[str, int]:
    return {name: call.wait().status for name, call in calls.items()}


@pytest.fixture(scope="module")
def busy(lab: Parties) -> dict[str, int]:
    """Every phone, and whoever is called outside, is busy."""
    for phone in lab.phones:
        phone.listen(Refuse())
    lab.ashburn.listen(Refuse())
    started = time.monotonic()
    statuses = wait_for_all(four_calls(lab))
    assert time.monotonic() - started < BEFORE_RINGING_ENDS
    return statuses


@pytest.mark.parametrize("caller", ["first-carrier", "second-carrier", "extension", "outside"])
def test_busy_is_told_as_486(busy: dict[str, int], caller: str) -> None:
    assert busy[caller] == 486


def test_extension_that_is_not_registered_is_told_as_480(lab: Parties) -> None:
    started = time.monotonic()
    assert lab.phone_100.call("102").wait().status == 480
    assert time.monotonic() - started < BEFORE_RINGING_ENDS


def test_did_whose_phone_is_not_registered_is_told_as_480(lab: Parties) -> None:
    lab.phone_100.silence()
    lab.phone_100.register(expires=0)
    try:
        started = time.monotonic()
        assert lab.umatilla.call(DID, caller=CALLER).wait().status == 480
        assert time.monotonic() - started < BEFORE_RINGING_ENDS
    finally:
        lab.phone_100.switch_on(NEVER_ANSWER)


class Unanswered:
    """The same calls, and nobody ever answers."""

    def __init__(self, lab: Parties) -> None:
        for phone in lab.phones:
            phone.listen(NEVER_ANSWER)
        lab.ashburn.listen(NEVER_ANSWER, lab.challenge)
        callers = (lab.umatilla, lab.carrier_two, lab.phone_102)
        with record(
            lab.phone_100.machine, lab.ashburn.machine, *(item.machine for item in callers)
        ) as recorded:
            results = {name: call.wait() for name, call in four_calls(lab).items()}
        self.recorded: Recordings = recorded
        machines = {
            "first-carrier": lab.umatilla.machine,
            "second-carrier": lab.carrier_two.machine,
            "extension": lab.phone_102.machine,
            "outside": lab.phone_102.machine,
        }
        self.legs: dict[str, Leg] = {
            name: recorded.of(machines[name]).leg(result.call_id) for name, result in results.items()
        }
        self.statuses = {name: result.status for name, result in results.items()}

    def seconds(self, caller: str) -> float:
        """From the first INVITE to the final answer."""
        messages = self.legs[caller].messages
        final = next(item.time for item in messages if item.message.status >= 480)
        return final - messages[0].time


@pytest.fixture(scope="module")
def unanswered(lab: Parties) -> Unanswered:
    return Unanswered(lab)


@pytest.mark.parametrize(
    ("caller", "seconds"), [("first-carrier", 20), ("second-carrier", 30), ("extension", 20), ("outside", 30)]
)
def test_no_answer_is_told_as_480_when_the_ring_time_is_over(
    unanswered: Unanswered, caller: str, seconds: int
) -> None:
    assert unanswered.statuses[caller] == 480
    assert seconds - 0.5 <= unanswered.seconds(caller) <= seconds + 2


def test_phone_stops_ringing_when_nobody_answered(unanswered: Unanswered, lab: Parties) -> None:
    for leg in unanswered.recorded.of(lab.phone_100.machine).legs:
        assert len(leg.requests("CANCEL")) == 1
        assert leg.statuses()[-1] == 487


def test_outside_number_stops_ringing_when_nobody_answered(unanswered: Unanswered, lab: Parties) -> None:
    (leg,) = unanswered.recorded.of(lab.ashburn.machine).legs
    assert len(leg.requests("CANCEL")) == 1
    assert leg.statuses()[-1] == 487


def test_nothing_is_left_of_refused_calls(unanswered: Unanswered, lab: Parties) -> None:
    lab.server.wait_until_idle()


CARRIER_SAYS = [
    "403 Forbidden",
    "404 Not Found",
    "410 Gone",
    "484 Address Incomplete",
    "488 Not Acceptable Here",
    "500 Server Internal Error",
    "603 Decline",
]


@pytest.mark.parametrize("said", CARRIER_SAYS)
def test_agent_learns_what_the_carrier_said_and_the_log_keeps_it(lab: Parties, said: str) -> None:
    mark = lab.server.log_size()
    with lab.ashburn.listening(Refuse(said)):
        assert lab.phone_102.call("+15551234567").wait().status == int(said[:3])
    log = [line for line in lab.server.log_since(mark).splitlines() if "] WARNING[" in line]
    (line,) = (line for line in log if "did not complete the call" in line)
    assert "twilio-na-us did not complete the call from PJSIP/102-" in line
    assert f"to +15551234567: {said} (" in line


@pytest.mark.parametrize("said", ["603 Decline", "404 Not Found", "488 Not Acceptable Here"])
def test_carrier_learns_what_the_agent_did(lab: Parties, said: str) -> None:
    lab.phone_100.listen(Refuse(said))
    assert lab.umatilla.call(DID, caller=CALLER).wait().status == int(said[:3])


def test_a_phone_that_enough_calls_ring_already_is_busy(lab: Parties) -> None:
    most = lab.model["pbx_extensions"][0]["max_ringing"]
    lab.phone_100.listen(NEVER_ANSWER)
    ringing = lab.phone_102.call("100", calls=most)
    lab.server.wait_until(lambda: lab.server.channels() == 2 * most, "the calls that ring")
    assert lab.umatilla.call(DID, caller=CALLER).wait().status == 486
    lab.phone_101.listen(NEVER_ANSWER)
    another = lab.carrier_two.call(DID, caller=CALLER)
    lab.server.wait_until(lambda: lab.server.channels() == 2 * most + 2, "the other phone, which still rings")
    lab.server.asterisk("channel request hangup all")
    another.wait()
    ringing.wait_all()
