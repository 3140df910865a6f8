"""Values reach Asterisk as they are, or not at all."""

from __future__ import annotations

import pytest
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.escape import asterisk_value

WRITTEN = [
    ("text", "abc", "abc"),
    ("semicolon", "a;b", "a\\;b"),
    ("escaped-semicolon", "a\\;b", "a\\\\;b"),
    ("equals-and-hash", "#a=>b", "#a=>b"),
    ("number", 5060, "5060"),
    ("true", True, "yes"),
    ("false", False, "no"),
]


@pytest.mark.parametrize(
    ("value", "expected"), [case[1:] for case in WRITTEN], ids=[case[0] for case in WRITTEN]
)
def test_value_is_escaped(value: object, expected: str) -> None:
    assert asterisk_value(value) == expected


REFUSED = ["a\nb", "a\rb", "a\x00b", "a\u2028b", " zebra", "zebra\t", ">zebra", "x" * 1025]


@pytest.mark.parametrize("value", REFUSED, ids=repr)
def test_value_without_an_escape_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(ValueError, match="this value") as caught:
        asterisk_value(value)
    assert value not in str(caught.value)


@pytest.mark.parametrize("value", [None, 1.5, [], {}, b"a"], ids=repr)
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        asterisk_value(value)
