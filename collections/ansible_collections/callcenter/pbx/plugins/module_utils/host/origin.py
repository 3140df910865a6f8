# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Where the session of a module comes from: the administrator, who must not be shut out."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.facts import parent_of, ssh_source


def ansible_source() -> str | None:
    """Return the address this module's SSH session comes from.

    sudo keeps SSH_CONNECTION from us, not from our parents: the nearest one that still has it is asked.
    """
    process = os.getpid()
    while process > 1:
        directory = Path("/proc", str(process))
        try:
            source = ssh_source((directory / "environ").read_bytes())
            process = parent_of((directory / "stat").read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return None
        if source:
            return source
    return None
