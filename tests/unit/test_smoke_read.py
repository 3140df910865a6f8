"""Reading Asterisk's console, on answers of a deployed Asterisk 22.10.1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils import smoke_read as read

FIXTURES = Path(__file__).parent / "fixtures" / "smoke"
ANSWERS: dict[str, str] = json.loads((FIXTURES / "deployed.json").read_text())["console"]["answers"]


def test_endpoints() -> None:
    found = read.endpoints(ANSWERS["pjsip show endpoints"])
    assert list(found) == ["100", "101", "102", "health-check", "second-carrier", "twilio-na-us"]
    assert found["100"] == read.Endpoint(
        "100",
        "Not in use",
        in_auths=("100-iauth",),
        aors=("100",),
        contacts=(read.Contact("sip:100@198.18.100.100:5060", "Avail"),),
    )
    assert found["102"] == read.Endpoint("102", "Unavailable", in_auths=("102-iauth",), aors=("102",))
    assert found["twilio-na-us"] == read.Endpoint(
        "twilio-na-us",
        "Not in use",
        out_auths=("twilio-na-us-auth",),
        aors=("twilio-na-us-aor",),
        contacts=(
            read.Contact("sip:nlpbay.pstn.ashburn.t", "Avail"),
            read.Contact("sip:198.18.60.1:5060", "Avail"),
            read.Contact("sip:198.18.51.1:5060", "Unavail"),
        ),
    )


def test_identifies() -> None:
    assert read.identifies(ANSWERS["pjsip show identifies"]) == (
        read.Identify("health-check-identify", "health-check", ("127.0.0.1/32",)),
        read.Identify("second-carrier-identify", "second-carrier", ("198.18.70.1/32",)),
        read.Identify("twilio-na-us-identify", "twilio-na-us", ("198.18.60.0/30", "198.18.51.0/30")),
    )


def test_names() -> None:
    auths = {"100-iauth", "101-iauth", "102-iauth", "twilio-na-us-auth"}
    assert read.names(ANSWERS["pjsip list auths"], "Auth") == auths
    assert read.names(ANSWERS["pjsip list aors"], "Aor") == {"100", "101", "102", "twilio-na-us-aor"}


def test_transports() -> None:
    assert read.transports(ANSWERS["pjsip show transports"]) == (
        read.Transport("transport-tcp", "tcp", "0.0.0.0:5060"),
        read.Transport("transport-udp", "udp", "0.0.0.0:5060"),
    )


def test_parameters() -> None:
    found = read.parameters(ANSWERS["pjsip show endpoint twilio-na-us"])
    assert (found["context"], found["allow"], found["outbound_auth"]) == (
        "from-twilio",
        "(ulaw|alaw)",
        "twilio-na-us-auth",
    )
    assert read.parameters("Unable to find object nope.\n\n") == {}


def test_nothing_is_found_in_nothing() -> None:
    assert read.endpoints("") == {}
    assert read.identifies("No objects found.\n\n") == ()
    assert read.transports("") == ()
    assert read.names("No objects found.\n", "Auth") == frozenset()
    assert (read.version(""), read.load(""), read.rtp_ports(""), read.in_maintenance("")) == (None,) * 4
    assert read.uptime_seconds("") is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("Asterisk 22.10.1+dfsg+~cs6.17-1 built by nobody", "22.10.1", id="Debian"),
        pytest.param("Asterisk 22.11.0 built by root", "22.11.0", id="from source"),
        pytest.param("Asterisk GIT-master-1234 built by root", None, id="unreleased"),
    ],
)
def test_version(answer: str, expected: str | None) -> None:
    assert read.version(answer) == expected


def test_versions_compare_as_numbers() -> None:
    ordered = ["22.9.0", "22.10", "22.10.1", "22.11.0", "23.0.0"]
    assert sorted(ordered, key=read.version_key) == ordered


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            "0 active channels\n0 active calls\n0 calls processed\n", read.Load(0, 0, None), id="idle"
        ),
        pytest.param(
            "2 active channels\n1 of 25 max active call ( 4.00% of capacity)\n1 call processed\n",
            read.Load(2, 1, 25),
            id="one call of 25",
        ),
        pytest.param("1 active channel\n1 active call\n9 calls processed\n", read.Load(1, 1, None), id="one"),
    ],
)
def test_load(answer: str, expected: read.Load) -> None:
    assert read.load(answer) == expected


def test_settings() -> None:
    assert read.rtp_ports(ANSWERS["rtp show settings"]) == (10000, 10099)
    assert read.in_maintenance(ANSWERS["pjsip show maintenance"]) == 0
    assert read.uptime_seconds(ANSWERS["core show uptime seconds"]) is not None
    log = ANSWERS["logger show channels"]
    assert read.log_is_enabled(log, "/var/log/asterisk/messages")
    assert not read.log_is_enabled(log, "/var/log/asterisk/full")
