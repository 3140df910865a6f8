"""Asterisk's patterns, as Asterisk matches them."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.dialplan import (
    best_match,
    find_steps,
    is_e164,
    matches,
    parse_dialplan,
    resolve_dial,
)

MATCHES = [
    ("exact", "911", "911", True),
    ("exact-is-no-prefix", "911", "9115551234567", False),
    ("plus-is-a-literal", "_9+.", "915551234567", False),
    ("plus-is-dialled", "_9+.", "9+15551234567", True),
    ("dot-wants-one-more", "_9+.", "9+", False),
    ("bang-wants-none", "_+1900!", "+1900", True),
    ("bang-takes-more", "_+1900!", "+19005551234", True),
    ("n-is-2-to-9", "_9NXXXXXXXXX", "91555123456", False),
    ("n-takes-2", "_9NXXXXXXXXX", "92555123456", True),
    ("length-counts", "_91NXXXXXXXXX", "91555123456", False),
    ("x-is-no-letter", "_1XX", "1a0", False),
    ("x-is-no-ampersand", "_91NXXXXXXXXX", "91555&234567", False),
    ("z-is-no-zero", "_Z", "0", False),
    ("set", "_[2-46]X", "61", True),
    ("not-in-set", "_[2-46]X", "51", False),
    ("without-underscore-letters-are-literal", "NXX", "200", False),
]


@pytest.mark.parametrize(
    ("pattern", "dialled", "expected"), [case[1:] for case in MATCHES], ids=[case[0] for case in MATCHES]
)
def test_pattern_matches_as_in_asterisk(pattern: str, dialled: str, expected: bool) -> None:
    assert matches(pattern, dialled) is expected


BEST = [
    ("exact-first", ["_+1.", "_X.", "+19863334949"], "+19863334949", "+19863334949"),
    ("longest-prefix", ["_+!", "_+1!", "_+1900!"], "+19005551234", "_+1900!"),
    ("shorter-prefix", ["_+!", "_+1!", "_+1900!"], "+12125551234", "_+1!"),
    ("dot-before-bang", ["_+!", "_+."], "+1", "_+."),
    ("none", ["_+1!"], "+44", None),
]


@pytest.mark.parametrize(
    ("patterns", "dialled", "expected"), [case[1:] for case in BEST], ids=[case[0] for case in BEST]
)
def test_the_most_specific_pattern_is_chosen(patterns: list[str], dialled: str, expected: str | None) -> None:
    assert best_match(patterns, dialled) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+19863334949", True),
        ("+1", False),
        ("19863334949", False),
        ("+09863334949", False),
        ("+1986333494x", False),
    ],
)
def test_e164(number: str, expected: bool) -> None:
    assert is_e164(number) is expected


DIALPLAN = """
[general]
static = yes

[internal]
include => extensions
include => outbound

[extensions]
; a phone
exten => 100,1,NoOp(Ringing, softly)
 same => n,Dial(PJSIP/100,20)

[outbound]
exten => _9NXX,1,Goto(call,+1${EXTEN:1},1)
exten => _8.,1,Goto(refused,invalid-number,1)

[call]
exten => _+X.,1,Dial(PJSIP/trunk/sip:${EXTEN}@example.com,30)
"""


@pytest.mark.parametrize(
    ("dialled", "expected"),
    [("100", "PJSIP/100"), ("9200", "PJSIP/trunk/sip:+1200@example.com"), ("81", "refused"), ("7", None)],
)
def test_a_dialled_number_is_followed_to_what_is_dialled(dialled: str, expected: str | None) -> None:
    dialplan = parse_dialplan(DIALPLAN)
    assert (
        resolve_dial(lambda context, number: find_steps(dialplan, context, number), "internal", dialled)
        == expected
    )
