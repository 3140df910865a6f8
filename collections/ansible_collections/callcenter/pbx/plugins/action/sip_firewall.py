# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Block listed networks: by the module, once reading has shown that there is anything to do."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.modules.sip_firewall import ARGUMENTS
from ansible_collections.callcenter.pbx.plugins.plugin_utils.reading import read_remotely


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/sip_firewall.py for the documentation."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result, which for an unchanged firewall needs no module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        found = read_remotely(self, "firewall_change.unchanged", arguments, task_vars or {})
        if found is None or found["result"] is None:
            return {**result, **self._execute_module(module_args=arguments, task_vars=task_vars)}
        return {**result, **found["result"]}
