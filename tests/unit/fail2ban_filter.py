"""Read a filter of fail2ban as fail2ban 1.1 does: enough for one that has no includes."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

# What fail2ban puts in the place of <ADDR> and <F-CONTENT>.
_ADDR = (
    r"\[?(?:(?:::f{4,6}:)?(?P<ip4>(?:\d{1,3}\.){3}\d{1,3})"
    r"|(?P<ip6>(?:[0-9a-fA-F]{1,4}::?|::){1,7}(?:[0-9a-fA-F]{1,4}|(?<=:):)))\]?"
)
_DATE = re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?: [+-]\d{4})?\]")


class Filter:
    """One filter with one value of its option `offence`."""

    def __init__(self, path: Path, offence: str) -> None:
        parser = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",))
        parser.read_string(path.read_text(encoding="utf-8"))
        section = parser["Definition"]
        assert section["datepattern"] == r"^\[%Y-%m-%d %H:%M:%S(?: %z)?\]"
        assert section["failregex"] == "<re-<offence>>"
        self._prefix = re.compile(
            section["prefregex"].replace("<F-CONTENT>", "(?P<content>").replace("</F-CONTENT>", ")")
        )
        self._expressions = [
            re.compile(line.replace("<ADDR>", _ADDR))
            for line in section[f"re-{offence}"].split("\n")
            if line.strip()
        ]

    def address(self, line: str) -> str | None:
        """Return the address a line of a log accuses, None when it accuses nobody."""
        dated = _DATE.match(line)
        begun = self._prefix.search(line[dated.end() :]) if dated else None
        if begun is None:
            return None
        for expression in self._expressions:
            found = expression.search(begun["content"])
            if found:
                return found["ip4"] or found["ip6"]
        return None
