"""Scenarios are filled in completely and safely; traces are read back."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from lab.driver.agents import Challenge
from lab.driver.sipp import ALAW, SCENARIOS_DIR, ULAW, SippResult, parse_trace, render

AUDIO = {
    "lead_ms": 300,
    "audio_file": "/var/lib/lab/milliwatt-0.raw",
    "audio_loops": 2,
    "payload_type": 0,
    "encoding": "PCMU/8000",
}
VALUES: dict[str, dict[str, Any]] = {
    "register.xml": {"number": "100", "password": "secret", "expires": 60, "contact_user": "100"},
    "refuse.xml": {"status": "486 Busy Here"},
    "answer.xml": {
        "challenge": Challenge("Admin", "secret").scenario_part(),
        "ring_ms": 100,
        "hold_ms": 1000,
        "payload_type": 0,
        "encoding": "PCMU/8000",
    },
    "call.xml": {
        "uri": "sip:9+1%40evil&x@198.18.0.10:5060",
        "caller": "+15550100100",
        "caller_name": "Lab",
        "from_host": "[local_ip]",
        "username": "100",
        "password": "secret",
        "when_challenged": "authenticate",
        "payload_type": 0,
        "encoding": "PCMU/8000",
        "hold_ms": 2000,
        "media_host": "[local_ip]",
        "audio": render("audio.part.xml", AUDIO),
        "while_talking": render("info.part.xml", {"key": "5"}),
    },
    "subscribe.xml": {"number": "100", "password": "secret", "expires": 60, "contact_user": "100"},
}
TRACE = """----------------------------------------------- 2026-11-23 00:02:14.957367
UDP message sent (305 bytes):

REGISTER sip:198.18.0.10:5060 SIP/2.0\r
Call-ID: 1-35@198.18.100.100\r
CSeq: 1 REGISTER\r
\r

----------------------------------------------- 2026-11-23\t00:02:14.959370
UDP message received [469] bytes :

OPTIONS sip:100@198.18.100.100 SIP/2.0\r
Call-ID: qualify\r
CSeq: 5 OPTIONS\r
\r

----------------------------------------------- 2026-11-23 00:02:14.969370
UDP message received [469] bytes :

SIP/2.0 401 Unauthorized\r
Call-ID: 1-35@198.18.100.100\r
CSeq: 1 REGISTER\r
\r
"""


@pytest.mark.parametrize("scenario", VALUES)
def test_scenario_is_well_formed_once_filled_in(scenario: str) -> None:
    text = render(scenario, VALUES[scenario])
    assert "%{" not in text
    root = ElementTree.fromstring(text)
    labels = {element.get("id") for element in root.iter("label")}
    targets = {element.get(name) for element in root.iter() for name in ("next", "ontimeout")} - {None}
    assert targets <= labels


def test_every_scenario_is_covered() -> None:
    assert {path.name for path in SCENARIOS_DIR.glob("*.xml")} == {
        *VALUES,
        "audio.part.xml",
        "challenge.part.xml",
        "info.part.xml",
    }


def test_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="status"):
        render("refuse.xml", {})


@pytest.mark.parametrize("value", ['a"b', "a<b", "a>b", "[last_Via:]", "486 Busy\nX: y"])
def test_value_that_would_change_the_scenario_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        render("refuse.xml", {"status": value})


def test_trace_is_read_back_in_order() -> None:
    assert [message.start_line for message in parse_trace(TRACE)] == [
        "REGISTER sip:198.18.0.10:5060 SIP/2.0",
        "OPTIONS sip:100@198.18.100.100 SIP/2.0",
        "SIP/2.0 401 Unauthorized",
    ]


def test_final_status_is_that_of_the_first_request() -> None:
    result = SippResult(0, parse_trace(TRACE), "")
    assert result.call_ids == ("1-35@198.18.100.100",)
    assert result.final_status() == 401
    assert SippResult(0, (), "").final_status() == 0


@pytest.mark.parametrize("codec", [ULAW, ALAW], ids=lambda codec: codec.name)
def test_tone_loops_in_whole_periods(codec: Any) -> None:
    assert len(codec.milliwatt) == 8
    assert {ULAW.name: 0, ALAW.name: 8}[codec.name] == codec.payload_type
