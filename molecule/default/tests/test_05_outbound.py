"""Every documented way to dial outside, as the carrier sees it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import pytest

from lab.driver.agents import Answer, Talk
from lab.driver.audio import assert_two_way_audio
from lab.driver.capture import Leg, record
from lab.driver.messages import SipMessage
from lab.driver.parties import Parties

# What is dialled, exactly as it goes on the wire, and by whom. %20 is a blank.
DIALLED = {
    "915551234567": "100",
    "+15551234567": "102",
    "95551234567": "100",
    "0015551234567": "102",
    "9115551234567": "100",
    "+1%20(555)%20123-4567": "102",
    "9+15551234567": "100",
    "01115551234567": "102",
    "+1-555-123-4567": "100",
    "00%201%20555.123.4567": "102",
    "9(555)%20123-4567": "100",
    "9555.123.4567": "100",
    "9%201%20555%20123%204567": "100",
    "901115551234567": "100",
}
REQUEST_URI = "sip:+15551234567@nlpbay.pstn.ashburn.twilio.com"
CALLER_ID = '"CallCenter" <sip:+19863334949@{address}>'


@dataclass(frozen=True)
class OutboundCall:
    """One call: the phone's leg and the carrier's."""

    status: int
    phone: Leg
    carrier: Leg

    @property
    def invites(self) -> list[SipMessage]:
        return self.carrier.invites


@pytest.fixture(scope="module")
def calls(lab: Parties) -> dict[str, OutboundCall]:
    """All forms, 900 ms apart: the carrier sees them in the order in which they were dialled."""
    phones = {"100": lab.phone_100, "102": lab.phone_102}
    machines = (lab.phone_100.machine, lab.phone_102.machine, lab.ashburn.machine)
    with record(*machines) as recorded:
        ongoing = {}
        for dialled, number in DIALLED.items():
            ongoing[dialled] = phones[number].call(dialled, Talk(seconds=2))
            time.sleep(0.9)
        results = {dialled: call.wait() for dialled, call in ongoing.items()}
    legs = {
        dialled: recorded.of(phones[number].machine).leg(results[dialled].call_id)
        for dialled, number in DIALLED.items()
    }
    in_order = sorted(legs, key=lambda dialled: legs[dialled].messages[0].time)
    carriers = dict(zip(in_order, recorded.of(lab.ashburn.machine).legs, strict=True))
    return {
        dialled: OutboundCall(results[dialled].status, legs[dialled], carriers[dialled])
        for dialled in DIALLED
    }


@pytest.mark.parametrize("dialled", DIALLED)
class TestOutboundCall:
    def test_is_answered_with_audio_both_ways(self, calls: dict[str, OutboundCall], dialled: str) -> None:
        call = calls[dialled]
        assert call.status == 200
        assert_two_way_audio(call.phone, call.carrier, 2)

    def test_carriers_challenge_gets_the_right_digest(
        self, calls: dict[str, OutboundCall], lab: Parties, dialled: str
    ) -> None:
        call = calls[dialled]
        assert 407 in call.carrier.statuses()
        assert len(call.invites) == 2
        assert call.invites[0].header("proxy-authorization") == ""
        assert lab.challenge.is_answered_by(call.invites[1])

    def test_leaves_as_e164_at_the_termination_host(
        self, calls: dict[str, OutboundCall], dialled: str
    ) -> None:
        assert [invite.uri for invite in calls[dialled].invites] == [REQUEST_URI, REQUEST_URI]
        assert {invite.header("to") for invite in calls[dialled].invites} == {f"<{REQUEST_URI}>"}

    def test_shows_the_call_centers_caller_id(
        self, calls: dict[str, OutboundCall], lab: Parties, dialled: str
    ) -> None:
        caller_id = CALLER_ID.format(address=lab.pbx.address)
        for invite in calls[dialled].invites:
            assert invite.header("from").partition(";tag=")[0] == caller_id
            assert invite.header("p-asserted-identity") == caller_id

    def test_names_the_public_address_in_contact_and_media(
        self, calls: dict[str, OutboundCall], lab: Parties, dialled: str
    ) -> None:
        for invite in calls[dialled].invites:
            contact = invite.header("contact")
            assert f"@{lab.pbx.target}" in contact or f"sip:{lab.pbx.target}" in contact
            assert invite.media is not None
            assert invite.media.address == lab.pbx.address
            assert 10000 <= invite.media.port <= 10098
            addresses = [
                line.split()[-1] for line in invite.body.splitlines() if line.startswith(("c=", "o="))
            ]
            assert set(addresses) == {lab.pbx.address}

    def test_comes_from_the_sip_port_and_offers_ulaw_then_alaw(
        self, calls: dict[str, OutboundCall], lab: Parties, dialled: str
    ) -> None:
        for item in calls[dialled].carrier.requests("INVITE"):
            assert (item.source.host, item.source.port) == (lab.pbx.address, lab.pbx.sip_port)
            assert item.message.media is not None
            assert item.message.media.payload_types[:2] == (0, 8)

    def test_hang_up_by_phone_ends_the_carriers_leg(
        self, calls: dict[str, OutboundCall], dialled: str
    ) -> None:
        assert calls[dialled].carrier.statuses("BYE") == [200]


def test_a_challenge_of_another_realm_gets_no_digest(lab: Parties, answering_again: None) -> None:
    """Whoever makes a call come to itself would learn something to guess the carrier's password from."""
    lab.ashburn.listen(Answer(), replace(lab.challenge, realm="sip.elsewhere.example"))
    with record(lab.ashburn.machine) as recorded:
        result = lab.phone_100.call("915551234567", Talk(seconds=1)).wait()
    assert result.status >= 400
    invites = recorded.of(lab.ashburn.machine).requests("INVITE")
    assert invites, "the call came to the carrier"
    assert not [invite for invite in invites if invite.header("proxy-authorization")]
