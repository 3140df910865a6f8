"""A remedy, followed literally, works: what it says is put into the model, and the fault is gone.

Each case is YAML as somebody writes it, what the remedy says, and the YAML that follows from it.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.rules import check_model

from tests.unit.model_samples import SOUND, broken

DID = "pbx_dids.0.number"
NUMBER = "pbx_extensions.1.number"

CASES = [
    pytest.param(DID, "+19863334949", 'Put it in quotes, as "+19863334949"', '"+19863334949"', id="plus"),
    pytest.param(NUMBER, "101", 'Put it in quotes, as "101"', '"101"', id="number"),
    pytest.param("pbx_extensions.1.name", "no", 'Put it in quotes, as "no"', '"no"', id="no"),
    pytest.param(
        "pbx_extensions.1.context",
        "intrnal",
        "Write one of: internal, from-internal",
        "internal",
        id="choice",
    ),
    pytest.param("pbx_max_calls", "2500", "Lower it to 23", "23", id="calls"),
    pytest.param("pbx_max_calls", '"23"', "Write a number from 1 to 10000, without quotes", "23", id="text"),
    pytest.param(
        "pbx_rtp_ports",
        "{first: 10100, last: 10000}",
        "Write {first: 10000, last: 10100}",
        "{first: 10000, last: 10100}",
        id="ends before it begins",
    ),
    pytest.param(
        "pbx_rtp_ports",
        "{first: 10001, last: 10100}",
        "Begin with an even port",
        "{first: 10000, last: 10100}",
        id="odd",
    ),
    pytest.param(
        "pbx_never_block",
        '["198.51.100.7/24"]',
        "write 198.51.100.0/24",
        '["198.51.100.0/24"]',
        id="host bits",
    ),
    pytest.param(
        "pbx_never_block", '["198.51.100.7/24"]', "or 198.51.100.7 for the one", '["198.51.100.7"]', id="one"
    ),
    pytest.param(
        "pbx_public_address", "10.0.0.5", "Write the address that phones", "192.0.2.10", id="private"
    ),
    pytest.param(
        "pbx_time_zone",
        "America/New_Yrok",
        "did you mean America/New_York",
        "America/New_York",
        id="time zone",
    ),
    pytest.param(
        "pbx_outbound.caller_id_number",
        '"19863334949"',
        "as +19863334949",
        '"+19863334949"',
        id="caller ID",
    ),
    pytest.param("pbx_outbound.trunk", "twilio", "Name one that is", "twilio-na-us", id="trunk"),
    pytest.param(
        "pbx_outbound.emergency.numbers",
        "[]",
        'List your country\'s numbers, as ["112"]',
        '["112"]',
        id="emergency",
    ),
    pytest.param(
        "pbx_blacklist", "", "Write a value, or remove the line", "[]", id="nothing after the colon"
    ),
]


@pytest.mark.parametrize(("path", "written", "remedy", "then"), CASES)
def test_the_remedy_works_and_there_is_no_second_fault(
    path: str, written: str, remedy: str, then: str
) -> None:
    faults = check_model(broken(path, yaml.safe_load(written))).faults
    assert len(faults) == 1, faults
    assert remedy in str(faults[0])
    assert check_model(broken(path, yaml.safe_load(then))).faults == ()


def test_numbers_that_the_carrier_has_verified_are_added_where_the_remedy_says() -> None:
    model: dict[str, Any] = copy.deepcopy(SOUND)
    model["pbx_outbound"]["caller_id_number"] = "+15550001111"
    (fault,) = check_model(model).faults
    assert "add it to pbx_outbound.verified_numbers" in str(fault)
    model["pbx_outbound"]["verified_numbers"] = ["+15550001111"]
    assert check_model(model).faults == ()


def test_ports_end_where_the_remedy_says() -> None:
    (fault,) = check_model(broken("pbx_max_calls", 100)).faults
    last = int(str(fault).partition("end pbx_rtp_ports at ")[2].split()[0])
    model = broken("pbx_max_calls", 100)
    model["pbx_rtp_ports"]["last"] = last
    assert check_model(model).faults == ()
    model["pbx_rtp_ports"]["last"] = last - 1
    assert check_model(model).faults != (), "a port fewer is too few"


def test_a_closed_network_is_allowed_as_the_remedy_says() -> None:
    model = broken("pbx_public_address", "10.0.0.5")
    (fault,) = check_model(model).faults
    assert "write pbx_allow_reserved_addresses: true" in str(fault)
    assert check_model({**model, "pbx_allow_reserved_addresses": True}).faults == ()


def test_a_number_that_yaml_took_for_octal_is_quoted_as_the_remedy_says() -> None:
    model = copy.deepcopy(SOUND)
    model["pbx_secrets"] = {**model["pbx_secrets"], "0102": "mW4cXq9Vb7Rz2kLd"}
    model["pbx_extensions"].append(yaml.safe_load("{number: 0102, name: C, context: internal}"))
    (fault,) = check_model(model).faults
    assert 'or "0102" if that stands there' in str(fault)
    model["pbx_extensions"][-1]["number"] = "0102"
    assert check_model(model).faults == ()
