"""The files in which Asterisk records REGISTER requests while former passwords are accepted.

    logs/registrations.pcap          Asterisk writes to it, from memory in blocks of 4 KiB
    logs/registrations.pcap.<name>   set aside earlier: by this module, or by logrotate

Opening a file empties it, and closing one is what completes it. So to read, the file is set aside and
Asterisk is told to open a new one of the same name.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from ansible_collections.callcenter.pbx.plugins.module_utils.host.untrusted import is_regular, open_regular

NAME = "registrations.pcap"
FILE_MODE = 0o640
MOST_BYTES = 64 * 1024 * 1024
_HEADER_BYTES = 24


class CaptureFiles:
    """The capture files in one directory.

    :param directory: where Asterisk writes them, as seen from the host
    :param uid: Asterisk's user, who owns them
    :param gid: its group
    """

    def __init__(self, directory: Path, uid: int, gid: int) -> None:
        self.directory = directory
        self.uid = uid
        self.gid = gid

    def prepare(self) -> None:
        """Make the file Asterisk will write to, so that others cannot read it; keep one that is there."""
        if not self.directory.is_dir():
            # Before the first container there is nothing to watch.
            return
        active = self.directory / NAME
        if not is_regular(active):
            # Not a link, a pipe or a socket that somebody in the container has put there.
            active.unlink(missing_ok=True)
        handle = open_regular(active, os.O_WRONLY | os.O_CREAT, FILE_MODE)
        try:
            os.fchown(handle, self.uid, self.gid)
            os.fchmod(handle, FILE_MODE)
        finally:
            os.close(handle)

    def exist(self) -> bool:
        """Tell whether there is any."""
        return bool(self._files())

    def set_aside(self) -> None:
        """Rename the file Asterisk writes to and put an empty one in its place."""
        active = self.directory / NAME
        if is_regular(active):
            handle = open_regular(active)
            try:
                os.fchmod(handle, FILE_MODE)
            finally:
                os.close(handle)
            active.rename(self.directory / f"{NAME}.{time.time_ns()}")
        self.prepare()

    def read(self) -> list[bytes]:
        """Return the content of all files, oldest first; of a longer one the first `MOST_BYTES`."""
        contents = []
        for path in self._files():
            with os.fdopen(open_regular(path), "rb") as stream:
                contents.append(stream.read(MOST_BYTES))
        return contents

    def prune(self) -> None:
        """Remove what was set aside without a request in it, and the oldest beyond `MOST_BYTES` together.

        Only after Asterisk has closed what was set aside: until then an empty file may still fill.
        """
        total = 0
        for path in reversed(self._files()):
            size = path.stat().st_size
            total += size
            if path.name != NAME and (size <= _HEADER_BYTES or total > MOST_BYTES):
                path.unlink()

    def remove(self) -> None:
        """Remove all files."""
        for path in self._files():
            path.unlink()

    def _files(self) -> list[Path]:
        found = [path for path in self.directory.glob(f"{NAME}*") if is_regular(path)]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)
