#!/usr/bin/python
# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Bring a complete Asterisk configuration into service, or leave everything as it was."""

from __future__ import annotations

DOCUMENTATION = r"""
module: asterisk_release
short_description: Bring a complete Asterisk configuration into service as one transaction
description:
  - Compares a complete set of configuration files with the live one. When both are the same, nothing is
    touched.
  - Otherwise writes the set beside the live one, starts Asterisk on it in a throwaway container without
    network, and refuses it when Asterisk reports a warning or an error, when a reference leads nowhere, or
    when an object is missing.
  - Then swaps the link C(docker/asterisk/config) by one rename and reloads only what changed. A changed
    transport, C(asterisk.conf) or C(modules.conf) is taken over by a restart, which first refuses new calls
    and waits for the running ones.
  - Finally compares what runs with what was sent. On failure the former configuration is swapped in and
    loaded again.
  - The startup commands of a C(cli.conf) are run at once, too. It is there while passwords are being replaced
    and makes Asterisk record registrations. What was recorded is removed when C(cli.conf) is gone.
  - A run that was cut off at any point is finished by the next one.
  - Files in the live tree that are not managed are carried along. Edits of managed files are replaced, and
    kept in the former release.
options:
  root_dir:
    description: Directory of the deployment. The configuration is kept in C(docker/asterisk) below it.
    type: path
    default: /opt/callcenter
  files:
    description: Content of every managed file by name, without directories.
    type: dict
    required: true
  image:
    description: Image Asterisk is tried in; the one the container is made of.
    type: str
    required: true
  container:
    description: Name of the container Asterisk runs in. While it does not run, nothing is reloaded.
    type: str
    default: callcenter-asterisk
  required_objects:
    description: Objects without which the configuration is refused.
    type: list
    elements: dict
    default: []
    suboptions:
      type:
        description: Kind of the object.
        type: str
        required: true
        choices: [endpoint, auth, aor, identify, transport, context]
      name:
        description: Its name.
        type: str
        required: true
  keep_releases:
    description: How many releases to keep. The live one is never removed.
    type: int
    default: 5
  drain_seconds:
    description: How long a restart waits for running calls to end.
    type: int
    default: 300
  inventory:
    description:
      - Digests of the variables that the files were made from, by name. They are kept beside the releases, so
        that the smoke checks can say what has changed in the inventory since.
    type: dict
    default: {}
  secrets:
    description: Values to hide in differences and messages. Values of keys like C(password) are hidden, too.
    type: list
    elements: str
    default: []
  uid:
    description: Numeric user Asterisk runs as in the container.
    type: int
    default: 15060
  gid:
    description: Numeric group Asterisk runs in. Files belong to root and are readable for this group only.
    type: int
    default: 15060
attributes:
  check_mode:
    description: Compares and plans, and touches nothing. Works on a host without Docker.
    support: full
  diff_mode:
    description: Unified differences of all files, secrets masked.
    support: full
  idempotent:
    description: The same files again change nothing.
    support: full
author:
  - Call centre maintainers
"""

EXAMPLES = r"""
- name: Bring the configuration into service
  callcenter.pbx.asterisk_release:
    image: callcenter/asterisk:22-0123456789ab
    files:
      extensions.conf: "{{ lookup('ansible.builtin.template', 'extensions.conf.j2') }}"
      pjsip.conf: "{{ lookup('ansible.builtin.template', 'pjsip.conf.j2') }}"
    required_objects:
      - {type: endpoint, name: "100"}
    secrets: "{{ pbx_secrets.values() | list }}"
"""

