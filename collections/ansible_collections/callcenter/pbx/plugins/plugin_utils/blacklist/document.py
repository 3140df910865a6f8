# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""The inventory's file of blocked sources as a text: lines of entries come and go, all others stay."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import Network, parse_network

VARIABLE = "pbx_blacklist"
NEW_FILE = f"""---
# Sources whose packets are dropped: addresses, networks, or {{address: ..., reason: ...}}.
{VARIABLE}: []
"""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INDENT = 2


class DocumentError(Exception):
    """The text is not a file of blocked sources; says why."""


@dataclass(frozen=True)
class Edited:
    """The text afterwards, its entries, and what of the request had no effect."""

    text: str
    entries: tuple[Any, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """An entry of the list: its value, and its first and last line in the text (from 0)."""

    value: Any
    first: int
    last: int


@dataclass(frozen=True)
class Document:
    """A file of blocked sources.

    :param line: of the variable's name
    :param flow: where the list is written in brackets, the columns of both in that line
    :param indent: columns before the dash of an item
    """

    lines: tuple[str, ...]
    items: tuple[Item, ...]
    line: int
    flow: tuple[int, int] | None
    indent: int


def edit(text: str, block: Sequence[str], unblock: Sequence[str], reason: str = "") -> Edited:
    """Add the networks `block`, each with the reason, and remove the networks `unblock`.

    :raises DocumentError: the text is not a mapping with the list in it
    :raises ValueError: a network to block or unblock is none
    """
    document = read(text)
    kept = list(document.items)
    notes: list[str] = []
    for address in unblock:
        network = parse_network(address)[0]
        left = [item for item in kept if network_at(item.value) != network]
        if len(left) == len(kept):
            notes.append(f"{address} is not in the list: nothing to unblock")
        kept = left
        wider = _covering(network, [item.value for item in kept])
        notes += [f"{address} is still blocked by {address_of(value)}" for value in wider]
    added: list[Any] = []
    for address in block:
        network = parse_network(address)[0]
        wider = _covering(network, [*(item.value for item in kept), *added])
        if wider:
            notes.append(f"{address} is already blocked by {address_of(wider[0])}")
        else:
            added.append({"address": str(network), "reason": reason} if reason else str(network))
    entries = (*(item.value for item in kept), *added)
    if not added and len(kept) == len(document.items):
        return Edited(text, entries, tuple(notes))
    written = _write(document, kept, added)
    if [item.value for item in read(written).items] != list(entries):
        raise DocumentError(f"has {VARIABLE} in a form that cannot be edited here: edit it by hand")
    return Edited(written, entries, tuple(notes))


def read(text: str) -> Document:
    """Find the list in the text.

    :raises DocumentError: the text is not a mapping with the list in it
    """
    try:
        root = yaml.compose(text, Loader=_LOADER)
        values = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise DocumentError(f"is no YAML that can be edited: {str(error).splitlines()[0]}") from error
    pairs = root.value if isinstance(root, yaml.MappingNode) else ()
    name, listed = next(((key, value) for key, value in pairs if key.value == VARIABLE), (None, None))
    if name is None or not isinstance(listed, yaml.SequenceNode):
        raise DocumentError(f"has no list {VARIABLE}")
    lines = tuple(text.splitlines())
    start, end = listed.start_mark, listed.end_mark
    if listed.flow_style:
        if start.line != end.line or start.line != name.start_mark.line:
            raise DocumentError(f"has {VARIABLE} in brackets over several lines: write one `- item` a line")
        items = [Item(value, start.line, start.line) for value in values[VARIABLE]]
        return Document(lines, tuple(items), start.line, (start.column, end.column), _INDENT)
    items = [
        Item(value, _dash_line(lines, node.start_mark.line), _last_line(node))
        for value, node in zip(values[VARIABLE], listed.value, strict=True)
    ]
    return Document(lines, tuple(items), name.start_mark.line, None, start.column)


def _dash_line(lines: Sequence[str], line: int) -> int:
    """Return the line of the dash before an item's value, which may begin below it."""
    while not lines[line].lstrip().startswith("-"):
        line -= 1
    return line


def _last_line(node: yaml.Node) -> int:
    """Return the last line of a value; that of a block mapping ends where the next thing begins."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return max(_last_line(value) for _, value in node.value)
    return int(node.end_mark.line)


def _write(document: Document, kept: Sequence[Item], added: Sequence[Any]) -> str:
    lines: list[str | None] = list(document.lines)
    new = [f"{' ' * document.indent}- {_spell(value)}" for value in added]
    place = document.line
    if document.flow:
        begin, end = document.flow
        line = document.lines[document.line]
        before, behind = line[:begin].rstrip(), line[end:].rstrip()
        new = [f"{' ' * document.indent}- {_spell(item.value)}" for item in kept] + new
        lines[document.line] = f"{before}{'' if new else ' []'}{behind}"
    else:
        place = document.items[-1].last
        stays = {item.first for item in kept}
        for item in document.items:
            if item.first not in stays:
                lines[item.first : item.last + 1] = [None] * (item.last + 1 - item.first)
        if not kept and not new:
            name, colon, behind = document.lines[document.line].partition(":")
            lines[document.line] = f"{name}{colon} []{behind}"
    lines[place + 1 : place + 1] = new
    return "\n".join([*(line for line in lines if line is not None), ""])


def _spell(value: Any) -> str:
    """Spell an entry as YAML on one line; JSON's way with quotes is one of YAML's."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_spell(item)}" for key, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def address_of(value: object) -> str:
    """Return the address of an entry, '' where it has none."""
    text = value.get("address") if isinstance(value, Mapping) else value
    return text if isinstance(text, str) else ""


def network_at(value: object) -> Network | None:
    """Return the network of an entry, None where it is none."""
    try:
        return parse_network(address_of(value))[0]
    except ValueError:
        return None


def _covering(network: Network, values: Sequence[object]) -> list[object]:
    """Return the entries in which a network lies."""
    return [value for value in values if (outer := network_at(value)) and _covers(outer, network)]


def _covers(outer: Network, inner: Network) -> bool:
    return outer.version == inner.version and outer.first <= inner.first and inner.last <= outer.last
