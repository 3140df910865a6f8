"""Editing the text of a vault: only the entries that change are written, every other byte stays.

The text is parsed as Ansible parses it; the positions that the parser reports say which slices to replace.
No message contains a value: a parser's own messages quote the line, so they are never passed on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

SECRETS = "pbx_secrets"
PREVIOUS = "pbx_secrets_previous"
NEXT = "pbx_secrets_next"
MAPS = (SECRETS, PREVIOUS, NEXT)

Maps = dict[str, dict[str, str]]
"""The passwords by map and name; a map that the text lacks is empty."""

_YAML = "tag:yaml.org,2002:"
_REMARKS = {
    SECRETS: "",
    PREVIOUS: "# The passwords before these; accepted too, until the rotation is finished.",
    NEXT: "# Add these at the carrier; they are used once the rotation is finished.",
}
_PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]{11,}")


class DocumentError(ValueError):
    """The text is nothing that can be edited safely; the message says what to mend."""


@dataclass(frozen=True)
class Change:
    """One entry before and after; None: it is not there."""

    map: str
    name: str
    former: str | None
    written: str | None


@dataclass(frozen=True)
class _Edit:
    """Replace ``text[start:end]``."""

    start: int
    end: int
    text: str


def read_maps(text: str) -> Maps:
    """Return the passwords in ``text``; an entry without a value is an empty string.

    Raises DocumentError for text that is not YAML or whose passwords are not plain text by name.
    """
    found = _map_nodes(_compose(text))
    return {name: _entries(name, found.get(name)) for name in MAPS}


def apply(text: str, changes: Iterable[Change]) -> str:
    """Return ``text`` with the ``written`` side of the changes, and everything else as it was.

    A map that loses its last entry stays as ``{}``: variables that are loaded anew replace the old ones only
    by name. Raises DocumentError when the text cannot be edited.
    """
    before = _compose(text)
    nodes = _map_nodes(before)
    maps = {name: _entries(name, nodes.get(name)) for name in MAPS}
    wanted: dict[str, dict[str, str | None]] = {name: {} for name in MAPS}
    for change in changes:
        wanted[change.map][change.name] = change.written
    edits: list[_Edit] = []
    appended: list[str] = []
    for name, entries in wanted.items():
        kept = {key: value for key, value in entries.items() if value != maps[name].get(key)}
        if not kept:
            continue
        if name in nodes:
            edits += _edits(text, *nodes[name], kept)
        else:
            appended.append(_new_map(name, kept))
    result = text
    for edit in sorted(edits, key=lambda item: (item.start, item.end), reverse=True):
        result = result[: edit.start] + edit.text + result[edit.end :]
    for block in appended:
        result = result + ("" if not result or result.endswith("\n") else "\n") + block
    _verify(before, result, maps, wanted)
    return result


def _verify(
    before: yaml.MappingNode | None,
    text: str,
    maps: Maps,
    wanted: Mapping[str, Mapping[str, str | None]],
) -> None:
    """Read the result back: it must say what was wanted, and the rest must say what it said."""
    expected = {name: dict(entries) for name, entries in maps.items()}
    for name, entries in wanted.items():
        for key, value in entries.items():
            if value is None:
                expected[name].pop(key, None)
            else:
                expected[name][key] = value
    try:
        after = _compose(text)
        sound = read_maps(text) == expected and _rest(after) == _rest(before)
    except DocumentError:
        sound = False
    if not sound:
        raise DocumentError(
            "is written in a way that cannot be edited safely: write one entry a line, as in docs/secrets.md"
        )


def _compose(text: str) -> yaml.MappingNode | None:
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                line = event.start_mark.line + 1 if event.start_mark else "?"
                raise DocumentError(f"uses a YAML anchor or alias in line {line}: write the value out")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" near line {mark.line + 1}" if mark else ""
        raise DocumentError(f"is not one readable YAML document: look{place}") from None
    if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == f"{_YAML}null"):
        return None
    if not isinstance(root, yaml.MappingNode):
        raise DocumentError("holds no variables: write `pbx_secrets:` and one entry a line below it")
    _refuse_inline_vault(root)
    return root


def _refuse_inline_vault(node: yaml.Node) -> None:
    if node.tag == "!vault":
        raise DocumentError(
            f"has an inline !vault value in line {node.start_mark.line + 1}: write the value itself, "
            "and encrypt the file as a whole"
        )
    for child in _children(node):
        _refuse_inline_vault(child)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _map_nodes(root: yaml.MappingNode | None) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """Return (key, value) of each map the text has."""
    found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in root.value if root else []:
        if key.value not in MAPS:
            continue
        if key.value in found:
            raise DocumentError(f"has {key.value} twice: join them")
        found[str(key.value)] = (key, value)
    return found


def _entries(name: str, pair: tuple[yaml.Node, yaml.Node] | None) -> dict[str, str]:
    if pair is None or pair[1].tag == f"{_YAML}null":
        return {}
    if not isinstance(pair[1], yaml.MappingNode):
        raise DocumentError(f"{name} is not a mapping of name to password: write one `name: password` a line")
    found: dict[str, str] = {}
    for key, value in pair[1].value:
        if key.tag != f"{_YAML}str":
            raise DocumentError(
                f"{name} has a name that is not text in line {key.start_mark.line + 1}: put it in quotes"
            )
        shown = f"{name}[{key.value}]"
        if key.value in found:
            raise DocumentError(f"{shown} is there twice: remove one")
        if value.tag not in (f"{_YAML}str", f"{_YAML}null"):
            raise DocumentError(f"{shown} is not text: put the password in quotes")
        found[str(key.value)] = str(value.value) if value.tag == f"{_YAML}str" else ""
    return found


def _rest(root: yaml.MappingNode | None) -> list[Any]:
    """Everything but the maps, comparable."""
    return [
        (_plain(key), _plain(value)) for key, value in (root.value if root else []) if key.value not in MAPS
    ]


def _plain(node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return (node.tag, node.value)
    return (node.tag, [_plain(child) for child in _children(node)])


def _edits(text: str, key: yaml.Node, value: yaml.Node, wanted: Mapping[str, str | None]) -> list[_Edit]:
    if not isinstance(value, yaml.MappingNode) or not value.value:
        # Nothing there yet: `pbx_secrets:`, `pbx_secrets: {}` or `pbx_secrets: null`.
        indent = " " * (key.start_mark.column + 2)
        lines = "".join(f"\n{indent}{_entry(name, new)}" for name, new in _new(wanted))
        return [_Edit(value.start_mark.index, value.end_mark.index, lines)]
    if value.flow_style:
        return [_flow_edit(text, value, wanted)]
    return _block_edits(text, key, value, wanted)


def _flow_edit(text: str, value: yaml.MappingNode, wanted: Mapping[str, str | None]) -> _Edit:
    entries = []
    there = set()
    for key, old in value.value:
        there.add(key.value)
        new = wanted.get(key.value, old.value)
        if new is not None:
            shown = _scalar(new, old) if key.value in wanted else _slice(text, old)
            entries.append(f"{_slice(text, key)}: {shown}")
    entries += [_entry(name, new) for name, new in _new(wanted) if name not in there]
    return _Edit(value.start_mark.index, value.end_mark.index, "{" + ", ".join(entries) + "}")


def _block_edits(
    text: str, key: yaml.Node, value: yaml.MappingNode, wanted: Mapping[str, str | None]
) -> list[_Edit]:
    edits = []
    there = {entry.value for entry, _ in value.value}
    for entry, old in value.value:
        if entry.value not in wanted:
            continue
        new = wanted[entry.value]
        if new is None:
            start = text.rfind("\n", 0, entry.start_mark.index) + 1
            edits.append(_Edit(start, _line_end(text, old), ""))
        else:
            start, end = old.start_mark.index, old.end_mark.index
            edits.append(_Edit(start, end, (" " if start == end else "") + _scalar(new, old)))
    added = [(name, new) for name, new in _new(wanted) if name not in there]
    if added:
        end = _line_end(text, value.value[-1][1])
        indent = " " * value.start_mark.column
        lines = "".join(f"{indent}{_entry(name, new)}\n" for name, new in added)
        edits.append(_Edit(end, end, lines if text[end - 1] == "\n" else "\n" + lines))
    elif all(wanted.get(name, "") is None for name in there):
        colon = text.index(":", key.end_mark.index) + 1
        edits.append(_Edit(colon, colon, " {}"))
    return edits


def _line_end(text: str, node: yaml.Node) -> int:
    """Return where the line after the node begins."""
    end = int(node.end_mark.index)
    if end and text[end - 1] == "\n":  # a block scalar, which includes its line break
        return end
    newline = text.find("\n", end)
    return len(text) if newline < 0 else newline + 1


def _slice(text: str, node: yaml.Node) -> str:
    return text[node.start_mark.index : node.end_mark.index]


def _new(wanted: Mapping[str, str | None]) -> Sequence[tuple[str, str]]:
    return [(name, value) for name, value in wanted.items() if value is not None]


def _new_map(name: str, wanted: Mapping[str, str | None]) -> str:
    remark = f"\n{_REMARKS[name]}\n" if _REMARKS[name] else ""
    return remark + f"{name}:\n" + "".join(f"  {_entry(key, value)}\n" for key, value in _new(wanted))


def _entry(name: str, value: str) -> str:
    plain = re.fullmatch(r"[a-z][a-z0-9-]*", name) and yaml.safe_load(name) == name
    return f"{name if plain else _quoted(name)}: {_quoted(value)}"


def _scalar(value: str, old: yaml.ScalarNode) -> str:
    """Write ``value`` in the style of the one it replaces, where that style can carry it."""
    if old.style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if old.style is None and old.value and _PLAIN_WORD.fullmatch(value):
        return value
    return _quoted(value)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