RETURN = r"""
msg:
  description: What was done, or would be done in check mode, in one sentence.
  returned: always
  type: str
  sample: Release 20260101T120000.000000Z-0a1b2c3d is live; ran `dialplan reload`.
release:
  description: The live release. Empty before the first one.
  returned: success
  type: str
previous_release:
  description: The release that was live before.
  returned: success
  type: str
files_changed:
  description: Files that differed.
  returned: success
  type: list
  elements: str
reloaded:
  description: Console commands that made Asterisk take the release over.
  returned: success
  type: list
  elements: str
restart_reasons:
  description: Why a restart was or would be needed. Empty when a reload does.
  returned: success
  type: list
  elements: str
calls_cut:
  description: Channels still open when the drain of a restart ran out of time.
  returned: success
  type: int
faults:
  description: What is wrong with the refused configuration, in Asterisk's words where it has any.
  returned: when the configuration is refused
  type: list
  elements: str
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, Any] = {
    "root_dir": {"type": "path", "default": "/opt/callcenter"},
    "files": {"type": "dict", "required": True, "no_log": True},
    "image": {"type": "str", "required": True},
    "container": {"type": "str", "default": "callcenter-asterisk"},
    "required_objects": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "type": {
                "type": "str",
                "required": True,
                "choices": ["endpoint", "auth", "aor", "identify", "transport", "context"],
            },
            "name": {"type": "str", "required": True},
        },
    },
    "keep_releases": {"type": "int", "default": 5},
    "drain_seconds": {"type": "int", "default": 300},
    # One of them is of the passwords.
    "inventory": {"type": "dict", "default": {}, "no_log": True},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "uid": {"type": "int", "default": 15060},
    "gid": {"type": "int", "default": 15060},
}


def main() -> None:
    """Entry point."""
    # Imported here: the controller's side reads ARGUMENTS in every run, and none of this.
    from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import (
        DockerEngine,
        DockerError,
    )
    from ansible_collections.callcenter.pbx.plugins.module_utils.registrations.files import CaptureFiles
    from ansible_collections.callcenter.pbx.plugins.module_utils.release import diff as release_diff
    from ansible_collections.callcenter.pbx.plugins.module_utils.release import plan as release_plan
    from ansible_collections.callcenter.pbx.plugins.module_utils.release import report
    from ansible_collections.callcenter.pbx.plugins.module_utils.release.pbx import ContainerPbx
    from ansible_collections.callcenter.pbx.plugins.module_utils.release.transaction import (
        Rejected,
        RolledBack,
        Transaction,
    )
    from ansible_collections.callcenter.pbx.plugins.module_utils.release.tree import ReleaseTree, TreeBusy

    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    wanted = module.params
    files = {name: str(content) for name, content in wanted["files"].items()}
    # Ansible hides what equals a whole file wherever it occurs, and so parts of the differences, which are
    # masked already. Instead the files are taken out of what a result repeats.
    module.no_log_values.difference_update(files.values())
    module.params["files"] = sorted(files)
    masker = release_diff.Masker(wanted["secrets"])
    tree = ReleaseTree(Path(wanted["root_dir"]) / "docker" / "asterisk", 0, wanted["gid"])
    pbx = ContainerPbx(
        DockerEngine(),
        wanted["container"],
        wanted["image"],
        f"{wanted['uid']}:{wanted['gid']}",
        wanted["required_objects"],
        wanted["drain_seconds"],
    )
    transaction = Transaction(tree, pbx, files, wanted["keep_releases"])
    captures = CaptureFiles(Path(wanted["root_dir"]) / "logs", wanted["uid"], wanted["gid"])
    records = bool(release_plan.startup_commands(files))
    try:
        if module.check_mode:
            plan = transaction.plan()
            result = report.planned(plan, wanted["drain_seconds"])
        else:
            if records:
                captures.prepare()
            outcome = transaction.run()
            if not records:
                captures.remove()
            plan = outcome.plan
            result = report.done(outcome)
        renewed = tree.inventory() != wanted["inventory"]
        if renewed and not module.check_mode:
            tree.record_inventory(wanted["inventory"])
        if renewed and not result["changed"]:
            result.update(changed=True, msg=f"{result['msg']} The record of the inventory is renewed.")
    except Rejected as refusal:
        faults = [masker.sentence(fault) for fault in refusal.faults]
        module.fail_json(msg=report.refused(faults, tree.live_release()), faults=faults)
    except RolledBack as failure:
        module.fail_json(msg=masker.sentence(report.rolled_back(failure, wanted["container"])))
    except TreeBusy as busy:
        module.fail_json(msg=f"Another run works on {busy}. Wait for it to end, then run again.")
    except DockerError as error:
        module.fail_json(
            msg=f"Nothing was touched: {error}. A configuration is tried in a container before it goes live: "
            "run playbooks/host.yml and the role asterisk_image first."
        )
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"The release could not be written: {error}")
    module.exit_json(**result, diff={"prepared": report.difference(plan, files, masker)})


if __name__ == "__main__":
    main()
