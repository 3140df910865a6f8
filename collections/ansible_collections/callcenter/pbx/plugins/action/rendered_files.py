# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Write files into a directory of the controller, for reading. No connection is made."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.module_utils.host.whole_file import Busy, locked, replace

ARGUMENTS: dict[str, dict[str, Any]] = {
    "directory": {"type": "str", "required": True},
    # Checked by hand: Ansible's message about a wrong type would quote the value.
    "files": {"type": "raw", "required": True, "no_log": True},
}
FILE_MODE = 0o600
DIR_MODE = 0o700


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/rendered_files.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return which files were written and removed; nothing of what is in them."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(ARGUMENTS)
        directory, files = Path(self._loader.path_dwim(args["directory"])), args["files"]
        if not isinstance(files, Mapping) or not all(isinstance(text, str) for text in files.values()):
            raise AnsibleActionFail("files is a mapping of a file's name to its text")
        try:
            if not directory.exists() and not self._task.check_mode:
                directory.mkdir(mode=DIR_MODE, parents=True)
            written, removed = differences(directory, files)
            if not self._task.check_mode:
                with locked(directory):
                    directory.chmod(DIR_MODE)
                    for name in removed:
                        (directory / name).unlink(missing_ok=True)
                    for name in written:
                        replace(directory / name, files[name].encode(), FILE_MODE)
        except Busy:
            raise AnsibleActionFail(
                f"{directory}: another run is writing there, wait until it ends"
            ) from None
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename or directory}: {error.strerror}") from None
        return {
            **result,
            "changed": bool(written or removed),
            "directory": str(directory),
            "written": written,
            "removed": removed,
            "msg": f"{len(files)} files in {directory}: {len(written)} written, {len(removed)} removed.",
        }


def differences(directory: Path, files: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the names to write, and those of ``*.conf`` that are there and not wanted."""
    found = {path.name: path for path in directory.glob("*.conf")} if directory.is_dir() else {}
    written = [name for name, text in files.items() if not _is(directory / name, text)]
    return sorted(written), sorted(found.keys() - files.keys())


def _is(path: Path, text: str) -> bool:
    """Whether the file is there with that text, for its owner alone."""
    if path.is_symlink() or not path.is_file() or stat.S_IMODE(path.stat().st_mode) != FILE_MODE:
        return False
    return path.read_bytes() == text.encode()
