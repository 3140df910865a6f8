"""What must never reach a Dial to the trunk: separators in a dialled number, and a trunk's own callers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.capture import record
from lab.driver.agents import NEVER_ANSWER, Answer, Talk
from lab.driver.parties import Parties

# As written on the wire. The PBX decodes %26 (&), %40 (@) and %2F (/) before the dialplan sees the number.
HOSTILE = (
    "9+15551234567&PJSIP",
    "9+15551234567&PJSIP/101",
    "915551234567&101",
    "915551234567%26PJSIP%2F101",
    "9+15551234567%40evil.example",
    "915551234567%40evil.example",
    "9+1555/1234567",
    "9+1555%2F1234567",
    "91555123456/",
    "9PJSIP/101",
    "9+PJSIP%2Ftwilio-na-us%2F15551234567",
    "9+1555123456a",
    "9+${GLOBAL(TWILIO_ORIGINATING_NUMBER)}",
    "9911&911",
    "911@911",
)
HOSTILE_FROM_INTERNAL = (
    "+15551234567&PJSIP/101",
    "+15551234567%26PJSIP%2F101",
    "+1555%401234567",
    "+15551234567@evil.example",
    "00155512345/67",
    "0015551234567%40evil.example",
    "+1555123456a",
    "+",
    "00",
)
FROM_TRUNK = (
    "915551234567",
    "95551234567",
    "9+15551234567",
    "0015551234567",
    "+442079460000",
    "15551234567",
    "911",
    "9911",
    "933",
    "100",
    "101",
    "9863334949&PJSIP",
    "+15551234567%26PJSIP%2Ftwilio-na-us",
)


@dataclass(frozen=True)
class Attempts:
    """What became of every attempt.

    Attributes:
        statuses: final status by who dialled what.
        reached: INVITEs that arrived at any carrier.
        log: of the server meanwhile.
    """

    statuses: dict[tuple[str, str], int]
    reached: list[str]
    log: str


@pytest.fixture(scope="module")
def attempts(lab: Parties) -> Iterator[Attempts]:
    """Everybody dials everything at once; phones only ring, so nothing is answered."""
    for phone in lab.phones:
        phone.listen(NEVER_ANSWER)
    phones = {"100": (lab.phone_100, HOSTILE), "102": (lab.phone_102, HOSTILE_FROM_INTERNAL)}
    mark = lab.server.log_size()
    statuses: dict[tuple[str, str], int] = {}
    try:
        with record(*(carrier.machine for carrier in lab.carriers)) as recorded:
            ongoing = {
                (number, dialled): phone.call(dialled, Talk(seconds=1))
                for number, (phone, numbers) in phones.items()
                for dialled in numbers
            }
            for carrier, dialled in itertools.product((lab.umatilla, lab.carrier_two), FROM_TRUNK):
                ongoing[carrier.machine.name, dialled] = carrier.call(
                    dialled, Talk(seconds=1), caller="+15550107777"
                )
            for key, call in ongoing.items():
                statuses[key] = call.wait().status
        reached = [
            invite.start_line
            for carrier in lab.carriers
            for invite in recorded.of(carrier.machine).received_invites()
        ]
        yield Attempts(statuses, reached, lab.server.log_since(mark))
    finally:
        for phone in lab.phones:
            phone.listen(Answer())


def test_no_hostile_number_reaches_a_carrier(attempts: Attempts) -> None:
    assert attempts.reached == []


def test_no_hostile_number_reaches_a_dial_to_the_trunk(attempts: Attempts) -> None:
    assert [line for line in attempts.log.splitlines() if "Dial(" in line and "twilio-na-us" in line] == []
    assert [line for line in attempts.log.splitlines() if "Called PJSIP/twilio-na-us" in line] == []


@pytest.mark.parametrize("dialled", HOSTILE)
def test_hostile_number_is_refused(attempts: Attempts, dialled: str) -> None:
    assert 400 <= attempts.statuses["100", dialled] < 500


@pytest.mark.parametrize("dialled", HOSTILE_FROM_INTERNAL)
def test_hostile_number_from_internal_is_refused(attempts: Attempts, dialled: str) -> None:
    assert 400 <= attempts.statuses["102", dialled] < 500


@pytest.mark.parametrize("carrier", ["lab-pop-umatilla", "lab-carrier-two"])
@pytest.mark.parametrize("dialled", FROM_TRUNK)
def test_trunk_caller_cannot_dial_out(attempts: Attempts, carrier: str, dialled: str) -> None:
    assert attempts.statuses[carrier, dialled] == 404
