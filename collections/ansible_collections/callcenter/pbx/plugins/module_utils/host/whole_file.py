# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Files of the controller that several runs may edit: by one at a time, and replaced as a whole."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_SECONDS = 10.0


class Busy(Exception):
    """Another run keeps the lock."""


@contextmanager
def locked(directory: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Keep other runs from editing files of a directory for the time of a with block.

    The lock is on the directory, so it leaves no file, and the kernel drops it with the process.

    :param seconds: how long to wait for one's turn
    :raises Busy: that long was not enough
    :raises OSError: there is no such directory
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy from None
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put a file in the place of another: the old one stays whole until the new one is on the disk.

    To be called with the directory locked. What a run that was killed left behind is removed.

    :param mode: permissions of the new file
    :raises OSError: it cannot be written
    """
    staged = path.with_name(f".{path.name}.new")
    staged.unlink(missing_ok=True)
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
        os.fchmod(stream.fileno(), mode)  # whatever the umask
        if os.geteuid() == 0:  # as root in somebody's checkout: the file stays theirs
            owner = (path if path.exists() else path.parent).stat()
            os.fchown(stream.fileno(), owner.st_uid, owner.st_gid)
    staged.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Bring what came and went in a directory to the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
