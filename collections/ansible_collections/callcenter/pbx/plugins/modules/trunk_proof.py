#!/usr/bin/python
# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Prove which credentials a running Asterisk sends over a trunk, by a trial call that stays on the server."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: trunk_proof
short_description: Prove with which credentials a running Asterisk answers a carrier
version_added: 0.1.0
description:
  - Makes Asterisk place a call over the trunk to a socket on the loopback address of its own container, asks
    for credentials there as a carrier does, compares the digest that comes, and refuses the call.
  - The carrier is not touched, running calls are not disturbed, no dialplan runs, and no channel remains.
  - Fails when the credentials are others, or when no proof could be made, and says which.
  - Needs root and Python 3.12 or newer on the server, and C(res_clioriginate.so) in Asterisk.
options:
  container:
    description: Name of the container Asterisk runs in.
    type: str
    default: callcenter-asterisk
  trunk:
    description: Name of the trunk, which is that of its PJSIP endpoint.
    type: str
    required: true
  username:
    description: The user name Asterisk must send.
    type: str
    required: true
  password:
    description: The password it must know.
    type: str
    required: true
  answer_seconds:
    description: How long Asterisk may take to call and to answer.
    type: float
    default: 5
attributes:
  check_mode:
    description: Makes no call and says so, since credentials that were only announced are not in use.
    support: full
  diff_mode:
    description: There is nothing to change.
    support: none
  idempotent:
    description: Never changes anything.
    support: full
author:
  - Call centre maintainers (@callcenter)
"""

EXAMPLES = r"""
- name: Prove that the carrier is sent the new password
  callcenter.pbx.trunk_proof:
    trunk: twilio-na-us
    username: callcenter
    password: "{{ pbx_secrets['twilio-na-us'] }}"
  become: true
"""

RETURN = r"""
msg:
  description: What the trial call showed, in one sentence.
  returned: always
  type: str
  sample: Asterisk answers a carrier's challenge on twilio-na-us as callcenter, with this password.
matches:
  description: Whether Asterisk sends these credentials. Absent in check mode.
  returned: when a call was to be made
  type: bool
verdict:
  description:
    - What the call showed, as one word for conditions.
    - V(matches), V(other_password), V(other_username), V(other_realm), V(not_called) when no call came,
      V(not_answered) when the challenge remained without an answer, V(impossible) when no call could be made.
  returned: when a call was to be made
  type: str
  sample: other_password
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.callcenter.pbx.plugins.module_utils.asterisk.cli import AsteriskSilent
from ansible_collections.callcenter.pbx.plugins.module_utils.host.docker import DockerEngine, DockerError
from ansible_collections.callcenter.pbx.plugins.module_utils.trunk.call import (
    TrunkCallError,
    prove,
    sentence,
)
from ansible_collections.callcenter.pbx.plugins.module_utils.trunk.callee import Expected, Verdict


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "container": {"type": "str", "default": "callcenter-asterisk"},
            "trunk": {"type": "str", "required": True},
            "username": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "answer_seconds": {"type": "float", "default": 5.0},
        },
        supports_check_mode=True,
    )
    container, trunk, username, password, seconds = (
        module.params[name] for name in ("container", "trunk", "username", "password", "answer_seconds")
    )
    if module.check_mode:
        module.exit_json(
            changed=False, msg=f"Not called: in check mode {trunk} has not been given these credentials."
        )
    try:
        callee = prove(DockerEngine(), container, trunk, Expected(username, password), seconds)
    except (AsteriskSilent, DockerError, TrunkCallError) as error:
        module.fail_json(
            msg=f"The credentials of {trunk} were not proven: {error}", matches=False, verdict="impossible"
        )
    report = {
        "changed": False,
        "msg": sentence(trunk, callee, seconds),
        "matches": callee.verdict is Verdict.MATCHES,
        "verdict": callee.verdict.value,
    }
    if not report["matches"]:
        module.fail_json(**report)
    module.exit_json(**report)


if __name__ == "__main__":
    main()
