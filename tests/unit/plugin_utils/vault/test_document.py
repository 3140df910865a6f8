"""Editing a vault's text: what changes is written, every other byte of a person's file stays."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.document import (
    NEXT,
    PREVIOUS,
    SECRETS,
    Change,
    DocumentError,
    apply,
    read_maps,
)

HUMAN = """---
# Ours since 2019.
pbx_secrets:
  # The front desk.
  '100': 'it''s old'   # ask Kim
  "101": plainOldPassword99

  twilio-na-us: "the carrier's"
# Something else.
other: [1, 'two', {three: 3}]
pbx_secrets_previous:
  "100": older
# The end.
"""


def change(name: str, written: str | None, where: str = SECRETS) -> Change:
    """A change whose former value does not matter here."""
    return Change(where, name, None, written)


EDITS = {
    "single-quotes-stay": (change("100", "new's"), ("'it''s old'", "'new''s'")),
    "a-plain-word-stays-plain": (change("101", "NewPassword1234"), ("plainOldPassword99", "NewPassword1234")),
    "plain-that-needs-quotes-gets-them": (change("101", "a: b #c"), ("plainOldPassword99", '"a: b #c"')),
    "double-quotes-stay": (change("twilio-na-us", 'q"\\'), ('"the carrier\'s"', '"q\\"\\\\"')),
    "a-new-number-is-quoted": (
        change("102", "x"),
        ('"the carrier\'s"\n', '"the carrier\'s"\n  "102": "x"\n'),
    ),
    "a-new-trunk-is-a-plain-word": (
        change("two", "x"),
        ('"the carrier\'s"\n', '"the carrier\'s"\n  two: "x"\n'),
    ),
    "a-trunk-called-no-is-quoted": (
        change("no", "x"),
        ('"the carrier\'s"\n', '"the carrier\'s"\n  "no": "x"\n'),
    ),
    "an-entry-goes-with-its-line": (change("101", None), ('  "101": plainOldPassword99\n', "")),
    "the-last-entry-leaves-an-empty-map": (
        change("100", None, PREVIOUS),
        ('pbx_secrets_previous:\n  "100": older\n', "pbx_secrets_previous: {}\n"),
    ),
    "a-map-that-is-missing-comes-last": (
        change("twilio-na-us", "x", NEXT),
        (
            "# The end.\n",
            "# The end.\n\n# Add these at the carrier; they are used once the rotation is finished.\n"
            'pbx_secrets_next:\n  twilio-na-us: "x"\n',
        ),
    ),
    "nothing-to-do": (change("101", "plainOldPassword99"), ("", "")),
}


@pytest.mark.parametrize(("wanted", "replaced"), EDITS.values(), ids=EDITS)
def test_only_the_entry_changes(wanted: Change, replaced: tuple[str, str]) -> None:
    assert apply(HUMAN, [wanted]) == HUMAN.replace(*replaced)


FORMS = {
    "empty-file": ("", 'pbx_secrets:\n  "100": "x"\n'),
    "only-a-comment": ("# hello", '# hello\npbx_secrets:\n  "100": "x"\n'),
    "key-without-value": ("pbx_secrets:  # soon\na: 1\n", 'pbx_secrets:\n  "100": "x"  # soon\na: 1\n'),
    "empty-braces": ("pbx_secrets: {}\na: 1\n", 'pbx_secrets: \n  "100": "x"\na: 1\n'),
    "one-line": ("pbx_secrets: {b: c, 'd': \"e\"}\n", 'pbx_secrets: {b: c, \'d\': "e", "100": "x"}\n'),
    "value-without-text": ('pbx_secrets:\n  "100":\n  b: c\n', 'pbx_secrets:\n  "100": "x"\n  b: c\n'),
    "no-line-break-at-the-end": ("pbx_secrets:\n    b: c", 'pbx_secrets:\n    b: c\n    "100": "x"\n'),
    "block-scalar-before": (
        "pbx_secrets:\n  b: |-\n    c\na: 1\n",
        'pbx_secrets:\n  b: |-\n    c\n  "100": "x"\na: 1\n',
    ),
}


@pytest.mark.parametrize(("text", "expected"), FORMS.values(), ids=FORMS)
def test_every_form_of_the_map_takes_an_entry(text: str, expected: str) -> None:
    assert apply(text, [change("100", "x")]) == expected


def test_many_changes_at_once_say_what_was_wanted() -> None:
    changes = [
        change("100", "a"),
        change("101", None),
        change("twilio-na-us", None),
        change("103", "b"),
        change("100", None, PREVIOUS),
        change("101", "c", PREVIOUS),
        change("t", "d", NEXT),
    ]
    edited = apply(HUMAN, changes)
    assert read_maps(edited) == {
        SECRETS: {"100": "a", "103": "b"},
        PREVIOUS: {"101": "c"},
        NEXT: {"t": "d"},
    }
    assert yaml.safe_load(edited)["other"] == [1, "two", {"three": 3}]
    for remark in ("# Ours since 2019.", "# The front desk.", "# ask Kim", "# Something else.", "# The end."):
        assert remark in edited


def test_there_and_back_gives_the_same_bytes() -> None:
    there = apply(HUMAN, [change("100", "Ab3"), change("101", "NewPassword1234"), change("102", "x")])
    back = [change("100", "it's old"), change("101", "plainOldPassword99"), change("102", None)]
    assert apply(there, back) == HUMAN


REFUSED = {
    "inline-vault": ("pbx_secrets:\n  '100': !vault |\n    canary\n", r"inline !vault value in line 2"),
    "inline-vault-elsewhere": ("other: !vault canary\n", r"inline !vault value in line 1"),
    "unsafe": ("pbx_secrets: {'100': !unsafe 'canary'}\n", r"pbx_secrets\[100\] is not text"),
    "number-as-password": ("pbx_secrets: {'100': 12345678}\n", r"pbx_secrets\[100\] is not text"),
    "number-as-name": ("pbx_secrets:\n  100: canary\n", r"a name that is not text in line 2"),
    "same-name-twice": ("pbx_secrets: {a: canary, a: canary}\n", r"pbx_secrets\[a\] is there twice"),
    "same-map-twice": ("pbx_secrets: {}\npbx_secrets: {a: canary}\n", "has pbx_secrets twice"),
    "list": ("pbx_secrets: [canary]\n", "is not a mapping"),
    "template-for-the-map": ("pbx_secrets: '{{ canary }}'\n", "is not a mapping"),
    "not-yaml": ("pbx_secrets: {canary: 'unclosed\n", "look near line"),
    "two-documents": ("---\na: canary\n---\nb: 1\n", "not one readable YAML document"),
    "no-variables": ("- canary\n", "holds no variables"),
    "anchor": ("pbx_secrets: {a: &x canary, b: *x}\n", "anchor or alias in line 1"),
    "whole-file-on-one-line": ("{a: canary}\n", "cannot be edited safely"),
    "document-end": ("a: canary\n...\n", "cannot be edited safely"),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_edited_is_refused_without_showing_it(text: str, expected: str) -> None:
    with pytest.raises(DocumentError, match=expected) as refused:
        apply(text, [change("102", "x")])
    assert "canary" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
