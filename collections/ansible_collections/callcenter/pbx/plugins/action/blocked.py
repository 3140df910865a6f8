# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Say what is blocked: the server tells what, the controller knows why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.modules.blocked import ARGUMENTS
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.report import (
    Source,
    inventory_source,
    plain_source,
    report,
    summarise,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.sources import SourceError, read_files
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.urls import Cache, read_address
from ansible_collections.callcenter.pbx.plugins.plugin_utils.run_on_host import read_remotely


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/blocked.py for the documentation."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what is blocked, and the report."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        asked = {"most": arguments["most"]}
        found = read_remotely(self, "firewall.counters.read", asked, task_vars or {})
        if found is None:
            done = self._execute_module("callcenter.pbx.blocked", asked, task_vars=task_vars)
            if "found" not in done:
                return {**result, **done}
            found = done["found"]
        sources, warnings = read_sources(arguments)
        data = summarise(found, sources)
        host = str((task_vars or {}).get("inventory_hostname", "This host"))
        result.update(changed=False, **data, report=report(host, found, data), warnings=warnings)
        return result


def read_sources(arguments: Mapping[str, Any]) -> tuple[list[Source], list[str]]:
    """Return the sources of the list, and what is wrong with those that cannot be read."""
    sources, warnings = [inventory_source(arguments["blacklist"])], []
    for path in arguments["blacklist_files"]:
        try:
            sources += [plain_source(source.name, source.text) for source in read_files([path])]
        except SourceError as error:
            warnings.append(f"{error}.")
    cache = Cache(Path(arguments["cache_dir"]).expanduser())
    for item in arguments["blacklist_urls"]:
        try:
            address = read_address({"max_bytes": 1, "timeout_seconds": 1, **item})
        except SourceError as error:
            warnings.append(f"{error}.")
            continue
        copy = cache.read(address)
        if copy:
            sources.append(plain_source(address.name, copy.text))
        else:
            warnings.append(
                f"{address.name}: has never been fetched by this machine, so what it lists is not known."
            )
    return sources, warnings
