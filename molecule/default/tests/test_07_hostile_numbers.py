"""What must never reach a Dial to the trunk: separators in a dialled number, and a trunk's own callers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from lab.driver.agents import OngoingCall, Party, Phone, Pop, Refuse, Talk
from lab.driver.capture import record
from lab.driver.parties import Parties
from lab.driver.scanner import Scanner

# As written on the wire. The PBX decodes %26 (&), %40 (@) and %2F (/) before the dialplan sees the number.
FROM_PHONE = {
    "100": (
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
        "9+%24%7BGLOBAL(TWILIO_ORIGINATING_NUMBER)%7D",
        "9911&911",
        "911%40911",
    ),
    "102": (
        "+15551234567&PJSIP/101",
        "+15551234567%26PJSIP%2F101",
        "+1555%401234567",
        "00155512345/67",
        "0015551234567%40evil.example",
        "+1555123456a",
        "+",
        "00",
    ),
}
# No URI any more: the PBX cannot even read the request.
UNREADABLE = (
    "9+15551234567@evil.example",
    "911@911",
    "+15551234567@198.18.60.1",
    "9+${GLOBAL(TWILIO_ORIGINATING_NUMBER)}",
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
)
CARRIERS = ("lab-pop-umatilla", "lab-carrier-two")
TO_THE_TRUNK = re.compile(r'Dial\("[^"]*", "[^"]*twilio-na-us|Called PJSIP/twilio-na-us')


@pytest.mark.parametrize("dialled", ["+15551234567", "+15551234567%26PJSIP%2Ftwilio-na-us"])
def test_catch_all_rings_the_phone_whatever_follows_plus_1(lab: Parties, dialled: str) -> None:
    with record(lab.phone_100.machine, lab.ashburn.machine) as recorded:
        result = lab.umatilla.call(dialled, Talk(seconds=1), caller="+15550107778").wait()
    assert result.status == 200
    assert recorded.of(lab.phone_100.machine).leg_from("+15550107778").invites[0].uri.startswith("sip:100@")
    assert recorded.of(lab.ashburn.machine).received_invites() == []


@dataclass(frozen=True)
class Attempts:
    """What became of every attempt.

    Attributes:
        statuses: final status by who dialled what.
        unreadable: answers to requests that are no SIP, by what was dialled; None for silence.
        reached: INVITEs that arrived at any carrier.
        log: of the server meanwhile.
    """

    statuses: dict[tuple[str, str], int]
    unreadable: dict[str, int | None]
    reached: list[str]
    log: str


def place(party: Party, dialled: str) -> OngoingCall:
    """Dial as a phone, or as a carrier."""
    if isinstance(party, Phone):
        return party.call(dialled, Talk(seconds=1))
    assert isinstance(party, Pop)
    return party.call(dialled, Talk(seconds=1), caller="+15550107777")


@pytest.fixture(scope="module")
def attempts(lab: Parties) -> Iterator[Attempts]:
    """Everybody dials everything; the phones are busy, so whatever rings them is over at once."""
    for phone in lab.phones:
        phone.listen(Refuse())
    callers = {phone.number: phone for phone in (lab.phone_100, lab.phone_102)}
    carriers = {carrier.machine.name: carrier for carrier in (lab.umatilla, lab.carrier_two)}
    wanted: list[tuple[str, str]] = [(name, dialled) for name in callers for dialled in FROM_PHONE[name]]
    wanted += itertools.product(CARRIERS, FROM_TRUNK)
    everybody: dict[str, Party] = {**callers, **carriers}
    mark = lab.server.log_size()
    raw = Scanner(lab.phone_100.machine, lab.pbx)
    try:
        with (
            record(*(carrier.machine for carrier in lab.carriers)) as recorded,
            ThreadPoolExecutor(max_workers=6) as pool,
        ):
            answers = pool.map(
                lambda dialled: raw.ask("INVITE", dialled, caller="100", seconds=2), UNREADABLE
            )
            results = pool.map(lambda key: place(everybody[key[0]], key[1]).wait().status, wanted)
            statuses = dict(zip(wanted, results, strict=True))
            unreadable = dict(
                zip(UNREADABLE, (answer.status if answer else None for answer in answers), strict=True)
            )
        reached = [
            invite.start_line
            for carrier in lab.carriers
            for invite in recorded.of(carrier.machine).received_invites()
        ]
        yield Attempts(statuses, unreadable, reached, lab.server.log_since(mark))
    finally:
        lab.answer_every_call()


def test_nothing_reaches_a_carrier(attempts: Attempts) -> None:
    assert attempts.reached == []


def test_nothing_reaches_a_dial_to_the_trunk(attempts: Attempts) -> None:
    assert "Executing" in attempts.log, "the log shows no dialplan step at all: this test would prove nothing"
    assert [line for line in attempts.log.splitlines() if TO_THE_TRUNK.search(line)] == []


@pytest.mark.parametrize(
    ("number", "dialled"), [(number, dialled) for number in FROM_PHONE for dialled in FROM_PHONE[number]]
)
def test_hostile_number_is_refused(attempts: Attempts, number: str, dialled: str) -> None:
    assert attempts.statuses[number, dialled] in (404, 484)


@pytest.mark.parametrize("dialled", UNREADABLE)
def test_unreadable_number_is_refused_or_ignored(attempts: Attempts, dialled: str) -> None:
    assert attempts.unreadable[dialled] in (None, 400, 401)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("dialled", FROM_TRUNK)
def test_trunk_caller_cannot_dial_out(attempts: Attempts, carrier: str, dialled: str) -> None:
    assert attempts.statuses[carrier, dialled] == 404


@pytest.mark.parametrize(
    "user",
    [
        "100&PJSIP/twilio-na-us/sip:15551234567",
        "100%26PJSIP%2Ftwilio-na-us",
        "100,30,g",
        "100)",
        "100'x",
        "a):Goto(outbound,+15551234567,1",
    ],
)
def test_phone_cannot_smuggle_a_destination_into_its_contact(lab: Parties, user: str) -> None:
    """Dial would read it as a second destination, past the outbound policy, for whoever has a password."""
    phone = lab.phone_101
    phone.silence()
    try:
        status = phone.register(contact_user=user)
        assert status in (200, 400)
        if status == 400:
            return  # no such Contact, so there is nobody to call
        mark = lab.server.log_size()
        with record(*(carrier.machine for carrier in lab.carriers)) as recorded:
            # Nobody listens there: unknown, gone, or refused by the host itself.
            assert lab.phone_100.call("101").wait().status in (404, 480, 503)
        assert not [
            invite for carrier in lab.carriers for invite in recorded.of(carrier.machine).received_invites()
        ]
        assert "Executing" in lab.server.log_since(mark)
        assert not TO_THE_TRUNK.search(lab.server.log_since(mark))
    finally:
        phone.register(expires=0, contact_user=user)
        phone.register()
        lab.answer_every_call()
