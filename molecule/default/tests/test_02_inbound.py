"""The carrier calls in: both POPs, every way it may write the number, hang-up from either side."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.driver.agents import Answer, Pop, Talk
from lab.driver.audio import assert_two_way_audio
from lab.driver.capture import Leg, record
from lab.driver.parties import Parties
from lab.driver.sipp import ALAW, ULAW

DID = "+19863334949"
NUMBERS = {
    "E.164": DID,
    "with-country-code": DID[1:],
    "with-00": f"00{DID[1:]}",
    "with-011": f"011{DID[1:]}",
    "with-parameters": f"{DID};npdi;rn=+12025550100",
    "ten-digits": DID[2:],
    "another-plus-1-number": "+12025550143",
}
# A caller's number as the carrier sends it, and as the phone shows it and can call it back.
CALLERS = {
    "+15550102222": "+15550102222",
    "15550102223": "+15550102223",
    "5550102224": "+15550102224",
    "00442079460000": "+442079460000",
    "011442079460001": "+442079460001",
    "anonymous": "anonymous",
    "266696687": "266696687",
}
POPS = ("ashburn", "umatilla")
TALK = Talk(seconds=2)


@dataclass(frozen=True)
class InboundCall:
    """One call: who should hang up, and both ends as recorded."""

    status: int
    carrier: Leg
    phone: Leg


def pop(lab: Parties, name: str) -> Pop:
    return lab.ashburn if name == "ashburn" else lab.umatilla


def place(
    lab: Parties, dialled: dict[tuple[str, str], tuple[str, Talk]]
) -> dict[tuple[str, str], InboundCall]:
    """Place all calls at the same time; the key's first part is the POP, the value is number and talk."""
    callers = {key: f"+1555010{serial:04d}" for serial, key in enumerate(dialled)}
    machines = (lab.ashburn.machine, lab.umatilla.machine, lab.phone_100.machine)
    with record(*machines) as recorded:
        ongoing = {
            key: pop(lab, key[0]).call(number, talk, caller=callers[key])
            for key, (number, talk) in dialled.items()
        }
        results = {key: call.wait() for key, call in ongoing.items()}
    phone = recorded.of(lab.phone_100.machine)
    return {
        key: InboundCall(
            result.status,
            recorded.of(pop(lab, key[0]).machine).leg(result.call_id),
            phone.leg_from(callers[key]),
        )
        for key, result in results.items()
    }


@pytest.fixture(scope="module")
def calls(lab: Parties) -> dict[tuple[str, str], InboundCall]:
    """Both POPs call every form of number at once; the carrier hangs up."""
    return place(lab, {(name, form): (number, TALK) for name in POPS for form, number in NUMBERS.items()})


@pytest.fixture(scope="module")
def calls_ended_by_phone(lab: Parties) -> dict[tuple[str, str], InboundCall]:
    """Both POPs call; the phone hangs up."""
    lab.phone_100.listen(Answer(hold_ms=3000))
    try:
        return place(lab, {(name, "phone"): (DID, Talk(seconds=2, hang_up=False)) for name in POPS})
    finally:
        lab.phone_100.listen(Answer())


@pytest.mark.parametrize("form", NUMBERS)
@pytest.mark.parametrize("name", POPS)
class TestInboundCall:
    def test_rings_100_and_is_answered(
        self, calls: dict[tuple[str, str], InboundCall], name: str, form: str
    ) -> None:
        call = calls[name, form]
        assert call.status == 200
        assert 180 in call.carrier.statuses()
        assert call.phone.invites[0].uri.startswith("sip:100@")

    def test_audio_flows_both_ways(
        self, calls: dict[tuple[str, str], InboundCall], name: str, form: str
    ) -> None:
        call = calls[name, form]
        assert_two_way_audio(call.carrier, call.phone, TALK.seconds, ULAW)

    def test_pbx_announces_its_public_address(
        self, calls: dict[tuple[str, str], InboundCall], lab: Parties, name: str, form: str
    ) -> None:
        call = calls[name, form]
        answer = next(item.message for item in call.carrier.messages if item.message.status == 200)
        for message in (answer, call.phone.invites[0]):
            assert message.media is not None
            assert message.media.address == lab.pbx.address
            assert 10000 <= message.media.port <= 10098
            assert message.media.port % 2 == 0
            assert f"@{lab.pbx.target}" in message.header(
                "contact"
            ) or f":{lab.pbx.target}" in message.header("contact")

    def test_hang_up_by_carrier_ends_the_phones_leg(
        self, calls: dict[tuple[str, str], InboundCall], name: str, form: str
    ) -> None:
        call = calls[name, form]
        byes = [item.source.host for item in call.carrier.requests("BYE")]
        assert byes == [call.carrier.host], f"{call.carrier.story}\n\n{call.phone.story}"
        assert call.carrier.statuses("BYE") == [200]
        assert [item.destination.host for item in call.phone.requests("BYE")] == [call.phone.host]
        assert call.phone.statuses("BYE") == [200]


@pytest.mark.parametrize("name", POPS)
def test_hang_up_by_phone_ends_the_carriers_leg(
    calls_ended_by_phone: dict[tuple[str, str], InboundCall], lab: Parties, name: str
) -> None:
    call = calls_ended_by_phone[name, "phone"]
    assert_two_way_audio(call.carrier, call.phone, 2)
    assert [item.source.host for item in call.phone.requests("BYE")] == [call.phone.host]
    assert [item.destination.host for item in call.carrier.requests("BYE")] == [call.carrier.host]
    assert call.carrier.statuses("BYE") == [200]
    lab.server.wait_until_idle()


def test_callers_number_reaches_the_phone(calls: dict[tuple[str, str], InboundCall]) -> None:
    caller = calls["ashburn", "E.164"].carrier.invites[0].header("from")
    shown = calls["ashburn", "E.164"].phone.invites[0].header("from")
    assert caller.partition("<sip:")[2].partition("@")[0] == shown.partition("<sip:")[2].partition("@")[0]


def test_alaw_carrier_and_ulaw_phone_hear_each_other(lab: Parties) -> None:
    with record(lab.umatilla.machine, lab.phone_100.machine) as recorded:
        result = lab.umatilla.call(DID, Talk(seconds=2, codec=ALAW), caller="+15550109999").wait()
    assert result.status == 200
    carrier = recorded.of(lab.umatilla.machine).leg(result.call_id)
    phone = recorded.of(lab.phone_100.machine).leg_from("+15550109999")
    assert_two_way_audio(carrier, phone, 2)
    assert carrier.received is not None
    assert carrier.received.payload_types == {ALAW.payload_type}
    assert phone.received is not None
    assert phone.received.payload_types == {ULAW.payload_type}


def test_callers_number_is_one_that_the_phone_can_call_back(lab: Parties) -> None:
    shown = {}
    for sent in CALLERS:
        with record(lab.phone_100.machine) as recorded:
            assert lab.umatilla.call(DID, Talk(seconds=1), caller=sent).wait().status == 200
        (leg,) = recorded.of(lab.phone_100.machine).legs
        shown[sent] = leg.invites[0].header("from").partition("<sip:")[2].partition("@")[0]
    assert shown == CALLERS
