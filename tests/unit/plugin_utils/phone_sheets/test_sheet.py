"""What a phone sheet says, and that it says it whatever the values are."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import pytest
import segno
from ansible_collections.callcenter.pbx.plugins.plugin_utils.phone_sheets.sheet import (
    MARKER,
    REGISTRATION_SECONDS,
    LocalServer,
    Phone,
    Server,
    SheetError,
    read_phones,
    render_sheet,
)

from tests.golden.render import golden

PHONE = Phone("100", "Agent 100", "kY3vTq8Wm2Zr5nBx")
SERVER = Server("192.0.2.10", 5060)


def row(sheet: str, label: str) -> str:
    """The value beside ``label`` as a reader sees it, the small print left out."""
    found = re.search(rf"<dt>{re.escape(label)}</dt><dd[^>]*>(.*?)</dd>", sheet, re.DOTALL)
    assert found, f"no row {label}"
    without_small = re.sub(r"<small>.*?</small>", "", found[1])
    return html.unescape(re.sub(r"<[^>]*>", "", without_small)).strip("\n")


def qr_code(sheet: str) -> str:
    """The drawing of the QR code."""
    found = re.search(r"<svg.*?</svg>", sheet)
    assert found
    return found[0]


ROWS = {
    "server": ("Server", "192.0.2.10"),
    "port": ("Port", "5060"),
    "protocol": ("Protocol", "SIP over UDP"),
    "user name": ("User name", "100"),
    "password": ("Password", "kY3vTq8Wm2Zr5nBx"),
    "display name": ("Display name", "Agent 100"),
    "no STUN": ("STUN, TURN, ICE", "off"),
    "no encryption": ("SRTP, ZRTP", "off"),
    "no proxy": ("Outbound proxy", "empty"),
    "codecs": ("Codecs", "PCMU, PCMA"),
    "DTMF": ("DTMF", "RFC 4733"),
    "expiry": ("Registration expiry", "600 seconds"),
    "phones at once": ("Phones at once", "1"),
}


@pytest.mark.parametrize(("label", "value"), ROWS.values(), ids=ROWS)
def test_every_setting_has_its_row(label: str, value: str) -> None:
    assert row(render_sheet(PHONE, SERVER), label) == value


def test_a_phone_beside_the_server_is_told_where_it_registers() -> None:
    assert "<dt>Inside</dt>" not in render_sheet(PHONE, SERVER)
    office = LocalServer(("192.168.1.0/24", "10.8.0.0/24"), "192.168.1.5", 5062)
    sheet = render_sheet(PHONE, replace(SERVER, local=office))
    assert row(sheet, "Inside") == "192.168.1.5:5062"
    assert "a phone in 192.168.1.0/24 or 10.8.0.0/24, over UDP only" in sheet


OWN_SETTINGS: dict[str, tuple[dict[str, Any], str, str]] = {
    "one codec": ({"codecs": ("alaw",)}, "Codecs", "PCMA"),
    "the other codec preferred": ({"codecs": ("alaw", "ulaw")}, "Codecs", "PCMA, PCMU"),
    "several phones": ({"max_contacts": 3}, "Phones at once", "3"),
}


@pytest.mark.parametrize(("change", "label", "value"), OWN_SETTINGS.values(), ids=OWN_SETTINGS)
def test_what_the_extension_says_is_on_its_sheet(change: dict[str, Any], label: str, value: str) -> None:
    assert row(render_sheet(replace(PHONE, **change), SERVER), label) == value


WEIRD = {
    "HTML": '<b>&amp;"quoted"\'</b>',
    "template": "{{7*7}}{% raw %}",
    "beyond Latin": "Zoë-Łukasz-日本-العربية",
    "blanks": "two  blanks and more",
    "one character": "x",
    "as long as may be": "kY3vTq8Wm2Zr5nBx" * 8,
}


@pytest.mark.parametrize("text", WEIRD.values(), ids=WEIRD)
def test_any_text_reads_as_it_was_written(text: str) -> None:
    sheet = render_sheet(replace(PHONE, name=text, password=text), SERVER)
    assert (row(sheet, "Display name"), row(sheet, "Password")) == (text, text)


def test_a_value_makes_no_element_of_its_own() -> None:
    plain = render_sheet(PHONE, SERVER)
    weird = render_sheet(replace(PHONE, name="<script>alert(1)</script>"), SERVER)
    assert re.findall(r"<\w+", weird) == re.findall(r"<\w+", plain)


def test_the_password_is_typed_in_groups_of_four() -> None:
    assert re.findall(r"<span>(.*?)</span>", render_sheet(PHONE, SERVER)) == ["kY3v", "Tq8W", "m2Zr", "5nBx"]


def test_the_qr_code_is_the_password_alone() -> None:
    code = qr_code(render_sheet(PHONE, SERVER))
    expected = segno.make_qr(PHONE.password, error="q")
    assert code == expected.svg_inline(border=4, omitsize=True, svgclass=None, lineclass=None)
    assert qr_code(render_sheet(replace(PHONE, name="Other"), Server("192.0.2.11", 5062))) == code


def test_a_qr_code_beyond_ascii_names_its_encoding() -> None:
    code = qr_code(render_sheet(replace(PHONE, password="Straße"), SERVER))
    expected = segno.make_qr("Straße", error="q", encoding="utf-8", eci=True)
    assert code == expected.svg_inline(border=4, omitsize=True, svgclass=None, lineclass=None)


HOSTS = {
    "SIP's own port is not typed": (5060, "100@192.0.2.10", None),
    "another port is": (5062, "100@192.0.2.10:5062", "sip:192.0.2.10:5062"),
}


@pytest.mark.parametrize(("port", "zoiper", "registrar"), HOSTS.values(), ids=HOSTS)
def test_steps_say_what_to_type(port: int, zoiper: str, registrar: str | None) -> None:
    typed = re.findall(r"<code>(.*?)</code>", render_sheet(PHONE, Server("192.0.2.10", port)))
    assert zoiper in typed
    assert [text for text in typed if text.startswith("sip:")] == ([registrar] if registrar else [])


def test_a_sheet_loads_nothing() -> None:
    sheet = render_sheet(PHONE, SERVER)
    assert re.findall(r"\b(?:src|href|action)=|@import|url\(|<script|<link|<img", sheet) == []
    assert "default-src 'none'" in sheet


def test_a_sheet_is_the_same_each_time_and_begins_with_its_mark() -> None:
    sheet = render_sheet(PHONE, SERVER)
    assert sheet == render_sheet(PHONE, SERVER)
    assert sheet.startswith(MARKER)


def test_the_registration_expiry_is_one_the_pbx_grants() -> None:
    configured = golden("production")["pjsip_wizard.conf"]
    limits = dict(re.findall(r"^aor/(minimum|maximum)_expiration\s*=\s*(\d+)$", configured, re.MULTILINE))
    assert int(limits["minimum"]) <= REGISTRATION_SECONDS <= int(limits["maximum"])


def test_extensions_are_read_with_their_defaults() -> None:
    listed: list[dict[str, Any]] = [
        {"number": "100"},
        {"number": "101", "name": "Bo", "codecs": ["alaw"], "max_contacts": 2},
    ]
    assert read_phones(listed, {"100": "one", "101": "two", "carrier": "three"}) == (
        Phone("100", "100", "one", ("ulaw", "alaw"), 1),
        Phone("101", "Bo", "two", ("alaw",), 2),
    )


def test_a_phone_in_a_message_is_without_its_password() -> None:
    assert PHONE.password not in repr(PHONE)


UNREADABLE: dict[str, tuple[dict[str, Any], Any, str]] = {
    "a path": ({"number": "../100"}, {"../100": "secret-one"}, "extension '../100' is not a number"),
    "no number": ({}, {"100": "secret-one"}, "extension 'None' is not a number"),
    "no password": ({"number": "100"}, {"101": "secret-one"}, "extension 100 has no password"),
    "an empty password": ({"number": "100"}, {"100": ""}, "extension 100 has no password"),
    "no mapping": ({"number": "100"}, "secret-one", "secrets is a mapping"),
}


@pytest.mark.parametrize(("extension", "secrets", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_become_a_sheet_is_refused(extension: dict[str, Any], secrets: Any, message: str) -> None:
    with pytest.raises(SheetError, match=re.escape(message)) as refused:
        read_phones([extension], secrets)
    assert "secret-one" not in str(refused.value)
