# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""What a block list is made from on the controller: sources, each a plain list with a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ansible_collections.callcenter.pbx.plugins.module_utils.networks.plain_list import (
    WIDEST_LISTED,
    PlainList,
    describe_faults,
    parse_plain,
    too_wide,
)


class SourceError(Exception):
    """A source cannot be used; the text names it, the fault and the remedy."""


@dataclass(frozen=True)
class Source:
    """One list as it came: how messages name it, and its text."""

    name: str
    text: str

    @cached_property
    def plain(self) -> PlainList:
        """What the text says, read when it is asked for: a list that has not changed need not be."""
        return parse_plain(self.text)


def read_files(paths: Sequence[str]) -> list[Source]:
    """Read plain files.

    :raises SourceError: one cannot be read
    """
    found = []
    for path in paths:
        try:
            found.append(Source(path, Path(path).read_bytes().decode("utf-8", "replace")))
        except OSError as error:
            raise SourceError(
                f"{path}: {error.strerror}. Correct blacklist_files; nothing was changed"
            ) from error
    return found


def refuse_unfit(source: Source) -> None:
    """Raise `SourceError` for a text that is mostly no block list, or would block half the world."""
    plain = source.plain
    if plain.is_mostly_garbage:
        first = "the first " if plain.is_cut else ""
        raise SourceError(
            f"{source.name} is no block list: {len(plain.faults)} of {first}"
            f"{len(plain.faults) + plain.entries} lines mean nothing. The list that runs stays as it is. "
            f"{describe_faults(source.name, plain.faults)}"
        )
    wide = too_wide(plain.keys)
    if wide:
        widest = WIDEST_LISTED[wide[0].version]
        more = f" (and {len(wide) - 1} more such)" if len(wide) > 1 else ""
        raise SourceError(
            f"{source.name} names {wide[0]}, wider than /{widest}{more}: nobody holds so much, so the list "
            "is faulty or forged. The list that runs stays as it is. Use another list, or write "
            "into pbx_blacklist what you do mean to block so widely"
        )
