# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Block listed networks: by the module, once reading has shown that there is anything to do.

The list is read and packed here. Its digest goes to the host first, the list itself only when the host has
another one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.plain_list import (
    describe_faults,
    pack,
    spell,
)
from ansible_collections.callcenter.pbx.plugins.modules.sip_firewall import ARGUMENTS
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.sources import (
    Source,
    SourceError,
    read_files,
    refuse_unfit,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.run_on_host import read_remotely

_OF_THE_CONTROLLER = ("blacklist", "blacklist_files", "blacklist_urls", "cache_dir", "packed")
_NOT_READ = (*_OF_THE_CONTROLLER, "container")


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/sip_firewall.py for the documentation."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result, which for an unchanged firewall needs no module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        blacklist = listed(arguments["blacklist"])
        try:
            sources, warnings = read_sources(arguments)
            digest = digest_of(blacklist, sources)
            asked = {key: value for key, value in arguments.items() if key not in _NOT_READ}
            found = read_remotely(
                self, "firewall.reading.unchanged", {**asked, "digest": digest}, task_vars or {}
            )
            is_right = found is not None and found["result"] is not None
            if not is_right:  # what is in force was read when it was brought
                for source in sources:
                    refuse_unfit(source)
        except SourceError as error:
            raise AnsibleActionFail(f"{error}.") from None
        if found is None or not is_right:
            kept = {key: value for key, value in arguments.items() if key not in _OF_THE_CONTROLLER}
            packed = pack_list(blacklist, sources, digest)
            done = self._execute_module(module_args={**kept, "packed": packed}, task_vars=task_vars)
        else:
            done = found["result"]
        if warnings:
            done["warnings"] = [*warnings, *done.get("warnings", ())]
        return {**result, **done}


def read_sources(arguments: Mapping[str, Any]) -> tuple[list[Source], list[str]]:
    """Return the content of every file and URL, and a warning for each URL whose former copy it is.

    :raises SourceError: one cannot be had
    """
    sources = read_files(arguments["blacklist_files"])
    if not arguments["blacklist_urls"]:
        return sources, []
    # Imported by those who fetch alone: it takes longer than to find that nothing has changed.
    from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.urls import fetch_all

    fetched, warnings = fetch_all(arguments["blacklist_urls"], Path(arguments["cache_dir"]).expanduser())
    return [*sources, *fetched], warnings


def listed(blacklist: Sequence[object]) -> list[object]:
    """Return the inventory's entries without their reasons, which no host needs."""
    return [_entry(item) for item in blacklist]


def _entry(item: object) -> object:
    if not isinstance(item, Mapping):
        return item
    return item.get("address") or dict(item)


def digest_of(blacklist: Sequence[object], sources: Sequence[Source]) -> str:
    """Return the digest of a list as it is written: what is written alike means the same."""
    digest = hashlib.sha256(json.dumps([1, blacklist], default=str).encode())
    for source in sources:
        text = source.text.encode()
        digest.update(f"\n{source.name} {len(text)}\n".encode())
        digest.update(text)
    return digest.hexdigest()


def pack_list(blacklist: Sequence[object], sources: Sequence[Source], digest: str) -> str:
    """Return the argument `packed` of the module: the inventory's entries, each source's merged networks."""
    warnings, listed = [], []
    for source in sources:
        if source.plain.faults:
            warnings.append(describe_faults(source.name, source.plain.faults))
        lines = [line for group in spell(source.plain.keys).values() for line in group]
        listed.append({"name": source.name, "networks": "\n".join(lines)})
    return pack({"digest": digest, "blacklist": list(blacklist), "sources": listed, "warnings": warnings})
