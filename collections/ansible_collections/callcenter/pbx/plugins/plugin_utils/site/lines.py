# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""The lines of a file in Asterisk's syntax, with the section each one is in."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEADER = re.compile(r"\[(?P<name>[^\]]*)\]\s*(?:\((?P<flags>[^)]*)\))?$")
_COMMENT = re.compile(r"(?<!\\);.*$")


@dataclass(frozen=True)
class Line:
    """One line that means something.

    :param section: the section it is in, '' before the first one; of a header its own
    :param flags: what stands in parentheses behind the section's name, as ``+`` or ``!``
    :param key: what stands before the equals sign, in small letters; '' for a header
    :param value: what stands behind it
    :param is_header: whether it begins a section
    """

    number: int
    text: str
    section: str
    flags: tuple[str, ...]
    key: str = ""
    value: str = ""
    is_header: bool = False


def read_lines(text: str) -> list[Line]:
    """Return the lines without comments. Block comments are not known here: `site_files` refuses them."""
    found = []
    section, flags = "", tuple[str, ...]()
    for number, raw in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", raw).strip()
        if not line:
            continue
        header = _HEADER.match(line)
        if header:
            section = header["name"].strip()
            flags = tuple(word.strip() for word in (header["flags"] or "").split(",") if word.strip())
            found.append(Line(number, line, section, flags, is_header=True))
            continue
        key, _, value = line.partition("=")
        found.append(Line(number, line, section, flags, key.strip().lower(), value.lstrip(">").strip()))
    return found
