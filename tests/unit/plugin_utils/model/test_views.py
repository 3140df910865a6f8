"""What is derived from the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.dialplan import best_match
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.expected import (
    dial_checks,
    required_objects,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.names import carrier_tcp_ports
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.ranges import parse_network, parse_range
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Model, RtpPorts
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.views import (
    auth_view,
    config_view,
    max_calls_into,
    policy,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.read import read_model
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.addresses import (
    expected_networks,
    protected_networks,
    published,
)

from tests.unit.model_samples import REMOVED, SECRETS, broken


def model_with(path: str = "pbx_sip_port", value: Any = 5060) -> Model:
    model, faults = read_model(broken(path, value))
    assert faults == []
    return model


CAPACITY = [
    ("documented", 10000, 10100, 10099, 50, 25),
    ("exact", 10000, 10099, 10099, 50, 25),
    ("one-more-call", 10000, 10103, 10103, 52, 26),
    ("one-stream", 10000, 10001, 10001, 1, 0),
    ("one-port", 10000, 10000, 9999, 0, 0),
    ("inverted", 10100, 10000, 9999, 0, 0),
]


@pytest.mark.parametrize(
    ("first", "last", "last_odd", "streams", "calls"),
    [case[1:] for case in CAPACITY],
    ids=[case[0] for case in CAPACITY],
)
def test_media_ports_are_used_in_pairs(
    first: int, last: int, last_odd: int, streams: int, calls: int
) -> None:
    ports = RtpPorts(first, last)
    assert (ports.last_odd, ports.streams, ports.calls()) == (last_odd, streams, calls)
    assert ports.calls(reserved=2) == max(0, calls - 2)


POLICY = [
    ("everything", ["+"], [], {"+15551234567": "allowed", "+882161234567": "allowed"}),
    ("one-country", ["+1"], [], {"+15551234567": "allowed", "+445551234": "denied"}),
    ("premium-denied", ["+1"], ["+1900"], {"+15551234567": "allowed", "+19005551234": "denied"}),
    ("exception-allowed", ["+1", "+19005"], ["+1900"], {"+19005551234": "allowed", "+19006551234": "denied"}),
    ("whole-number", ["+"], ["+15551234567"], {"+15551234567": "denied", "+15551234568": "allowed"}),
    ("nothing", [], [], {"+15551234567": "denied"}),
]


@pytest.mark.parametrize(
    ("allowed", "denied", "expected"), [case[1:] for case in POLICY], ids=[case[0] for case in POLICY]
)
def test_the_longest_prefix_decides(allowed: list[str], denied: list[str], expected: dict[str, str]) -> None:
    variables = broken("pbx_outbound.allowed_prefixes", allowed)
    variables["pbx_outbound"]["denied_prefixes"] = denied
    model, _faults = read_model(variables)
    verdicts = {rule["exten"]: rule["verdict"] for rule in policy(model)}
    for number, verdict in expected.items():
        assert verdicts[best_match(verdicts, number) or ""] == verdict, number


@pytest.mark.parametrize(
    ("country", "home", "denied"),
    [
        (
            "1",
            "+15551234567",
            ["+12425551234", "+18765551234", "+19005551234", "+442071234567", "+8811234567"],
        ),
        ("49", "+493012345678", ["+442071234567", "+15551234567", "+9791234567"]),
    ],
)
def test_who_says_nothing_lets_phones_call_at_home_alone(country: str, home: str, denied: list[str]) -> None:
    variables = broken("pbx_outbound.country_code", country)
    for name in ("allowed_prefixes", "denied_prefixes"):
        del variables["pbx_outbound"][name]
    model, _faults = read_model(variables)
    for abroad in (False, True):
        verdicts = {rule["exten"]: rule["verdict"] for rule in policy(model, abroad)}
        found = {number: verdicts[best_match(verdicts, number) or ""] for number in (home, *denied)}
        assert found == {home: "allowed", **dict.fromkeys(denied, "denied")}


def test_phones_of_the_class_call_the_countries_listed_for_it() -> None:
    variables = broken("pbx_outbound.abroad_prefixes", ["+44"])
    variables["pbx_outbound"]["allowed_prefixes"] = ["+1"]
    model, _faults = read_model(variables)
    assert {rule["exten"]: rule["verdict"] for rule in policy(model, abroad=True)}["_+44!"] == "allowed"
    assert "_+44!" not in {rule["exten"] for rule in policy(model)}


@pytest.mark.parametrize(
    ("trunks", "expected"), [([None], 19), ([5], 5), ([5, 6], 11), ([5, None], 19), ([15, 15], 19), ([], 19)]
)
def test_calls_that_may_come_in_by_a_context(trunks: list[int | None], expected: int) -> None:
    model = model_with("pbx_sip_port", 5060)
    one = model.trunks[0]
    several = tuple(replace(one, name=f"t{n}", max_calls=most) for n, most in enumerate(trunks))
    assert max_calls_into(replace(model, trunks=several), one.context) == expected


def test_switched_off_emergency_numbers_are_refused_not_lost() -> None:
    model = model_with("pbx_outbound.emergency.enabled", False)
    found = {
        check["dialled"]: check["target"] for check in dial_checks(model) if check["context"] == "internal"
    }
    assert [found[number] for number in ("911", "9911", "933", "9933")] == ["refused"] * 4


def test_other_country_codes_have_no_ten_digit_forms() -> None:
    model = model_with("pbx_outbound.country_code", "44")
    dialled = [check["dialled"] for check in dial_checks(model) if "sip:+" in check["target"]]
    assert dialled == [
        "9+445551234567",
        "+445551234567",
        "900445551234567",
        "9+44.555-1234567",
        "+445551234567",
        "00445551234567",
    ]


def test_a_phones_password_is_stored_as_digest_only() -> None:
    phone, _other, carrier = auth_view(model_with(), SECRETS)
    # md5 of "100:asterisk:<password>", as `printf … | md5sum` gives it.
    assert phone == {"name": "100-iauth", "username": "100", "digest": "fd4b49fbd5f7a57301d56b0079de1922"}
    assert carrier == {
        "name": "twilio-na-us-auth",
        "username": "Admin",
        "password": SECRETS["twilio-na-us"],
        "realm": "",
    }


@pytest.mark.parametrize(
    ("host", "said", "realm"),
    [
        pytest.param("site.pstn.twilio.com", None, "sip.twilio.com", id="known"),
        pytest.param("Site.PSTN.ashburn.Twilio.com", None, "sip.twilio.com", id="known, in capitals"),
        pytest.param("site.pstn.twilio.com", "sip.example.com", "sip.example.com", id="known, another"),
        pytest.param("site.pstn.twilio.com", "*", "", id="known, any"),
        pytest.param("pstn.nottwilio.com", None, "", id="unknown"),
        pytest.param("203.0.113.1", None, "", id="address"),
        pytest.param("sip.example.com", "Some; Carrier", "Some\\; Carrier", id="named"),
    ],
)
def test_a_carriers_credentials_are_for_its_realm(host: str, said: str | None, realm: str) -> None:
    variables = broken("pbx_trunks.0.termination_host", host)
    if said is not None:
        variables["pbx_trunks"][0]["auth_realm"] = said
    model, faults = read_model(variables)
    assert faults == []
    assert auth_view(model, SECRETS)[-1]["realm"] == realm


def test_a_former_password_is_a_second_auth_object_until_it_is_gone() -> None:
    model = model_with("pbx_secrets_previous", {"101": "former"})
    assert [one["auth"] for one in config_view(model)["extensions"]] == [
        "100-iauth",
        "101-iauth,101-previous",
    ]
    auths = [one["name"] for one in required_objects(model) if one["type"] == "auth"]
    assert auths == ["twilio-na-us-auth", "100-iauth", "101-iauth", "101-previous"]
    first, second, former, carrier = auth_view(model, SECRETS, {"101": "former"})
    assert [first, second, carrier] == auth_view(model_with(), SECRETS)
    # md5 of "101:asterisk:former", as `printf … | md5sum` gives it.
    assert former == {"name": "101-previous", "username": "101", "digest": "26a1e8bc56d066efffd69a46c4c9ff2e"}


def test_a_former_password_of_nobody_is_left_out() -> None:
    assert model_with("pbx_secrets_previous", {"150": "former", 101: "former"}).overlap == ()


def test_required_objects_name_everything_the_guide_looks_for() -> None:
    found = {(one["type"], one["name"]) for one in required_objects(model_with())}
    assert {
        ("transport", "transport-udp"),
        ("transport", "transport-tcp"),
        ("endpoint", "twilio-na-us"),
        ("identify", "twilio-na-us-identify"),
        ("auth", "twilio-na-us-auth"),
        ("aor", "twilio-na-us-aor"),
        ("endpoint", "100"),
        ("auth", "100-iauth"),
        ("aor", "101"),
        ("context", "from-pstn"),
    } <= found


def test_an_inbound_only_trunk_needs_neither_password_nor_aor() -> None:
    trunk = {"name": "second", "context": "from-pstn", "identify_networks": ["198.51.100.1"]}
    found = {
        one["type"] for one in required_objects(model_with("pbx_trunks.+", trunk)) if "second" in one["name"]
    }
    assert found == {"endpoint", "identify"}


RANGES = ["192.0.2.7", "192.0.2.0/24", "0.0.0.0/0", "192.0.2.7/32", "2001:db8::/32", "::1"]
NO_RANGES = [
    "192.0.2.7/24",
    "192.0.2.7/33",
    "192.0.2.7/",
    "192.0.2",
    "192.0.2.7/٣",
    "192.0.2.7 ",
    "",
    "x",
    "::1/0",
]


@pytest.mark.parametrize("text", RANGES + NO_RANGES, ids=repr)
def test_a_range_is_the_network_in_numbers(text: str) -> None:
    """The quick way of reading networks accepts what `ipaddress` accepts, and means the same."""
    network = parse_network(text)
    expected = network and (network.version, int(network.network_address), int(network.broadcast_address))
    assert parse_range(text) == expected
    assert (expected is None) == (text in NO_RANGES)


def test_protected_networks_are_the_trunks_the_pbx_loopback_and_never_block() -> None:
    assert protected_networks(model_with("pbx_never_block", ["198.51.100.0/24"])) == [
        ("trunk twilio-na-us", "203.0.113.0/30"),
        ("pbx_public_address", "192.0.2.10"),
        ("loopback", "127.0.0.0/8"),
        ("loopback", "::1/128"),
        ("pbx_never_block", "198.51.100.0/24"),
    ]


def test_all_networks_of_a_carrier_in_use_are_protected() -> None:
    networks = {
        text
        for _why, text in protected_networks(model_with("pbx_trunks.0.identify_networks", ["54.172.60.0/30"]))
    }
    assert {str(one.network) for one in published()} <= networks
    assert "168.86.128.0/18" in networks


def test_calls_and_audio_are_expected_from_carriers_and_the_sites_own_networks() -> None:
    model = model_with("pbx_trunks.0.media_networks", ["198.51.100.0/24", "2001:db8::/64"])
    assert expected_networks(model) == ["203.0.113.0/30", "198.51.100.0/24"]
    phone = model_with("pbx_extensions.0.media_networks", ["198.51.100.7"])
    assert expected_networks(phone) == ["203.0.113.0/30", "198.51.100.7"]
    twilio = expected_networks(model_with("pbx_trunks.0.identify_networks", ["54.172.60.0/30"]))
    assert "168.86.128.0/18" in twilio


def test_ports_of_carriers_over_tcp() -> None:
    assert carrier_tcp_ports(model_with("pbx_trunks.0.transport", "udp")) == []
    assert 5060 in carrier_tcp_ports(model_with("pbx_trunks.0.transport", "tcp"))
    first, *others = model_with("pbx_trunks.0.transport", "tcp").trunks
    moved = replace(first, contacts=("sip:203.0.113.1:5080", "sip:sip.example.com"), termination_host="")
    assert carrier_tcp_ports(replace(model_with(), trunks=(moved, *others))) == [5060, 5080]


def test_every_text_in_the_view_is_escaped() -> None:
    model = model_with("pbx_trunks.0.transport", "tcp")
    assert config_view(model)["trunks"][0]["contacts"][0] == "sip:203.0.113.1:5060\\;transport=tcp"


def test_without_a_termination_host_there_is_nothing_to_dial_but_the_view_stands() -> None:
    variables = broken("pbx_trunks.0.termination_host", REMOVED)
    del variables["pbx_trunks"][0]["auth_username"]
    model, faults = read_model(variables)
    assert faults == []
    assert config_view(model)["trunks"][0]["auth"] == ""
