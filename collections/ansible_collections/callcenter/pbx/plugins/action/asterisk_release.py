# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Bring a configuration into service: by the module, once reading has shown that there is anything to do."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.modules.asterisk_release import ARGUMENTS
from ansible_collections.callcenter.pbx.plugins.plugin_utils.run_on_host import read_remotely

# Options of the module that the reading needs, too.
READ = ("root_dir", "container", "image", "files", "inventory", "gid")


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/asterisk_release.py for the documentation."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result, which for an unchanged configuration needs no module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._task.args
        if isinstance(arguments.get("files"), dict) and "image" in arguments:
            asked = {name: arguments.get(name, ARGUMENTS[name].get("default")) for name in READ}
            found = read_remotely(self, "release.reading.unchanged", asked, task_vars or {})
            if found is not None and found["result"] is not None:
                return {**result, **found["result"]}
        return {**result, **self._execute_module(task_vars=task_vars)}
