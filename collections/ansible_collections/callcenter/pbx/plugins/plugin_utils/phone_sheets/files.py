"""The directory of phone sheets on the controller: ``<number>.html``, for its owner's eyes only.

A sheet is at no moment readable for others, nor half written: it is made under another name with its final
mode and then renamed. What is not ours in the directory is left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.callcenter.pbx.plugins.plugin_utils.phone_sheets.sheet import MARKER, SheetError

FILE_MODE = 0o600
DIR_MODE = 0o700

_SHEET = re.compile(r"[0-9]{2,6}\.html")
_STAGED = re.compile(r"\.[0-9]{2,6}\.html\.new")


@dataclass(frozen=True)
class Found:
    """What is in the directory.

    :param sheets: content of each sheet by file name; None for one that others may read
    :param foreign: files named like a sheet that are none
    :param staged: what a run that was cut off left behind
    :param private: whether nobody else may enter the directory
    """

    sheets: Mapping[str, str | None]
    foreign: frozenset[str]
    staged: frozenset[str]
    private: bool


@dataclass(frozen=True)
class Plan:
    """What is to be done, as sorted file names."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: tuple[str, ...]
    tighten: bool

    @property
    def anything(self) -> bool:
        """Whether there is something to do."""
        return bool(self.added or self.changed or self.removed or self.tighten)

    @property
    def written(self) -> tuple[str, ...]:
        """The files to write."""
        return tuple(sorted((*self.added, *self.changed)))


NOTHING = Found({}, frozenset(), frozenset(), private=True)
"""What is found where there is no directory yet."""


def plan(wanted: Mapping[str, str], found: Found) -> Plan:
    """Compare contents. Raises SheetError when a sheet would replace a file that is not ours."""
    in_the_way = sorted(found.foreign & wanted.keys())
    if in_the_way:
        raise SheetError(f"{', '.join(in_the_way)} is no phone sheet: move it elsewhere")
    same = {name for name, content in wanted.items() if found.sheets.get(name) == content}
    return Plan(
        added=tuple(sorted(wanted.keys() - found.sheets.keys())),
        changed=tuple(sorted((wanted.keys() & found.sheets.keys()) - same)),
        removed=tuple(sorted((found.sheets.keys() - wanted.keys()) | found.staged)),
        unchanged=tuple(sorted(same)),
        tighten=not found.private,
    )


def write_sheets(directory: Path, wanted: Mapping[str, str], check_only: bool) -> Plan:
    """Make the sheets in ``directory`` those of ``wanted`` (content by file name); return what was done.

    Waits for another run on the same directory. Raises SheetError, which names the path, and OSError.
    """
    if check_only and not os.path.lexists(directory):
        return plan(wanted, NOTHING)
    if not check_only:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=DIR_MODE)
    try:
        with _opened(directory) as handle:
            made = plan(wanted, _find(handle))
            if not check_only:
                _apply(handle, made, wanted)
            return made
    except SheetError as error:
        raise SheetError(f"{directory}: {error}") from None


@contextlib.contextmanager
def _opened(directory: Path) -> Iterator[int]:
    """Yield the directory, locked against other runs; everything inside is then reached through it."""
    if directory.is_symlink() or not directory.is_dir():
        raise SheetError("is not a directory: move it elsewhere")
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _find(handle: int) -> Found:
    """Read what is in the directory and named as our files are."""
    sheets: dict[str, str | None] = {}
    foreign, staged = set(), set()
    for name in os.listdir(handle):
        if _STAGED.fullmatch(name):
            staged.add(name)
        elif _SHEET.fullmatch(name):
            status = os.stat(name, dir_fd=handle, follow_symlinks=False)
            content = _read(handle, name) if stat.S_ISREG(status.st_mode) else None
            # A power cut may leave an empty file: there is nothing in it to lose.
            if content is None or not (content == "" or content.startswith(MARKER)):
                foreign.add(name)
            else:
                sheets[name] = content if stat.S_IMODE(status.st_mode) == FILE_MODE else None
    private = stat.S_IMODE(os.fstat(handle).st_mode) == DIR_MODE
    return Found(sheets, frozenset(foreign), frozenset(staged), private)


def _read(handle: int, name: str) -> str:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=handle)
    with os.fdopen(descriptor, encoding="utf-8", errors="replace", newline="") as stream:
        return stream.read()


def _apply(handle: int, made: Plan, wanted: Mapping[str, str]) -> None:
    if made.tighten:
        os.fchmod(handle, DIR_MODE)
    for name in made.removed:
        os.unlink(name, dir_fd=handle)
    for name in made.written:
        staged = f".{name}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(staged, flags, FILE_MODE, dir_fd=handle)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            os.fchmod(descriptor, FILE_MODE)
            stream.write(wanted[name])
        os.replace(staged, name, src_dir_fd=handle, dst_dir_fd=handle)
