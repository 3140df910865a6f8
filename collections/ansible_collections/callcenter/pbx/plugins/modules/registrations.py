#!/usr/bin/python
# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Say which phones are registered, and with which of two passwords while these are being replaced."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registrations
short_description: Say which phones are registered, and with which password
description:
  - Lists the phones' registrations as Asterisk has them now.
  - While an extension accepts its former password beside the new one, also says which of them the phone
    registers with. Asterisk does not tell, but it records the REGISTER requests, whose digests are compared
    with those in the live configuration. No password takes part.
  - Several devices may share an extension. A registration with the former password counts until it ends or
    the same device registers with the new one.
  - What Asterisk has recorded is complete only in a closed file, so this module makes it begin a new one.
    Otherwise nothing is changed.
  - A restart of Asterisk forgets what was recorded since the last run of this module. Each phone registers
    again within the hour.
options:
  root_dir:
    description: Directory of the deployment.
    type: path
    default: /opt/callcenter
  container:
    description: Name of the container Asterisk runs in.
    type: str
    default: callcenter-asterisk
  extensions:
    description: The phones to report, as mappings with C(number) and C(name).
    type: list
    elements: dict
    required: true
  uid:
    description: Numeric user Asterisk runs as in the container.
    type: int
    default: 15060
  gid:
    description: Numeric group Asterisk runs in.
    type: int
    default: 15060
attributes:
  check_mode:
    description: Reads what Asterisk has written so far, which may lack the latest requests.
    support: full
  diff_mode:
    description: There is nothing to change.
    support: none
  idempotent:
    description: Never changes anything but the file Asterisk records to.
    support: full
author:
  - Call centre maintainers
"""

EXAMPLES = r"""
- name: See who is registered
  callcenter.pbx.registrations:
    extensions:
      - {number: "100", name: Agent 100}
  register: phones
"""

RETURN = r"""
phones:
  description: One mapping an extension, in the order given.
  returned: success
  type: list
  elements: dict
  contains:
    number:
      description: The extension.
      type: str
    name:
      description: Its name.
      type: str
    contacts:
      description: The registrations in force. C(until) is ISO 8601, UTC.
      type: list
      elements: dict
    password:
      description:
        - V(new) or V(old); V(unknown) when the phone has not registered since both are accepted.
        - Null for an extension that accepts one password only.
      type: str
    seen_at:
      description: When the registration that shows it came (ISO 8601, UTC), else null.
      type: str
    seen_from:
      description: Address and port it came from, else null.
      type: str
  sample:
    - number: "100"
      name: Agent 100
      contacts:
        - uri: sip:100@192.0.2.100:5060
          address: 192.0.2.100:5060
          user_agent: Phone 1.0
          until: "2026-01-01T00:10:00Z"
      password: new
      seen_at: "2026-01-01T00:00:00Z"
      seen_from: 192.0.2.100:5060
missing:
  description: Extensions that accept two passwords and are not known to use the new one.
  returned: success
  type: list
  elements: str
report:
  description: The same as a table, and what to do next.
  returned: success
  type: str
"""

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.cli import (
    AsteriskCli,
    AsteriskSilent,
    running_container,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import DockerEngine, DockerError
from ansible_collections.callcenter.pbx.plugins.module_utils.registrations import judge as registrations
from ansible_collections.callcenter.pbx.plugins.module_utils.registrations.files import CaptureFiles
from ansible_collections.callcenter.pbx.plugins.module_utils.release import plan

LIST_CONTACTS = "database show registrar"
LIVE_FILES = ("pjsip_auth.conf", plan.STARTUP_FILE)


def live_files(directory: Path) -> dict[str, str]:
    """Return those files of the live configuration that are needed here."""
    paths = [directory / name for name in LIVE_FILES]
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path.is_file()}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "root_dir": {"type": "path", "default": "/opt/callcenter"},
            "container": {"type": "str", "default": "callcenter-asterisk"},
            "extensions": {"type": "list", "elements": "dict", "required": True},
            "uid": {"type": "int", "default": 15060},
            "gid": {"type": "int", "default": 15060},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    root = Path(wanted["root_dir"])
    container = wanted["container"]
    engine = DockerEngine()
    captures = CaptureFiles(root / "logs", wanted["uid"], wanted["gid"])
    try:
        files = live_files(root / "docker" / "asterisk" / "config")
        secrets = registrations.overlap_secrets(files)
        if not running_container(engine, container):
            module.fail_json(
                msg=f"{container} does not run, so that no phone is registered. Run site.yml, or look at "
                f"`docker compose ps` in {root}."
            )
        answers = list_contacts(
            AsteriskCli(engine, container),
            captures,
            plan.startup_commands(files) if secrets and not module.check_mode else (),
        )
        found = registrations.attempts(captures.read()) if secrets else []
    except (AsteriskSilent, DockerError, OSError) as error:
        module.fail_json(msg=f"The registrations could not be read: {error}. See `docker logs {container}`.")
    phones = registrations.describe(
        [{key: str(value) for key, value in one.items()} for one in wanted["extensions"]],
        registrations.stored_contacts(answers),
        secrets,
        registrations.judge(found, secrets, time.time()),
    )
    module.exit_json(changed=False, **result(phones))


def list_contacts(cli: AsteriskCli, captures: CaptureFiles, begin_anew: tuple[str, ...]) -> str:
    """Return Asterisk's registered contacts.

    :param begin_anew: commands that make Asterisk close the file it records to and open a new one, also
        when it does not record, for whatever reason; none to leave it alone
    """
    if begin_anew:
        captures.set_aside()
    answer, *_rest = cli.run([LIST_CONTACTS, *begin_anew])
    if begin_anew:
        captures.prune()
    return answer


def result(phones: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the module tells about the phones."""
    missing = [phone["number"] for phone in phones if phone["password"] not in (None, registrations.NEW)]
    report = f"{registrations.table(phones)}\n\n{registrations.advice(phones)}"
    return {"phones": phones, "missing": missing, "report": report}


if __name__ == "__main__":
    main()
