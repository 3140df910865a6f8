"""Write the phone sheets on the controller. No connection is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.plugin_utils.phone_sheets.files import Plan, write_sheets
from ansible_collections.callcenter.pbx.plugins.plugin_utils.phone_sheets.sheet import (
    LocalServer,
    Server,
    SheetError,
    read_phones,
    render_sheet,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "directory": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "sip_port": {"type": "int", "default": 5060},
    "local_networks": {"type": "list", "elements": "str", "default": []},
    "local_address": {"type": "str", "default": ""},
    "local_sip_port": {"type": "int", "default": 5062},
    "extensions": {"type": "list", "elements": "dict", "required": True},
    # Checked by hand: Ansible's message about a wrong type would quote the value.
    "secrets": {"type": "raw", "required": True, "no_log": True},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/phone_sheets.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return which files were written, removed and left; nothing of what is in them."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(ARGUMENTS)
        directory = Path(self._loader.path_dwim(args["directory"]))
        networks = tuple(args["local_networks"])
        local = LocalServer(networks, args["local_address"], args["local_sip_port"]) if networks else None
        server = Server(args["address"], args["sip_port"], local)
        try:
            phones = read_phones(args["extensions"], args["secrets"])
            sheets = {f"{phone.number}.html": render_sheet(phone, server) for phone in phones}
            done = write_sheets(directory, sheets, self._task.check_mode)
        except SheetError as error:
            raise AnsibleActionFail(str(error)) from None
        except OSError as error:
            raise AnsibleActionFail(f"{directory}: {error.strerror}") from None
        result.update(
            changed=done.anything,
            msg=summary(done, directory),
            directory=str(directory),
            written=list(done.written),
            removed=list(done.removed),
            unchanged=list(done.unchanged),
        )
        if self._task.diff and done.anything:
            result["diff"] = {"prepared": difference(done, directory)}
        return result


def summary(done: Plan, directory: Path) -> str:
    """Say in one sentence what came of it."""
    count = len(done.written) + len(done.unchanged)
    return (
        f"{count} phone {'sheet' if count == 1 else 'sheets'} in {directory}: "
        f"{len(done.written)} written, {len(done.unchanged)} unchanged, {len(done.removed)} removed."
    )


def difference(done: Plan, directory: Path) -> str:
    """Name the files; their content is for no log."""
    groups: Sequence[tuple[str, str, Sequence[str]]] = (
        ("+", "new", done.added),
        ("!", "changed", done.changed),
        ("-", "removed", done.removed),
        ("!", "mode 0700", ["."] if done.tighten else []),
    )
    lines = [f"{sign} {directory / name} ({about})" for sign, about, names in groups for name in names]
    return "\n".join(lines) + "\n"
