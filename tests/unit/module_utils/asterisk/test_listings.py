"""Reading Asterisk's console, on answers of a deployed Asterisk 22.10.1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk import listings

FIXTURES = Path(__file__).parents[2] / "fixtures" / "smoke"
ANSWERS: dict[str, str] = json.loads((FIXTURES / "deployed.json").read_text())["console"]["answers"]


def test_endpoints() -> None:
    found = listings.endpoints(ANSWERS["pjsip show endpoints"])
    assert list(found) == ["100", "101", "102", "health-check", "second-carrier", "twilio-na-us"]
    assert found["100"] == listings.Endpoint(
        "100",
        "Not in use",
        in_auths=("100-iauth",),
        aors=("100",),
        contacts=(listings.Contact("sip:100@198.18.100.100:5060", "Avail"),),
    )
    assert found["102"] == listings.Endpoint("102", "Unavailable", in_auths=("102-iauth",), aors=("102",))
    assert found["twilio-na-us"] == listings.Endpoint(
        "twilio-na-us",
        "Not in use",
        out_auths=("twilio-na-us-auth",),
        aors=("twilio-na-us-aor",),
        contacts=(
            listings.Contact("sip:nlpbay.pstn.ashburn.t", "Avail"),
            listings.Contact("sip:198.18.60.1:5060", "Avail"),
            listings.Contact("sip:198.18.51.1:5060", "Unavail"),
        ),
    )


def test_identifies() -> None:
    assert listings.identifies(ANSWERS["pjsip show identifies"]) == (
        listings.Identify("health-check-identify", "health-check", ("127.0.0.1/32",)),
        listings.Identify("second-carrier-identify", "second-carrier", ("198.18.70.1/32",)),
        listings.Identify("twilio-na-us-identify", "twilio-na-us", ("198.18.60.0/30", "198.18.51.0/30")),
    )


def test_names() -> None:
    auths = {"100-iauth", "101-iauth", "102-iauth", "twilio-na-us-auth"}
    assert listings.names(ANSWERS["pjsip list auths"], "Auth") == auths
    assert listings.names(ANSWERS["pjsip list aors"], "Aor") == {"100", "101", "102", "twilio-na-us-aor"}


def test_transports() -> None:
    assert listings.transports(ANSWERS["pjsip show transports"]) == (
        listings.Transport("transport-tcp", "tcp", "0.0.0.0:5060"),
        listings.Transport("transport-udp", "udp", "0.0.0.0:5060"),
    )


def test_parameters() -> None:
    found = listings.parameters(ANSWERS["pjsip show endpoint twilio-na-us"])
    assert (found["context"], found["allow"], found["outbound_auth"]) == (
        "from-twilio",
        "(ulaw|alaw)",
        "twilio-na-us-auth",
    )
    assert listings.parameters("Unable to find object nope.\n\n") == {}


def test_nothing_is_found_in_nothing() -> None:
    assert listings.endpoints("") == {}
    assert listings.identifies("No objects found.\n\n") == ()
    assert listings.transports("") == ()
    assert listings.names("No objects found.\n", "Auth") == frozenset()
    nothing = (listings.version(""), listings.load(""), listings.rtp_ports(""), listings.in_maintenance(""))
    assert nothing == (None,) * 4
    assert listings.uptime_seconds("") is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("Asterisk 22.10.1+dfsg+~cs6.17-1 built by nobody", "22.10.1", id="Debian"),
        pytest.param("Asterisk 22.11.0 built by root", "22.11.0", id="from source"),
        pytest.param("Asterisk GIT-master-1234 built by root", None, id="unreleased"),
    ],
)
def test_version(answer: str, expected: str | None) -> None:
    assert listings.version(answer) == expected


def test_versions_compare_as_numbers() -> None:
    ordered = ["22.9.0", "22.10", "22.10.1", "22.11.0", "23.0.0"]
    assert sorted(ordered, key=listings.version_key) == ordered


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            "0 active channels\n0 active calls\n0 calls processed\n", listings.Load(0, 0, None), id="idle"
        ),
        pytest.param(
            "2 active channels\n1 of 25 max active call ( 4.00% of capacity)\n1 call processed\n",
            listings.Load(2, 1, 25),
            id="one call of 25",
        ),
        pytest.param(
            "1 active channel\n1 active call\n9 calls processed\n", listings.Load(1, 1, None), id="one"
        ),
    ],
)
def test_load(answer: str, expected: listings.Load) -> None:
    assert listings.load(answer) == expected


def test_settings() -> None:
    assert listings.rtp_ports(ANSWERS["rtp show settings"]) == (10000, 10099)
    assert listings.in_maintenance(ANSWERS["pjsip show maintenance"]) == 0
    assert listings.uptime_seconds(ANSWERS["core show uptime seconds"]) is not None
    log = ANSWERS["logger show channels"]
    assert listings.log_is_enabled(log, "/var/log/asterisk/messages")
    assert not listings.log_is_enabled(log, "/var/log/asterisk/full")
