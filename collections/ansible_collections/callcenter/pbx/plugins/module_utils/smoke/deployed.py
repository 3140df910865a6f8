# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Read what was released to the server, and the record of the inventory that it came from."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.release.tree import ReleaseTree

LIST_RECORD = Path("/var/lib/callcenter-firewall/list.json")
BLACKLIST = "pbx_blacklist"


def read(root_dir: str) -> dict[str, Any]:
    """Return what is live: the ``release``, its ``edited`` files, ``inventory`` (digests by variable)."""
    tree = ReleaseTree(Path(root_dir) / "docker" / "asterisk", 0, 0)
    digests = tree.inventory()
    # Without a list there is no record: another check says so.
    with contextlib.suppress(OSError, ValueError, KeyError):
        digests[BLACKLIST] = json.loads(LIST_RECORD.read_text(encoding="utf-8"))["digest"]
    return {"release": tree.live_release(), "edited": list(tree.edited()), "inventory": digests}
