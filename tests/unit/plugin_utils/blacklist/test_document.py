"""The inventory's file of blocked sources: what is not edited stays as it is, byte by byte."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.document import (
    NEW_FILE,
    DocumentError,
    edit,
)

COMMENTED = """---
# The office's list
pbx_blacklist:
  # scanners
  - 203.0.113.7          # saw it twice
  - {address: 203.0.113.9, reason: "guess: x"}

  # networks
  - "2001:db8::/32"
  - address: 192.0.2.0/24
    reason: abuse
  # the end

pbx_other: [1, 2]
# very end
"""

EDITS = [
    pytest.param(
        NEW_FILE,
        (["203.0.113.7"], [], ""),
        NEW_FILE.replace(" []", '\n  - "203.0.113.7"'),
        id="into a new file",
    ),
    pytest.param(
        "pbx_blacklist: []  # none yet\n",
        (["203.0.113.7", "2001:DB8::7/64"], [], 'said "so": #1'),
        "pbx_blacklist:  # none yet\n"
        '  - {address: "203.0.113.7", reason: "said \\"so\\": #1"}\n'
        '  - {address: "2001:db8::/64", reason: "said \\"so\\": #1"}\n',
        id="with a reason that YAML must quote",
    ),
    pytest.param(
        COMMENTED,
        (["198.51.100.1"], [], ""),
        COMMENTED.replace("reason: abuse\n", 'reason: abuse\n  - "198.51.100.1"\n'),
        id="behind the last one, before what follows",
    ),
    pytest.param(
        COMMENTED,
        ([], ["203.0.113.7"], ""),
        COMMENTED.replace("  - 203.0.113.7          # saw it twice\n", ""),
        id="out, with the comment beside it",
    ),
    pytest.param(
        COMMENTED,
        ([], ["192.0.2.0/24", "2001:db8::/32"], ""),
        COMMENTED.replace('  - "2001:db8::/32"\n  - address: 192.0.2.0/24\n    reason: abuse\n', ""),
        id="out, over several lines",
    ),
    pytest.param(
        COMMENTED,
        (["198.51.100.1"], ["192.0.2.0/24"], ""),
        COMMENTED.replace("  - address: 192.0.2.0/24\n    reason: abuse\n", '  - "198.51.100.1"\n'),
        id="in and out",
    ),
    pytest.param(
        "pbx_blacklist:\n- 203.0.113.7\n",
        (["198.51.100.1"], [], ""),
        'pbx_blacklist:\n- 203.0.113.7\n- "198.51.100.1"\n',
        id="without indentation",
    ),
    pytest.param(
        'pbx_blacklist: ["203.0.113.7", 203.0.113.9]\n',
        ([], ["203.0.113.9"], ""),
        'pbx_blacklist:\n  - "203.0.113.7"\n',
        id="in brackets",
    ),
    pytest.param(
        "pbx_blacklist:  # ours\n  # scanners\n  - 203.0.113.7\nother: 1\n",
        ([], ["203.0.113.7"], ""),
        "pbx_blacklist: []  # ours\n  # scanners\nother: 1\n",
        id="the last one out",
    ),
]


@pytest.mark.parametrize(("text", "request_", "expected"), EDITS)
def test_edit(text: str, request_: tuple[list[str], list[str], str], expected: str) -> None:
    edited = edit(text, *request_)
    assert (edited.text, edited.notes) == (expected, ())


@pytest.mark.parametrize(("text", "request_", "expected"), EDITS)
def test_editing_again_changes_nothing(
    text: str, request_: tuple[list[str], list[str], str], expected: str
) -> None:
    assert edit(expected, *request_).text == expected


@pytest.mark.parametrize(
    ("block", "unblock", "notes"),
    [
        pytest.param(["203.0.113.9"], [], ["203.0.113.9 is already blocked by 203.0.113.9"], id="already"),
        pytest.param(
            ["192.0.2.7"], [], ["192.0.2.7 is already blocked by 192.0.2.0/24"], id="by a wider one"
        ),
        pytest.param([], ["9.9.9.9"], ["9.9.9.9 is not in the list: nothing to unblock"], id="unknown"),
        pytest.param(
            [],
            ["192.0.2.7"],
            [
                "192.0.2.7 is not in the list: nothing to unblock",
                "192.0.2.7 is still blocked by 192.0.2.0/24",
            ],
            id="within a wider one",
        ),
    ],
)
def test_what_has_no_effect_is_said(block: list[str], unblock: list[str], notes: list[str]) -> None:
    edited = edit(COMMENTED, block, unblock)
    assert (edited.text, list(edited.notes)) == (COMMENTED, notes)


def test_entries_are_those_of_the_new_text() -> None:
    assert edit(COMMENTED, ["198.51.100.1"], ["2001:db8::/32"], "why").entries == (
        "203.0.113.7",
        {"address": "203.0.113.9", "reason": "guess: x"},
        {"address": "192.0.2.0/24", "reason": "abuse"},
        {"address": "198.51.100.1", "reason": "why"},
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "has no list", id="empty"),
        pytest.param("pbx_other: []\n", "has no list", id="another variable"),
        pytest.param("pbx_blacklist:\n", "has no list", id="null"),
        pytest.param('pbx_blacklist: "{{ x }}"\n', "has no list", id="template"),
        pytest.param("pbx_blacklist: [\n", "is no YAML", id="broken"),
        pytest.param("pbx_blacklist: !vault x\n", "is no YAML", id="encrypted"),
        pytest.param("pbx_blacklist: [a,\n b]\n", "over several lines", id="brackets over lines"),
    ],
)
def test_a_file_that_cannot_be_edited_is_refused(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        edit(text, ["203.0.113.7"], [])
