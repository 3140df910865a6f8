"""Writing values into Asterisk's configuration files.

Asterisk's parser has its own small language: ``;`` starts a comment, blanks around a value are dropped, a
value that starts with ``>`` turns ``=`` into ``=>``, a line break ends the value. A value is escaped when the
language has an escape for it, and refused when it has none.
"""

from __future__ import annotations

import re

LONGEST_VALUE = 1024
"""Characters; Asterisk reads lines of at most 8,190 bytes."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def value_problem(value: str) -> str | None:
    """Say why ``value`` cannot be written to a configuration file, or None. Never repeats the value."""
    if _CONTROL.search(value):
        return "contains a line break or another control character"
    if value != value.strip():
        return "starts or ends with a blank, which Asterisk would drop"
    if value.startswith(">"):
        return "starts with '>', which Asterisk would read as part of '=>'"
    if len(value) > LONGEST_VALUE:
        return f"is longer than {LONGEST_VALUE} characters"
    return None


def asterisk_value(value: object) -> str:
    """Return ``value`` (str, int or bool) as Asterisk reads it back unchanged.

    Raises TypeError for other types and ValueError for text that no escape can carry.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(int(value))
    if not isinstance(value, str):
        raise TypeError(
            f"an Asterisk value is text, a whole number or true/false, not {type(value).__name__}"
        )
    problem = value_problem(value)
    if problem:
        raise ValueError(f"this value {problem}")
    return str(value).replace(";", "\\;")
