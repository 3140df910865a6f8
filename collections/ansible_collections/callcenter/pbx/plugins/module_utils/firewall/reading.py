# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Ask whether a host's firewall is as wanted. The longest reading begins before the rest is loaded."""

from __future__ import annotations

from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.sets import SETS
from ansible_collections.callcenter.pbx.plugins.module_utils.host.command import begin


def unchanged(digest: str, **options: Any) -> dict[str, Any]:
    """Return what `change.unchanged` does."""
    saving = {version: begin("ipset", "save", name) for version, name in SETS.items()}
    # A long list takes the kernel as long to print as this takes to load.
    from ansible_collections.callcenter.pbx.plugins.module_utils.firewall import change

    return change.unchanged(digest, saving, **options)
