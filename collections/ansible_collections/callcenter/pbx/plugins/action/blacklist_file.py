# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Add and remove blocked sources in the inventory's file. No connection is made."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.facts import read_protected
from ansible_collections.callcenter.pbx.plugins.module_utils.host import whole_file
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.network import (
    Entry,
    Protected,
    find_conflicts,
    parse_network,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.networks.plain_list import RESERVED, Index
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.document import (
    NEW_FILE,
    DocumentError,
    address_of,
    edit,
    network_at,
    read,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.sources import SourceError, read_files

_LONGEST_REASON = 200
_PROTECTED: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "network": {"type": "str", "required": True},
}
_ARGUMENTS: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "block": {"type": "list", "elements": "str", "default": []},
    "unblock": {"type": "list", "elements": "str", "default": []},
    "reason": {"type": "str", "default": ""},
    "blacklist": {"type": "list", "elements": "raw", "required": True},
    "protected_networks": {"type": "list", "elements": "dict", "options": _PROTECTED, "default": []},
    "blacklist_files": {"type": "list", "elements": "path", "default": []},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/blacklist_file.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the list afterwards, and what had no effect."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, wanted = self.validate_argument_spec(_ARGUMENTS)
        path = Path(wanted["path"])
        block, unblock = split(wanted["block"]), split(wanted["unblock"])
        if not block and not unblock:
            return {**result, "changed": False, "blacklist": wanted["blacklist"], "notes": []}
        try:
            check_request(block, unblock, wanted["reason"], read_protected(wanted["protected_networks"]))
            with whole_file.locked(path.parent):
                before = path.read_text(encoding="utf-8") if path.exists() else NEW_FILE
                check_in_force(before, wanted["blacklist"])
                edited = edit(before, block, unblock, wanted["reason"])
                if edited.text != before:
                    check_writable(path)
                    if not self._task.check_mode:
                        write(path, edited.text)
        except DocumentError as error:
            raise AnsibleActionFail(f"{path} {error}. It was not touched.") from None
        except whole_file.Busy:
            raise AnsibleActionFail(
                f"{path}: another run is editing it. Try again when that one has ended."
            ) from None
        except (ValueError, OSError) as error:
            raise AnsibleActionFail(f"{error}. {path} was not touched.") from None
        notes = [*edited.notes, *listed_elsewhere(unblock, wanted["blacklist_files"])]
        result.update(
            changed=edited.text != before, blacklist=list(edited.entries), notes=notes, warnings=list(notes)
        )
        if self._task.diff:
            result["diff"] = {
                "before_header": str(path),
                "after_header": str(path),
                "before": before,
                "after": edited.text,
            }
        return result


def split(texts: Iterable[str]) -> list[str]:
    """Return the single entries of texts that may hold several, each once."""
    parts = (part.strip() for text in texts for part in text.split(","))
    return list(dict.fromkeys(part for part in parts if part))


def check_request(
    block: Sequence[str], unblock: Sequence[str], reason: str, protected: Sequence[Protected]
) -> None:
    """Raise `ValueError` for a request that means nothing or would do harm."""
    if len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise ValueError(f"The reason is not one line of at most {_LONGEST_REASON} characters")
    both = {parse_network(text)[0] for text in block} & {parse_network(text)[0] for text in unblock}
    if both:
        raise ValueError(f"{', '.join(map(str, both))} cannot be both blocked and unblocked")
    entries = [Entry(place, text, parse_network(text)[0]) for place, text in enumerate(block, start=1)]
    conflicts = find_conflicts(entries, protected)
    named = {conflict.entry for conflict in conflicts}
    conflicts += find_conflicts([entry for entry in entries if entry not in named], RESERVED)
    if conflicts:
        refused = "; ".join(
            f"{conflict.entry.text} overlaps {conflict.protected.network} ({conflict.protected.name})"
            for conflict in conflicts
        )
        raise ValueError(f"This must never be blocked: {refused}")


def check_in_force(text: str, blacklist: Sequence[Any]) -> None:
    """Raise `DocumentError` when the file is not what decides."""
    here = [address_of(item.value) for item in read(text).items]
    if here != [address_of(item) for item in blacklist]:
        raise DocumentError(
            "does not say what pbx_blacklist is: another file, host variable or -e overrules it. Move the "
            "entries there into this file"
        )


def check_writable(path: Path) -> None:
    """Raise `PermissionError` when the file could not be replaced later."""
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path.parent} cannot be written to")


def write(path: Path, text: str) -> None:
    """Replace the file; what a link leads to is replaced, the link stays."""
    target = path.resolve()
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    whole_file.replace(target, text.encode(), mode)


def listed_elsewhere(unblock: Sequence[str], files: Sequence[str]) -> Iterator[str]:
    """Yield what plain lists still block of what is unblocked."""
    networks = {text: network_at(text) for text in unblock}
    try:
        sources = read_files(files) if networks else []
    except SourceError:
        return  # applying the list says so, and changes nothing
    for source in sources:
        index = Index(source.plain.keys)
        for text, network in networks.items():
            if network and index.overlapping(network):
                yield f"{text} is still blocked by {source.name}"
