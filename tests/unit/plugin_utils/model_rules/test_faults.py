"""Each kind of fault in the model is found, alone, and said with variable, value and remedy."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.rules import check_model

from tests.unit.model_samples import REMOVED, SECRETS, SOUND, broken

SECOND = {"name": "second", "context": "from-pstn", "identify_networks": ["198.51.100.1"]}

FAULTS = [
    ("no-address", "pbx_public_address", REMOVED, "pbx_public_address: is missing"),
    (
        "address-with-mask",
        "pbx_public_address",
        "192.0.2.10/24",
        "pbx_public_address: '192.0.2.10/24' is not",
    ),
    ("loopback-address", "pbx_public_address", "127.0.0.1", "127.0.0.1 is no address anyone can reach"),
    (
        "misspelled-variable",
        "pbx_extension",
        [],
        "pbx_extension: is unknown here. Remove it: pbx_extensions is there as well",
    ),
    (
        "misspelled-key",
        "pbx_trunks.0.contxt",
        "x",
        "pbx_trunks[0].contxt: is unknown here. Remove it: context is there as well",
    ),
    ("port-as-text", "pbx_sip_port", "5060", "pbx_sip_port: '5060' is not a whole number"),
    ("port-as-boolean", "pbx_sip_port", True, "pbx_sip_port: true is not a whole number"),
    ("port-too-high", "pbx_sip_port", 70000, "pbx_sip_port: 70000 is out of range"),
    ("number-unquoted", "pbx_extensions.0.number", 100, 'Put it in quotes, as "100"'),
    ("number-too-long", "pbx_extensions.0.number", "1234567", "pbx_extensions[0].number: '1234567' is not"),
    ("name-with-bracket", "pbx_extensions.0.name", 'x" <999>', "pbx_extensions[0].name:"),
    ("name-with-newline", "pbx_extensions.0.name", "a\n[b]", "pbx_extensions[0].name:"),
    ("extension-context", "pbx_extensions.0.context", "from-twilio", "Write one of: internal, from-internal"),
    ("codec", "pbx_extensions.0.codecs", ["opus"], "pbx_extensions[0].codecs[0]: 'opus' is not accepted"),
    ("no-codec", "pbx_extensions.0.codecs", [], "pbx_extensions[0].codecs: is empty"),
    ("not-a-list", "pbx_extensions", {"100": {}}, "pbx_extensions: {'100': {}} is not a list"),
    ("not-a-mapping", "pbx_extensions.1", "101", "pbx_extensions[1]: '101' is not a mapping"),
    ("extension-twice", "pbx_extensions.1.number", "100", "extension 100 is defined 2 times"),
    ("emergency-extension", "pbx_extensions.1.number", "911", "extension 911 is an emergency number"),
    ("prefixed-emergency-extension", "pbx_extensions.1.number", "9911", "9911 is an emergency number"),
    ("test-number-extension", "pbx_extensions.1.number", "933", "extension 933 is an emergency number"),
    ("extension-begins-911", "pbx_extensions.1.number", "91", "extension 91 is the beginning of"),
    ("extension-begins-9911", "pbx_extensions.1.number", "991", "extension 991 is the beginning of"),
    (
        "trunk-twice",
        "pbx_trunks.+",
        {**SECOND, "name": "twilio-na-us"},
        "trunk twilio-na-us is defined 2 times",
    ),
    (
        "trunk-object-clash",
        "pbx_trunks.+",
        {**SECOND, "name": "twilio-na-us-aor"},
        "is also the name of an object",
    ),
    (
        "trunk-reserved-name",
        "pbx_trunks.0.name",
        "health-check",
        "is the name of an object that always exists",
    ),
    ("trunk-upper-case", "pbx_trunks.0.name", "Twilio", "pbx_trunks[0].name: 'Twilio' is not accepted"),
    (
        "trunk-in-internal",
        "pbx_trunks.0.context",
        "internal",
        "lands in 'internal', a context of the PBX itself",
    ),
    ("trunk-in-outbound", "pbx_trunks.0.context", "outbound-call", "lands in 'outbound-call'"),
    (
        "caller-id-of-nobody",
        "pbx_outbound.caller_id_number",
        "+15550100000",
        "caller_id_number: +15550100000 is no number of pbx_dids. Write one that is; or",
    ),
    (
        "emergency-caller-id-of-nobody",
        "pbx_outbound.emergency.caller_id_number",
        "+15550100000",
        "emergency.caller_id_number: +15550100000 is no number of pbx_dids",
    ),
    (
        "extension-caller-id-of-nobody",
        "pbx_extensions.0.caller_id_number",
        "+15550100000",
        "pbx_extensions[100].caller_id_number: +15550100000 is no number of pbx_dids",
    ),
    (
        "extension-emergency-caller-id-of-nobody",
        "pbx_extensions.1.emergency_caller_id_number",
        "+15550100000",
        "pbx_extensions[101].emergency_caller_id_number: +15550100000 is no number of pbx_dids",
    ),
    (
        "extension-like-abroad",
        "pbx_extensions.0.number",
        "0044",
        "extension 0044 looks like an outside number: an international",
    ),
    (
        "nobody-to-call-for-help",
        "pbx_outbound.emergency.numbers",
        [],
        "emergency.numbers: is empty while emergency calls are enabled",
    ),
    ("no-place-kept", "pbx_outbound.emergency.reserved_calls", 0, "0 is out of range"),
    (
        "one-trunk-twice",
        "pbx_outbound.trunk",
        ["twilio-na-us", "twilio-na-us"],
        "trunk[1]: 'twilio-na-us' is listed twice",
    ),
    ("no-such-second-trunk", "pbx_outbound.trunk", ["twilio-na-us", "other"], "'other' is no trunk"),
    ("no-trunk-at-all", "pbx_outbound.trunk", [], "pbx_outbound.trunk: is empty"),
    (
        "no-trunk-for-emergencies",
        "pbx_trunks.0.emergency",
        False,
        "no trunk with a termination_host may carry emergency calls",
    ),
    (
        "contact-by-another-transport",
        "pbx_trunks.0.contacts",
        ["sip:203.0.113.1:5060;transport=tcp"],
        "asks for tcp, but the trunk speaks udp. Write transport: tcp in the trunk",
    ),
    *(
        (
            f"believes-{text}",
            "pbx_trunks.0.identify_networks",
            [text],
            f"identify network {text} of twilio-na-us is wider than /",
        )
        for text in ("::/0", "127.0.0.0/8", "172.16.0.0/12", "80.0.0.0/4", "203.0.0.0/15", "2001:db8::/31")
    ),
    *(
        (
            f"believes-private-{text}",
            "pbx_trunks.0.identify_networks",
            [text],
            f"identify network {text} of twilio-na-us is in a {why}",
        )
        for text, why in (("192.168.7.0/24", "private network"), ("100.64.1.1", "carrier-grade NAT"))
    ),
    (
        "hears-anybody",
        "pbx_trunks.0.media_networks",
        ["80.0.0.0/4"],
        "media_networks 80.0.0.0/4 of pbx_trunks[twilio-na-us] is wider than /16",
    ),
    (
        "hears-anybody-at-a-phone",
        "pbx_extensions.0.media_networks",
        ["0.0.0.0/0"],
        "media_networks 0.0.0.0/0 of pbx_extensions[100] is wider than /16",
    ),
    ("no-media-network", "pbx_trunks.0.media_networks", ["media.example"], "Write an address or a network"),
    *(
        (
            f"container-in-{text}",
            "pbx_container_network",
            text,
            f"{text} is no private network of four IPv4 addresses",
        )
        for text in ("172.30.0.0/16", "8.8.8.0/30", "fd00::/126", "172.30.0.1")
    ),
    ("never-blocks-anybody", "pbx_never_block", ["0.0.0.0/0"], "0.0.0.0/0 is wider than /8"),
    ("never-blocks-anybody-v6", "pbx_never_block", ["::/0"], "::/0 is wider than /16"),
    (
        "private-public-address",
        "pbx_public_address",
        "10.0.0.5",
        "pbx_public_address: 10.0.0.5 is in a private network, which nobody outside can reach",
    ),
    ("host-bits", "pbx_trunks.0.identify_networks", ["203.0.113.5/30"], "write 203.0.113.4/30"),
    ("network-twice", "pbx_trunks.0.identify_networks", ["203.0.113.1", "203.0.113.1"], "is listed twice"),
    (
        "network-inside",
        "pbx_trunks.0.identify_networks",
        ["203.0.113.0/30", "203.0.113.1"],
        "overlap. Keep only",
    ),
    (
        "networks-of-two-trunks",
        "pbx_trunks.+",
        {**SECOND, "identify_networks": ["203.0.113.2"]},
        "identify_networks 203.0.113.0/30 of twilio-na-us and 203.0.113.2 of second overlap",
    ),
    ("contact-without-scheme", "pbx_trunks.0.contacts", ["203.0.113.1:5060"], "pbx_trunks[0].contacts[0]:"),
    ("contact-port", "pbx_trunks.0.contacts", ["sip:203.0.113.1:0"], "pbx_trunks[0].contacts[0]:"),
    ("contact-injection", "pbx_trunks.0.contacts", ["sip:a.b;x=y"], "pbx_trunks[0].contacts[0]:"),
    (
        "host-with-scheme",
        "pbx_trunks.0.termination_host",
        "sip:a.example.com",
        "pbx_trunks[0].termination_host:",
    ),
    ("host-is-address", "pbx_trunks.0.termination_host", "2001:db8::1", "pbx_trunks[0].termination_host:"),
    (
        "realm-in-quotes",
        "pbx_trunks.0.auth_realm",
        '"sip.example.com"',
        "pbx_trunks[0].auth_realm: '\"sip.example.com\"' is not accepted. Write the realm of the carrier's",
    ),
    ("realm-injection", "pbx_trunks.0.auth_realm", "a\npassword = x", "pbx_trunks[0].auth_realm: "),
    ("realm-assigns", "pbx_trunks.0.auth_realm", ">a", "pbx_trunks[0].auth_realm: '>a' is not accepted"),
    (
        "realm-without-credentials",
        "pbx_trunks.+",
        {**SECOND, "auth_realm": "sip.example.com"},
        "pbx_trunks[1].auth_realm: is of no use without an auth_username",
    ),
    ("qualify-too-fast", "pbx_trunks.0.qualify_seconds", 14, "14 is faster than carriers accept"),
    ("qualify-negative", "pbx_trunks.0.qualify_seconds", -1, "-1 is out of range"),
    (
        "catch-all-prefix",
        "pbx_trunks.0.catch_all.prefixes",
        ["1"],
        "catch_all.prefixes[0]: '1' is not accepted",
    ),
    ("catch-all-nowhere", "pbx_trunks.0.catch_all.extensions", ["150"], "rings 150, which does not exist"),
    (
        "catch-all-twice",
        "pbx_trunks.+",
        {**SECOND, "context": "from-twilio", "catch_all": {"prefixes": ["+1"], "extensions": ["100"]}},
        "both have a catch_all for +1 in from-twilio",
    ),
    ("did-national", "pbx_dids.0.number", "9863334949", "pbx_dids[0].number: '9863334949' is not accepted"),
    ("did-twice", "pbx_dids.+", SOUND["pbx_dids"][0], "number +19863334949 is defined 2 times"),
    (
        "did-nowhere",
        "pbx_dids.0.destinations.from-twilio.extensions",
        ["150"],
        "rings 150, which does not exist",
    ),
    ("did-context", "pbx_dids.0.destinations.from-nowhere", {"extensions": ["100"]}, "where no call arrives"),
    ("dial-options", "pbx_dids.0.destinations.from-pstn.dial_options", "tTU(x)", "dial_options: 'tTU(x)'"),
    ("outbound-missing", "pbx_outbound", REMOVED, "pbx_outbound: is missing"),
    ("outbound-trunk", "pbx_outbound.trunk", "nobody", "'nobody' is no trunk of pbx_trunks"),
    ("caller-id", "pbx_outbound.caller_id_number", "9863334949", "pbx_outbound.caller_id_number:"),
    ("caller-name", "pbx_outbound.caller_id_name", "a)&System(x", "pbx_outbound.caller_id_name:"),
    ("dial-prefix", "pbx_outbound.dial_prefix", "", "pbx_outbound.dial_prefix:"),
    (
        "allowed-prefix",
        "pbx_outbound.allowed_prefixes",
        ["1900"],
        "allowed_prefixes[0]: '1900' is not accepted",
    ),
    ("prefix-in-both", "pbx_outbound.denied_prefixes", ["+"], "prefix + is both allowed and denied"),
    ("call-length", "pbx_outbound.max_call_seconds", 0, "max_call_seconds: 0 is out of range"),
    (
        "per-extension-limit",
        "pbx_outbound.max_calls_per_extension",
        26,
        "26 is more than pbx_outbound.max_calls 23",
    ),
    (
        "published-network",
        "pbx_trunks.0.identify_networks",
        ["54.172.60.0/24"],
        "narrow it to 54.172.60.0/30 (as published in 2026), or, to accept that, write accept_wide",
    ),
    (
        "matches-itself",
        "pbx_trunks.0.identify_networks",
        ["192.0.2.0/24"],
        "contains pbx_public_address 192.0.2.10",
    ),
    ("tcp-not-a-word", "pbx_sip_tcp", "no", "'no' is neither true nor false"),
    ("token-not-a-word", "pbx_trunks.0.inbound_token", "secret", "'secret' is neither true nor false"),
    (
        "token-without-secret",
        "pbx_trunks.0.inbound_token",
        True,
        "pbx_secrets[twilio-na-us-inbound]: is missing. Add a password for it to vault.yml",
    ),
    ("wide-not-a-word", "pbx_trunks.0.accept_wide_networks", "yes", "'yes' is neither true nor false"),
    ("minutes", "pbx_outbound.max_minutes_per_day", 0, "max_minutes_per_day: 0 is out of range"),
    (
        "no-place-to-come-in",
        "pbx_outbound.reserved_calls",
        23,
        "23 of pbx_max_calls 23 leaves none for calls that come in. Lower it to 22",
    ),
    (
        "trunk-limit-beyond",
        "pbx_trunks.0.max_calls",
        20,
        "max_calls 20 of twilio-na-us is more than may come in: pbx_max_calls is 23, and 4 of them are kept",
    ),
    ("phone-network", "pbx_extensions.0.networks", ["anywhere"], "networks[0]: 'anywhere' is not accepted"),
    ("rings-of-none", "pbx_extensions.0.max_ringing", 0, "max_ringing: 0 is out of range"),
    ("emergency-number", "pbx_outbound.emergency.numbers", ["+911"], "emergency.numbers[0]: '+911'"),
    ("emergency-switch", "pbx_outbound.emergency.enabled", "no", "'no' is neither true nor false"),
    (
        "emergency-and-test",
        "pbx_outbound.emergency.test_numbers",
        ["911"],
        "911 is both an emergency and a test",
    ),
    ("rtp-inverted", "pbx_rtp_ports", {"first": 10100, "last": 10000}, "10100-10000 ends before it begins"),
    ("rtp-odd", "pbx_rtp_ports", {"first": 10001, "last": 10200}, "first 10001 is odd"),
    ("rtp-holds-sip", "pbx_rtp_ports", {"first": 5000, "last": 5200}, "5000-5200 contains pbx_sip_port 5060"),
    (
        "rtp-too-small",
        "pbx_max_calls",
        26,
        "pbx_max_calls: 26 calls and 2 kept for emergency calls need 112 ports, 10000-10100 carries 25 "
        "calls. Lower it to 23, or end pbx_rtp_ports at 10111 or later",
    ),
    ("blacklist-garbage", "pbx_blacklist", ["spam"], "pbx_blacklist[0]: 'spam' is not accepted"),
    ("blacklist-number", "pbx_blacklist", [17], "pbx_blacklist[0]: 17 is not text"),
    ("blacklist-reason", "pbx_blacklist", [{"address": "192.0.2.77", "reson": "x"}], "Did you mean reason"),
    (
        "blacklist-carrier",
        "pbx_blacklist",
        ["203.0.113.0/24"],
        "203.0.113.0/24 overlaps 203.0.113.0/30 (trunk twi",
    ),
    (
        "blacklist-self",
        "pbx_blacklist",
        ["192.0.2.10"],
        "192.0.2.10 overlaps 192.0.2.10 (pbx_public_address)",
    ),
    ("blacklist-loopback", "pbx_blacklist", ["127.0.0.1"], "127.0.0.1 overlaps 127.0.0.0/8 (loopback)"),
    ("blacklist-loopback6", "pbx_blacklist", ["::/0"], "::/0 overlaps ::1/128 (loopback)"),
    ("blacklist-private", "pbx_blacklist", ["10.1.2.3"], "10.1.2.3 overlaps 10.0.0.0/8 (private network)"),
    ("blacklist-twice", "pbx_blacklist", ["192.0.2.77", {"address": "192.0.2.77/32"}], "is listed twice"),
    (
        "blacklist-files-text",
        "pbx_blacklist_files",
        "drop.txt",
        "pbx_blacklist_files: 'drop.txt' is not a list",
    ),
    ("blacklist-files-blank", "pbx_blacklist_files", [" a"], "pbx_blacklist_files[0]: ' a' is not accepted"),
    (
        "blacklist-url-scheme",
        "pbx_blacklist_urls",
        [{"url": "file:///etc/passwd", "sha256": "none"}],
        "pbx_blacklist_urls[0].url: 'file:///etc/passwd' is not accepted. Write http://... or https://...",
    ),
    (
        "blacklist-url-checksum",
        "pbx_blacklist_urls",
        [{"url": "https://lists.example.org/a"}],
        "pbx_blacklist_urls[0].sha256: is missing",
    ),
    (
        "blacklist-url-limit",
        "pbx_blacklist_urls",
        [{"url": "https://lists.example.org/a", "sha256": "none", "max_bytes": 0}],
        "pbx_blacklist_urls[0].max_bytes: 0 is out of range",
    ),
    (
        "never-block",
        "pbx_never_block",
        ["192.0.2.1/24"],
        "pbx_never_block[0]: '192.0.2.1/24' is not accepted",
    ),
    (
        "switch",
        "pbx_allow_weak_passwords",
        "yes",
        "pbx_allow_weak_passwords: 'yes' is neither true nor false",
    ),
    ("no-secrets", "pbx_secrets", REMOVED, "pbx_secrets: is not a mapping"),
    ("secret-missing", "pbx_secrets.101", REMOVED, "pbx_secrets[101]: is missing"),
    ("secret-empty", "pbx_secrets.101", "", "pbx_secrets[101]: is empty"),
    ("secret-number", "pbx_secrets.101", 12345678901234, "pbx_secrets[101]: is not text"),
    ("secret-newline", "pbx_secrets.101", "aB3dE5gH7jK9\nmN2", "pbx_secrets[101]: contains a line break"),
    ("secret-blank", "pbx_secrets.101", "aB3dE5gH7jK9 ", "pbx_secrets[101]: starts or ends with a blank"),
    ("secret-arrow", "pbx_secrets.101", ">aB3dE5gH7jK9", "pbx_secrets[101]: starts with '>'"),
    ("secret-same", "pbx_secrets.101", SECRETS["100"], "pbx_secrets[101]: is the same as that of 100"),
    ("previous-list", "pbx_secrets_previous", ["x"], "pbx_secrets_previous: is not a mapping"),
    ("previous-number", "pbx_secrets_previous", {"101": 12345678}, "pbx_secrets_previous[101]: is not text"),
    ("previous-empty", "pbx_secrets_previous", {"101": ""}, "pbx_secrets_previous[101]: is empty"),
    ("previous-null", "pbx_secrets_previous", {"101": None}, "pbx_secrets_previous[101]: is not text"),
    (
        "previous-newline",
        "pbx_secrets_previous",
        {"101": "a\nb"},
        "pbx_secrets_previous[101]: contains a line",
    ),
    (
        "previous-in-use",
        "pbx_secrets_previous",
        {"101": SECRETS["101"]},
        "pbx_secrets_previous[101]: is the same as pbx_secrets[101]. Remove it",
    ),
    ("next-text", "pbx_secrets_next", "x", "pbx_secrets_next: is not a mapping"),
    (
        "secret-of-a-trunk-short",
        "pbx_secrets.twilio-na-us",
        "Fd9sJw4Hq7Lz2Xv",
        "pbx_secrets[twilio-na-us]: is shorter than 16 characters. Choose 16 or more random characters",
    ),
    (
        "next-short",
        "pbx_secrets_next",
        {"twilio-na-us": "hB6mTz3Rw8Kc5Ny"},
        "pbx_secrets_next[twilio-na-us]: is shorter than 16 characters",
    ),
    (
        "secret-short",
        "pbx_secrets.101",
        "pL7dHs4Jf9Q",
        "pbx_secrets[101]: is shorter than 12 characters. Choose 12 or more",
    ),
    ("next-weak", "pbx_secrets_next", {"twilio-na-us": "Admin@1234567"}, "pbx_secrets_next[twilio-na-us]: "),
    ("next-blank", "pbx_secrets_next", {"twilio-na-us": "aB3dE5gH7jK9 "}, "starts or ends with a blank"),
    (
        "next-in-use",
        "pbx_secrets_next",
        {"twilio-na-us": SECRETS["twilio-na-us"]},
        "pbx_secrets_next[twilio-na-us]: is the same as pbx_secrets[twilio-na-us]. Remove it",
    ),
    (
        "next-of-another",
        "pbx_secrets_next",
        {"twilio-na-us": SECRETS["100"]},
        "pbx_secrets_next[twilio-na-us]: is the same as that of 100",
    ),
    ("misspelled-previous", "pbx_secrets_previus", {}, "Did you mean pbx_secrets_previous"),
]


@pytest.mark.parametrize(
    ("path", "value", "expected"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS]
)
def test_fault_is_found_and_named(path: str, value: Any, expected: str) -> None:
    faults = [str(fault) for fault in check_model(broken(path, value)).faults]
    assert any(expected in fault for fault in faults), faults
    assert all(fault.startswith("pbx_") and fault.endswith(".") for fault in faults), faults


def test_a_sound_model_has_no_fault_and_no_warning() -> None:
    report = check_model(SOUND)
    assert (report.faults, report.warnings) == ((), ())


def test_all_faults_are_reported_at_once() -> None:
    model = broken("pbx_sip_port", "x")
    model["pbx_extensions"][0]["context"] = "outside"
    model["pbx_dids"][0]["number"] = "123"
    model["pbx_secrets"] = {}
    faults = "\n".join(str(fault) for fault in check_model(model).faults)
    for variable in ("pbx_sip_port", "pbx_extensions[0].context", "pbx_dids[0].number", "pbx_secrets[100]"):
        assert variable in faults


WARNINGS = [
    (
        "unknown-secret",
        "pbx_secrets.150",
        "whatever-it-is",
        "pbx_secrets[150]: belongs to no extension or trunk",
    ),
    (
        "unknown-previous",
        "pbx_secrets_previous",
        {"150": "whatever-it-was"},
        "pbx_secrets_previous[150]: belongs to no extension or inbound token. Remove it",
    ),
    (
        "previous-of-a-trunk",
        "pbx_secrets_previous",
        {"twilio-na-us": "whatever-it-was"},
        "pbx_secrets_previous[twilio-na-us]: belongs to no extension",
    ),
    (
        "unquoted-previous",
        "pbx_secrets_previous",
        {101: "whatever-it-was"},
        "pbx_secrets_previous[101]: belongs to no extension or inbound token. Quote the number",
    ),
    (
        "next-of-an-extension",
        "pbx_secrets_next",
        {"101": "whatever-it-will-be"},
        "pbx_secrets_next[101]: belongs to no trunk with an auth_username",
    ),
    (
        "blacklist-url-in-the-clear",
        "pbx_blacklist_urls",
        [{"url": "http://lists.example.org/a", "sha256": "none"}],
        "http://lists.example.org/a comes unencrypted and without a checksum",
    ),
    ("prefix-extension", "pbx_extensions.1.number", "940", "extension 940 begins with the dial prefix 9"),
]


def test_a_trunk_over_tcp_needs_tcp() -> None:
    model = broken("pbx_sip_tcp", False)
    assert check_model(model).faults == ()
    model["pbx_trunks"][0]["transport"] = "tcp"
    (fault,) = check_model(model).faults
    assert "trunk twilio-na-us speaks TCP, and pbx_sip_tcp is false" in str(fault)


def test_a_wide_network_is_accepted_by_a_word() -> None:
    model = broken("pbx_trunks.0.identify_networks", ["54.172.60.0/24", "192.0.2.10"])
    model["pbx_trunks"][0]["accept_wide_networks"] = True
    report = check_model(model)
    assert (report.faults, report.warnings) == ((), ())


@pytest.mark.parametrize(
    ("path", "value", "expected"), [case[1:] for case in WARNINGS], ids=[case[0] for case in WARNINGS]
)
def test_doubtful_is_a_warning(path: str, value: Any, expected: str) -> None:
    assert any(expected in str(warning) for warning in check_model(broken(path, value)).warnings)


WEAK = {
    "documented": "Admin@1234567",
    "documented-phone": "changeme100",
    "short": "aB3dE5gH7jK",
    "contains-number": "x7Kq-101-Wm2Zr5",
    "few-characters": "aaaaaaabbbbbbb",
    "sequence": "abcdefghijklmnop",
    "well-known-decorated": "!!Password2026!!",
}


@pytest.mark.parametrize("password", WEAK.values(), ids=WEAK)
def test_weak_password_is_refused_but_never_shown(password: str) -> None:
    model = broken("pbx_secrets.101", password)
    faults = [str(fault) for fault in check_model(model).faults]
    assert len(faults) == 1
    assert faults[0].startswith("pbx_secrets[101]: ")
    assert password not in faults[0]
    model["pbx_allow_weak_passwords"] = True
    assert check_model(model).faults == ()


def test_a_short_password_of_a_trunk_passes_where_weak_ones_do() -> None:
    model = broken("pbx_secrets.twilio-na-us", "Fd9sJw4")
    model["pbx_allow_weak_passwords"] = True
    assert check_model(model).faults == ()


ON_THE_WAY = {
    "previous": {"pbx_secrets_previous": {"100": "kX9rTq2Wm5Zr"}},
    "weak previous": {"pbx_secrets_previous": {"100": "changeme100", "101": "changeme100"}},
    "next": {"pbx_secrets_next": {"twilio-na-us": "hB6mTz3Rw8Kc5NyQ"}},
    "none": {"pbx_secrets_previous": None, "pbx_secrets_next": {}},
}


@pytest.mark.parametrize("more", ON_THE_WAY.values(), ids=ON_THE_WAY)
def test_passwords_on_their_way_out_or_in_are_no_fault(more: dict[str, Any]) -> None:
    report = check_model({**SOUND, **more})
    assert (report.faults, report.warnings) == ((), ())


def test_a_closed_network_may_have_private_addresses() -> None:
    model = broken("pbx_allow_reserved_addresses", True)
    model["pbx_public_address"] = "10.0.0.5"
    model["pbx_trunks"][0]["identify_networks"] = ["192.168.7.0/24"]
    assert check_model(model).faults == ()


def test_a_number_the_carrier_verified_may_be_shown() -> None:
    model = broken("pbx_outbound.verified_numbers", ["+15550100000"])
    model["pbx_extensions"][0]["caller_id_number"] = "+15550100000"
    model["pbx_extensions"][1]["emergency_caller_id_number"] = "+15550100000"
    assert check_model(model).faults == ()


def test_a_user_name_that_is_of_no_use_is_one_fault_beside_a_realm() -> None:
    model = broken("pbx_trunks.0.auth_username", None)
    model["pbx_trunks"][0]["auth_realm"] = "sip.example.com"
    assert [fault.variable for fault in check_model(model).faults] == ["pbx_trunks[0].auth_username"]


def test_a_trunk_without_a_way_out_needs_a_way_in() -> None:
    model = broken("pbx_trunks.+", {"name": "two", "context": "from-pstn", "identify_networks": []})
    assert "pbx_trunks[1].identify_networks: is empty" in str(check_model(model).faults[0])


@pytest.mark.parametrize("trunk", ["twilio-na-us", ["twilio-na-us", "way-out"]], ids=["one", "list"])
def test_a_trunk_may_be_outbound_only_and_known_by_address_alone(trunk: str | list[str]) -> None:
    model = broken("pbx_outbound.trunk", trunk)
    model["pbx_trunks"].append(
        {"name": "way-out", "context": "unused", "termination_host": "sbc.example.com"}
    )
    report = check_model(model)
    assert (report.faults, report.warnings) == ((), ())


def test_a_trunk_password_must_not_contain_the_user_name() -> None:
    faults = check_model(broken("pbx_secrets.twilio-na-us", "xK7q-admin-Wm2Z5")).faults
    assert [fault.variable for fault in faults] == ["pbx_secrets[twilio-na-us]"]


GARBAGE: list[Any] = [
    None,
    True,
    -1,
    3.5,
    "",
    "x",
    "\n;",
    "9" * 300,
    [],
    [[]],
    {},
    {"": None},
    [None, 1, "x"],
    {1: [2]},
]


def _paths(value: Any, path: str = "") -> list[str]:
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    found = []
    for key, item in items:
        here = f"{path}.{key}" if path else str(key)
        found += [here, *_paths(item, here)]
    return found


def test_garbage_anywhere_gives_faults_never_a_traceback() -> None:
    paths = _paths(SOUND)
    for path in paths:
        for garbage in GARBAGE:
            report = check_model(broken(path, garbage))
            assert isinstance(report.faults, tuple)


def test_much_garbage_at_once_gives_faults_never_a_traceback() -> None:
    chance = random.Random(22)
    paths = [path for path in _paths(SOUND) if "." not in path]
    for _ in range(300):
        model: dict[Any, Any] = dict(SOUND)
        for path in chance.sample(paths, 4):
            model[path] = chance.choice(GARBAGE)
        check_model(model)
    for model_value in GARBAGE:
        assert check_model(model_value).faults


def with_token(secret: str) -> dict[str, Any]:
    """Return a sound model whose first trunk has an inbound token."""
    model: dict[str, Any] = copy.deepcopy(SOUND)
    model["pbx_trunks"][0]["inbound_token"] = True
    model["pbx_secrets"]["twilio-na-us-inbound"] = secret
    return model


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("short-token", "is shorter than 16 characters"),
        ("nineteen;characters", "does not fit into a SIP URI. Choose 16 or more letters and digits"),
        ("twenty characters 20", "does not fit into a SIP URI"),
        ("twilio-na-us-Xy7rT2pQ9", "contains the number or name it belongs to"),
    ],
)
def test_a_token_is_as_good_as_a_password_and_fits_into_a_uri(secret: str, expected: str) -> None:
    (fault,) = check_model(with_token(secret)).faults
    assert str(fault).startswith(f"pbx_secrets[twilio-na-us-inbound]: {expected}")
    assert secret not in str(fault)


def test_a_token_and_a_former_one_are_no_strays() -> None:
    model = with_token("Kj8mQw3rTz6yXc9v")
    model["pbx_secrets_previous"] = {"twilio-na-us-inbound": "Kj8mQw3rTz6yXc90"}
    report = check_model(model)
    assert (report.faults, report.warnings) == ((), ())


def test_no_trunk_has_the_name_of_anothers_token() -> None:
    model = with_token("Kj8mQw3rTz6yXc9v")
    other = copy.deepcopy(model["pbx_trunks"][0])
    other |= {
        "name": "twilio-na-us-inbound",
        "inbound_token": False,
        "identify_networks": ["203.0.113.64/30"],
    }
    model["pbx_trunks"].append(other)
    assert "is also the name of an object of trunk twilio-na-us" in "".join(
        map(str, check_model(model).faults)
    )
