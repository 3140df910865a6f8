# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Run all smoke checks: probe from the controller and on the server at once, judge, report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.callcenter.pbx.plugins.plugin_utils.run_on_host import read_remotely
from ansible_collections.callcenter.pbx.plugins.plugin_utils.sip import options as sip
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.checks import CHECKS
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.report import (
    Run,
    as_json,
    as_junit,
    headline,
    problems,
    table,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.smoke.types import (
    Evidence,
    Wanted,
    read_wanted,
    run_checks,
)

TRANSPORTS = ("udp", "tcp")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "root_dir": {"type": "str", "required": True},
    "container": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "sip_port": {"type": "int", "default": 5060},
    "sip_tcp": {"type": "bool", "default": True},
    "local_sip_port": {"type": "int", "default": 0},
    "rtp_ports": {
        "type": "dict",
        "required": True,
        "options": {"first": {"type": "int", "required": True}, "last": {"type": "int", "required": True}},
    },
    "extensions": {"type": "list", "elements": "dict", "default": []},
    "trunks": {"type": "list", "elements": "dict", "default": []},
    "dial_checks": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {name: {"type": "str", "required": True} for name in ("context", "dialled", "target")},
    },
    "trunks_must_answer": {"type": "bool", "default": True},
    "inventory": {"type": "dict", "default": {}},
    "minimum_version": {"type": "str", "default": "22.10.1"},
    "answer_seconds": {"type": "float", "default": 3.0},
    "artifacts_dir": {"type": "str", "required": True},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """See modules/smoke.py for the documentation."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the table and everything that is wrong; fail when any check does."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, args = self.validate_argument_spec(ARGUMENTS)
        wanted = read_wanted(args)
        started, clock = datetime.now(UTC), time.monotonic()
        with ThreadPoolExecutor() as pool:
            probes = {name: pool.submit(probe, wanted, name, args["answer_seconds"]) for name in TRANSPORTS}
            gathered = self._gather(args, wanted, task_vars)
        if "evidence" not in gathered:
            return {**result, **gathered, "changed": False}
        if self._task.check_mode and not gathered["evidence"]["deployed"]:
            # Not marked as skipped: that would hide the reason, by default and in ansible.cfg.
            reason = f"Skipped: nothing is deployed in {wanted.root_dir} yet, so there is nothing to check."
            return {**result, "changed": False, "msg": reason, "_ansible_verbose_always": True}
        evidence = Evidence(gathered["evidence"], {name: job.result() for name, job in probes.items()})
        run = Run(
            host=(task_vars or {})["inventory_hostname"],
            address=wanted.address,
            started=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - clock, 3),
            results=run_checks(CHECKS, wanted, evidence),
        )
        # Shown on success too: the table is what the task is for.
        result.update(changed=False, _ansible_verbose_always=True)
        return {**result, **self._report(run, Path(self._loader.path_dwim(args["artifacts_dir"])))}

    def _gather(
        self, args: Mapping[str, Any], wanted: Wanted, task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Make the one remote call."""
        asked = {
            "root_dir": wanted.root_dir,
            "container": args["container"],
            "sip_port": wanted.sip_port,
            "trunks": [trunk.name for trunk in wanted.trunks],
            "dialled": [{"context": one.context, "dialled": one.dialled} for one in wanted.dial_checks],
            "names": [trunk.termination_host for trunk in wanted.trunks if trunk.is_named],
            "may_send": not self._task.check_mode,
        }
        evidence = read_remotely(self, "smoke.probe.gather", asked, task_vars or {})
        if evidence is not None:
            return {"evidence": evidence}
        gathered: dict[str, Any] = self._execute_module("callcenter.pbx.smoke", asked, task_vars=task_vars)
        return gathered

    def _report(self, run: Run, directory: Path) -> dict[str, Any]:
        """Put the text together, and write the files unless in check mode."""
        result: dict[str, Any] = {
            "msg": headline(run),
            "report": "\n\n".join(text for text in (table(run), problems(run)) if text),
        }
        if not self._task.check_mode:
            result["artifacts"] = write_files(run, directory)
            result["failed"] = run.failed
        elif run.failed:
            result["msg"] += " Check mode: not counted as failed, since a change announced above may mend it."
        return result


def probe(wanted: Wanted, transport: str, seconds: float) -> sip.SipAnswer | str:
    """Ask the PBX over one transport; the answer, or a sentence about why there is none."""
    try:
        # Asking as a phone gets a plain challenge; asking as a stranger looks like an intruder in the log.
        from_user = wanted.extensions[0] if wanted.extensions else "probe"
        return sip.options(wanted.address, wanted.sip_port, transport, seconds, from_user=from_user)
    except (sip.SipError, ValueError) as error:
        return str(error)


def write_files(run: Run, directory: Path) -> list[str]:
    """Write the reports, readable for everyone whatever the umask, and return their paths."""
    if not directory.is_dir():
        directory.mkdir(parents=True)
        directory.chmod(0o755)
    files = {directory / "smoke.json": as_json(run) + "\n", directory / "smoke.xml": as_junit(run)}
    for path, content in files.items():
        path.write_text(content, encoding="utf-8")
        path.chmod(0o644)
    return [str(path) for path in files]
