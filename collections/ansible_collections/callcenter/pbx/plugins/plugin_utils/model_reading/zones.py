"""Time zones: names of the IANA database, as the controller has it."""

from __future__ import annotations

import difflib
import functools
import importlib.util
import re
import zoneinfo
from pathlib import Path

UTC = "UTC"
# No digits: what has some is an offset, or a rule of its own.
_NAME = re.compile(r"[A-Za-z_-]+(?:/[A-Za-z_-]+){0,2}")
_REMEDY = "write an IANA time zone, as America/New_York"


@functools.cache
def _database() -> Path | None:
    """Return the directory of the database: the system's, or that of the Python package."""
    directories = [Path(path) for path in zoneinfo.TZPATH]
    package = importlib.util.find_spec("tzdata")
    if package and package.origin:
        directories.append(Path(package.origin).with_name("zoneinfo"))
    return next((path for path in directories if (path / "zone.tab").is_file()), None)


@functools.cache
def zone_names() -> tuple[str, ...]:
    """Return every name that is in use, none where the controller has no database.

    Former names are left out: a server has them only with one more package.
    """
    directory = _database()
    if directory is None:
        return ()
    lines = (directory / "zone.tab").read_text(encoding="utf-8").splitlines()
    return (UTC, "Etc/UTC", *(line.split("\t")[2] for line in lines if line and not line.startswith("#")))


def time_zone(value: str) -> str | None:
    """Check a name, as the model's reader does: return the remedy for one that is not in use."""
    if not _NAME.fullmatch(value):
        return _REMEDY
    names = zone_names()
    if not names or value in names:
        return None
    meant = _renamed(value) or _close(value)
    return f"{_REMEDY}: did you mean {meant}" if meant else _REMEDY


def _renamed(value: str) -> str | None:
    """Return today's name of a zone that has another one by now: its data are the same."""
    directory = _database()
    if directory is None or not (directory / value).is_file():
        return None
    data = (directory / value).read_bytes()
    files = ((name, directory / name) for name in zone_names())
    return next((name for name, path in files if path.is_file() and path.read_bytes() == data), None)


def _close(value: str) -> str | None:
    """Return the name that a value misspells, or that it is the last part of."""
    names = {name.rpartition("/")[2].lower(): name for name in zone_names()}
    names |= {name.lower(): name for name in zone_names()}
    for spelling in (value.lower(), value.rpartition("/")[2].lower()):
        found = difflib.get_close_matches(spelling, names, n=1, cutoff=0.75)
        if found:
            return names[found[0]]
    return None
