"""Asterisk's configuration syntax, as far as a release needs it: sections, templates, includes.

Pure functions over text. Only what is needed to compare two trees and to find references between
objects; Asterisk itself is the judge of what is valid.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_SECTION = re.compile(r"^\[(?P<name>[^\]]+)\](?:\((?P<flags>[^)]*)\))?")
_INCLUDE = re.compile(r"^#(?:try)?include\s+[<\"]?(?P<file>[^>\"\s]+)")
_BLOCK_COMMENT = re.compile(r";--(?!-).*?--;", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\);.*$")


@dataclass(frozen=True)
class Item:
    """One ``key = value`` and the line it stands on."""

    key: str
    value: str
    file: str
    line: int


@dataclass(frozen=True)
class Section:
    """One section with the items its templates give it, templates first."""

    name: str
    is_template: bool
    items: tuple[Item, ...]

    def get(self, key: str) -> str:
        """Return the last value of a key, '' without one."""
        return next((item.value for item in reversed(self.items) if item.key == key), "")

    def settings(self) -> tuple[tuple[str, str], ...]:
        """Return keys and values without their place, for comparing."""
        return tuple((item.key, item.value) for item in self.items)


def includes(text: str) -> frozenset[str]:
    """Return the files a file includes, by name within the configuration directory."""
    matches = (_INCLUDE.match(line.strip()) for line in text.splitlines())
    return frozenset(posixpath.basename(match["file"]) for match in matches if match)


def roots(files: Mapping[str, str], name: str) -> frozenset[str]:
    """Return the files Asterisk opens itself to read ``name``: its outermost includers, or itself."""
    parents = {parent: includes(text) for parent, text in files.items()}
    found, queue, seen = set(), [name], {name}
    while queue:
        current = queue.pop()
        includers = [parent for parent, children in parents.items() if current in children]
        if not includers:
            found.add(current)
        for includer in includers:
            if includer not in seen:
                seen.add(includer)
                queue.append(includer)
    # In a circle nobody is outermost.
    return frozenset(found or {name})


def sections(files: Mapping[str, str], root: str) -> tuple[Section, ...]:
    """Return the sections of a file, includes followed and templates applied, in order."""
    known: dict[str, tuple[Item, ...]] = {}
    result: list[Section] = []
    for name, flags, own in _raw_sections(files, root):
        inherited: list[Item] = []
        for flag in flags:
            if flag == "+":
                result = [section for section in result if section.name != name]
                inherited.extend(known.get(name, ()))
            elif flag != "!":
                inherited.extend(known.get(flag, ()))
        known[name] = (*inherited, *own)
        result.append(Section(name, "!" in flags, known[name]))
    return tuple(result)


def _raw_sections(
    files: Mapping[str, str], root: str
) -> Iterator[tuple[str, tuple[str, ...], tuple[Item, ...]]]:
    """Yield (name, flags, own items) for each section header."""
    current: tuple[str, tuple[str, ...], list[Item]] | None = None
    for file, line, text in _lines(files, root, ()):
        header = _SECTION.match(text)
        if header:
            if current:
                yield current[0], current[1], tuple(current[2])
            flags = tuple(flag.strip() for flag in (header["flags"] or "").split(",") if flag.strip())
            current = (header["name"], flags, [])
        elif current and "=" in text:
            key, _, value = text.partition("=")
            current[2].append(Item(key.strip(), value.removeprefix(">").strip(), file, line))
    if current:
        yield current[0], current[1], tuple(current[2])


def _lines(files: Mapping[str, str], name: str, above: tuple[str, ...]) -> Iterator[tuple[str, int, str]]:
    """Yield (file, line number, text) without comments; an unknown or circular include is empty."""
    if name not in files or name in above:
        return
    # A block comment keeps its line breaks, so that the numbers after it stay right.
    text = _BLOCK_COMMENT.sub(lambda match: "\n" * match[0].count("\n"), files[name])
    for number, raw in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", raw).strip()
        include = _INCLUDE.match(line)
        if include:
            yield from _lines(files, posixpath.basename(include["file"]), (*above, name))
        elif line:
            yield name, number, line
