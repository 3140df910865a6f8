# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""What the container or a stranger decides: files in a directory that the container owns, and text in a log.

Whoever has taken the container over may put a link to a file of the host there, a pipe that never answers, or
a file of terabytes.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def open_regular(path: Path, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """Open a regular file: no link is followed, and nobody is waited for. The caller closes the descriptor.

    :param flags: as of `os.open`
    :param mode: of a file that is made
    :raises OSError: it is none, or cannot be opened
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise _not_regular(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(path)
    return descriptor


def is_regular(path: Path) -> bool:
    """Tell whether a regular file is there, without following a link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def read_end(path: Path, most: int) -> tuple[os.stat_result, bytes]:
    """Return what a file is, and the last ``most`` bytes of it.

    :raises OSError: it is no regular file, or cannot be read
    """
    with os.fdopen(open_regular(path), "rb") as stream:
        status = os.fstat(stream.fileno())
        stream.seek(max(0, status.st_size - most))
        return status, stream.read(most)


def _not_regular(path: Path) -> OSError:
    return OSError(
        errno.EINVAL, "is no regular file: only somebody in the container can have done that", str(path)
    )


def printable(text: str) -> str:
    r"""Return text with everything spelt that a terminal would obey or hide, line breaks too: ``\x1b``."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
