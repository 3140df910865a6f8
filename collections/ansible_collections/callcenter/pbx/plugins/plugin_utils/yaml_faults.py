"""What is wrong with a YAML file, by line: the parser's complaint, or a key that stands there twice."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # a PyYAML without libyaml
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

LONGEST = 1_000_000
"""Bytes: longer files, block lists above all, are left to whoever loads them."""


def yaml_fault(content: bytes) -> str | None:
    """Return the first fault as ``:line:column: problem``, or None."""
    if len(content) > LONGEST:
        return None
    try:
        twice = next((found for node in _documents(content) for found in _repeated_keys(node)), None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        return f"{place}: is no YAML: {error.problem}"
    except yaml.YAMLError as error:
        return f": is no YAML: {str(error).splitlines()[0]}"
    if twice is None:
        return None
    line, column = twice.start_mark.line + 1, twice.start_mark.column + 1
    return f":{line}:{column}: {twice.value} stands here a second time. Remove one of them"


def _documents(content: bytes) -> Iterator[yaml.Node]:
    return (node for node in yaml.compose_all(content, Loader=Loader) if node is not None)


def _repeated_keys(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield key
                seen.add(key.value)
            yield from _repeated_keys(value)
