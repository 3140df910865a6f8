"""Reading `dialplan show NUMBER@CONTEXT` as Asterisk 22.10.1 prints it, and following numbers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ansible_collections.callcenter.pbx.plugins.module_utils.smoke.dialplan import (
    Match,
    Resolution,
    first_match,
    resolve_all,
)

TWO_FIT = """[ Context 'from-twilio' created by 'pbx_config' ]
  '+19863334949' => 1. NoOp(Inbound call in from-twilio for ${EXTEN}) [extensions.conf:19]
                    2. Goto(extensions,100,1)                     [extensions.conf:20]
  '_+1.' =>         1. NoOp(Inbound call in from-twilio for ${EXTEN}) [extensions.conf:25]
                    2. Goto(extensions,101,1)                     [extensions.conf:26]

-= 2 extensions (4 priorities) in 1 context. =-
"""
INCLUDED = """[ Included context 'outbound' created by 'pbx_config' ]
  '_9+.' =>         1. GotoIf($[${LEN(${EXTEN:2})} > 15]?refused,invalid-number,1) [extensions.conf:93]
                    2. Goto(outbound-call,+${EXTEN:2},1)          [extensions.conf:94]

-= 1 extension (2 priorities) in 1 context. =-
"""
LABELLED = """[ Context 'long' created by 'pbx_config' ]
  '556' (CID match '100') =>  1. NoOp(cid)                                  [extensions.conf:185]
     [label]        2. NoOp(x)                                    [extensions.conf:183]
  '556' =>          1. NoOp(nocid)                                [extensions.conf:186]

-= 2 extensions (3 priorities) in 1 context. =-
"""
NOTHING = "There is no existence of 7@internal extension\nCommand 'dialplan show 7@internal' failed.\n"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            TWO_FIT,
            Match(
                "+19863334949", ("NoOp(Inbound call in from-twilio for ${EXTEN})", "Goto(extensions,100,1)")
            ),
            id="the first of two",
        ),
        pytest.param(
            INCLUDED,
            Match(
                "_9+.",
                (
                    "GotoIf($[${LEN(${EXTEN:2})} > 15]?refused,invalid-number,1)",
                    "Goto(outbound-call,+${EXTEN:2},1)",
                ),
            ),
            id="from an include",
        ),
        pytest.param(LABELLED, Match("556", ("NoOp(cid)", "NoOp(x)")), id="label and caller ID"),
        pytest.param(NOTHING, None, id="no match"),
        pytest.param("There is no existence of 'nowhere' context\n", None, id="no context"),
        pytest.param("", None, id="no answer"),
    ],
)
def test_first_match(answer: str, expected: Match | None) -> None:
    assert first_match(answer) == expected


def show(pattern: str, *steps: str) -> str:
    """An answer of Asterisk with one extension."""
    lines = [f"                    {place}. {step} [x:1]" for place, step in enumerate(steps, 1)]
    lines[0] = f"  '{pattern}' =>   {lines[0].strip()}"
    return "\n".join(["[ Context 'c' created by 'pbx_config' ]", *lines, "", "-= 1 extension =-", ""])


DIALPLAN = {
    "dialplan show 9+1555@internal": show("_9+.", "Goto(outside,+${EXTEN:2},1)"),
    "dialplan show 91555@internal": show("_9X.", "Goto(outside,+${EXTEN:1},1)"),
    "dialplan show +1555@outside": show("_+X.", "Set(A=1)", "Dial(PJSIP/c/sip:${EXTEN}@host,30)"),
    "dialplan show 911@internal": show("911", "Goto(refused,emergency-disabled,1)"),
    "dialplan show 8@internal": show("8", "Goto(internal,8,1)"),
}


def test_numbers_are_followed_to_their_end() -> None:
    asked: list[list[str]] = []

    def ask(commands: Sequence[str]) -> list[str]:
        asked.append(list(commands))
        return [DIALPLAN.get(command, NOTHING) for command in commands]

    numbers = [("internal", number) for number in ("9+1555", "91555", "911", "7", "7")]
    assert resolve_all(numbers, ask) == {
        ("internal", "9+1555"): Resolution(
            "PJSIP/c/sip:+1555@host", ("9+1555@internal (_9+.)", "+1555@outside (_+X.)")
        ),
        ("internal", "91555"): Resolution(
            "PJSIP/c/sip:+1555@host", ("91555@internal (_9X.)", "+1555@outside (_+X.)")
        ),
        ("internal", "911"): Resolution("refused", ("911@internal (911)",)),
        ("internal", "7"): Resolution(None, ("7@internal (no match)",)),
    }
    # One call a jump, and no question twice.
    assert asked == [
        [f"dialplan show {number}@internal" for number in ("9+1555", "91555", "911", "7")],
        ["dialplan show +1555@outside"],
    ]


def test_a_circle_ends() -> None:
    found = resolve_all([("internal", "8")], lambda commands: [DIALPLAN[command] for command in commands])
    assert found[("internal", "8")].target is None
