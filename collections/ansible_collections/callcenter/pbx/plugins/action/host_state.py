# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Survey a host in one call: over the open connection where that is possible, by the module elsewhere."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.modules.host_state import ARGUMENTS
from ansible_collections.callcenter.pbx.plugins.plugin_utils.run_on_host import read_remotely


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/host_state.py for the documentation."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the host is like."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        found = read_remotely(self, "host.survey.survey", arguments, task_vars or {})
        if found is None:
            found = self._execute_module("callcenter.pbx.host_state", arguments, task_vars=task_vars)
        return {**result, **found}
