"""Look at the site's inventory before any of its variables is used. No connection is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.parsing.vault import is_encrypted
from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.plugin_utils.loud_settings import (
    LoudSettingError,
    refuse_loud_settings,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.document import DocumentError
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.files import (
    Secrets,
    VaultFileError,
    VaultFiles,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.yaml_faults import yaml_fault

VAULT = "vault.yml"
REPOSITORY = Path(__file__).resolve().parents[6]
"""The checkout that the collection lies in; in an installed collection there is no ansible.cfg."""


def variable_files(sources: Iterable[str]) -> Iterator[Path]:
    """Yield the files of variables that belong to the inventories."""
    for source in dict.fromkeys(Path(one) if Path(one).is_dir() else Path(one).parent for one in sources):
        for directory in ("group_vars", "host_vars"):
            for path in sorted((source / directory).rglob("*")):
                if path.suffix in (".yml", ".yaml") and path.is_file() and not path.name.startswith("."):
                    yield path


def fault_of(path: Path, secrets: Secrets) -> str | None:
    """Say why a file of variables is of no use; a vault must be encrypted, with a password that was given."""
    content = path.read_bytes()
    if not is_encrypted(content) and (fault := yaml_fault(content)):
        return f"{path}{fault}"
    if path.name == VAULT or is_encrypted(content):
        try:
            VaultFiles(path, secrets).read()
        except VaultFileError as error:
            return str(error)
        except DocumentError as error:
            return f"{path}: {error}"
    return None


def sites(sources: Iterable[str]) -> list[str]:
    """Return the inventories beside those that were given."""
    return sorted({path.parent.name for one in sources for path in Path(one).parent.glob("*/hosts.yml")})


def unread_settings() -> Iterator[str]:
    """Say that ansible.cfg is not in use, which Ansible itself does not."""
    ours = REPOSITORY / "ansible.cfg"
    used = C.CONFIG_FILE
    if ours.is_file() and (used is None or not Path(used).exists() or not ours.samefile(used)):
        yield (
            f"{ours} is not in use, so this run is slower and less strict: Ansible reads it only from the "
            "directory it is in, and never where everybody may write. Run from there, or set "
            f"ANSIBLE_CONFIG={ours}."
        )


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/servers.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True
    _VALID_ARGS: frozenset[str] = frozenset()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Fail where passwords would be printed, without a server, or with all files that are of no use."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            refuse_loud_settings()
        except LoudSettingError as error:
            raise AnsibleActionFail(f"Nothing was touched: {error}.") from None
        variables = task_vars or {}
        sources = [str(one) for one in variables.get("ansible_inventory_sources") or []]
        if not (variables.get("groups") or {}).get("pbx"):
            there = f"; there is {', '.join(found)}" if (found := sites(sources)) else ""
            raise AnsibleActionFail(
                f"There is no server in the group pbx of {', '.join(sources)}: nothing was done. "
                f"Name one in its hosts.yml, or name another inventory{there}."
            )
        secrets = self._loader._vault.secrets or []
        faults = [fault for path in variable_files(sources) if (fault := fault_of(path, secrets))]
        if faults:
            raise AnsibleActionFail("\n".join(["Nothing was touched.", *(f"- {fault}." for fault in faults)]))
        return {**result, "changed": False, "warnings": list(unread_settings())}
