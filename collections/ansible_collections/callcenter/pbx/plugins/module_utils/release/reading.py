"""Whether a configuration is live and loaded already: what most runs find, told by reading alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import DockerEngine
from ansible_collections.callcenter.pbx.plugins.module_utils.registrations.files import CaptureFiles
from ansible_collections.callcenter.pbx.plugins.module_utils.release.pbx import ContainerPbx
from ansible_collections.callcenter.pbx.plugins.module_utils.release.plan import startup_commands
from ansible_collections.callcenter.pbx.plugins.module_utils.release.report import done
from ansible_collections.callcenter.pbx.plugins.module_utils.release.transaction import Outcome, Transaction
from ansible_collections.callcenter.pbx.plugins.module_utils.release.tree import ReleaseTree


def unchanged(
    root_dir: str,
    container: str,
    image: str,
    files: Mapping[str, str],
    inventory: Mapping[str, str],
    gid: int,
) -> dict[str, Any]:
    """Return the result of a run that finds nothing to do as ``result``, None when there is work.

    The parameters are options of the module `asterisk_release`.
    """
    tree = ReleaseTree(Path(root_dir) / "docker" / "asterisk", 0, gid)
    pbx = ContainerPbx(DockerEngine(), container, image, f":{gid}", (), 0)
    plan = Transaction(tree, pbx, files, 0).plan()
    live = plan.live.release
    captures = CaptureFiles(Path(root_dir) / "logs", 0, gid)
    leftover = captures.exist() != bool(startup_commands(files))
    recorded = tree.inventory() == dict(inventory)
    if plan.changed or plan.deferred or not live or plan.loaded != (live,) or leftover or not recorded:
        return {"result": None}
    return {"result": {**done(Outcome(plan, live)), "diff": {"prepared": ""}}}
