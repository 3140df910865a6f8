"""Check the site's model on the controller, before anything is touched. No connection is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model.types import Fault
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.passwords import OWNERS
from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_rules.rules import check_model


def missing_files(model: Mapping[str, Any], inventory_dir: str | None) -> Iterator[Fault]:
    """Yield the block lists that are not there, as far as the model names any."""
    paths = model.get("pbx_blacklist_files")
    if inventory_dir is None or not isinstance(paths, list):
        return
    for path in paths:
        if isinstance(path, str) and not Path(inventory_dir, path).is_file():
            yield Fault(
                "pbx_blacklist_files",
                f"{path} is no file in {inventory_dir}",
                "Write a path relative to the inventory's directory",
            )


def shared_addresses(model: Mapping[str, Any], task_vars: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield the public address if another server of the site has it too."""
    own, address = task_vars.get("inventory_hostname"), model.get("pbx_public_address")
    hosts = task_vars.get("hostvars") or {}
    for host in (task_vars.get("groups") or {}).get("pbx", []):
        if host != own and host in hosts and address and hosts[host].get("pbx_public_address") == address:
            yield Fault(
                "pbx_public_address",
                f"{address} is the address of {host}, too",
                f"Give each server its own, in host_vars/{own}.yml and host_vars/{host}.yml",
            )


def names_elsewhere(task_vars: Mapping[str, Any]) -> Iterator[str]:
    """Yield the phones and trunks of the site's other servers, whose passwords stand in the same vault."""
    own, hosts = task_vars.get("inventory_hostname"), task_vars.get("hostvars") or {}
    for host in (task_vars.get("groups") or {}).get("pbx", []):
        if host != own and host in hosts:
            for variable, key in OWNERS:
                for item in hosts[host].get(variable) or []:
                    if isinstance(item, Mapping):
                        yield str(item.get(key))


def own_files(model: Mapping[str, Any], inventory_dir: str | None) -> Iterator[Fault]:
    """Yield what is wrong with the site's own Asterisk files."""
    if inventory_dir is None or not Path(inventory_dir, "asterisk").is_dir():
        return
    # Loaded by sites that have some.
    from ansible_collections.callcenter.pbx.plugins.plugin_utils.model_reading.read import read_model
    from ansible_collections.callcenter.pbx.plugins.plugin_utils.site.files import faults

    yield from faults(inventory_dir, read_model(model)[0])


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/preflight.py for the documentation."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True
    _VALID_ARGS = frozenset({"model"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the warnings, and fail with every fault at once."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        model = self._task.args.get("model")
        if not isinstance(model, Mapping):
            raise AnsibleActionFail(
                "model is a mapping of the site's pbx_ variables: `model: '{{ pbx_model }}'`"
            )
        report = check_model(model, frozenset(names_elsewhere(task_vars or {})))
        faults = [
            *report.faults,
            *missing_files(model, (task_vars or {}).get("inventory_dir")),
            *shared_addresses(model, task_vars or {}),
            *own_files(model, (task_vars or {}).get("inventory_dir")),
        ]
        result["changed"] = False
        result["warnings"] = [str(warning) for warning in report.warnings]
        if faults:
            count = len(faults)
            result["failed"] = True
            result["msg"] = "\n".join(
                [
                    f"This site's model has {count} fault{'' if count == 1 else 's'}; nothing was touched.",
                    *(f"- {fault}" for fault in faults),
                ]
            )
        return result
