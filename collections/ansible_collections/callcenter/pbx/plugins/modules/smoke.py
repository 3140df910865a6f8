#!/usr/bin/python
# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Gather the evidence of the smoke checks on the server; the action plugin judges it on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: smoke
short_description: Prove that the PBX works, and name what does not
description:
  - Makes every check of the troubleshooting guide, and more, against the running PBX. Changes nothing that
    stays.
  - To prove that a ban binds, an address for documentation (RFC 5737) is banned for a second, and packets
    from it come in through an interface made for them. Not in check mode.
  - What needs the server is gathered there in one call. Meanwhile the controller sends SIP requests to it.
  - All checks are made. Each one that fails names the guide's symptom, what was seen, and the remedy.
    Then the task fails.
  - Writes C(smoke.json) and C(smoke.xml) (JUnit) on the controller. No file holds a secret.
  - In check mode nothing fails, since a change that was only announced may be what is missing. On a host
    without a deployment it says so and checks nothing.
options:
  root_dir:
    description: Directory of the compose project on the server.
    type: path
    required: true
  container:
    description: Name of the container Asterisk runs in.
    type: str
    required: true
  address:
    description: Address (IPv4) phones and carriers reach, asked from the controller.
    type: str
    required: true
  sip_port:
    description: SIP port, UDP and TCP.
    type: int
    default: 5060
  sip_tcp:
    description: Whether SIP is spoken over TCP, too; if not, nobody may answer there.
    type: bool
    default: true
  local_sip_port:
    description: SIP port for phones of the server's own networks, UDP; V(0) for none.
    type: int
    default: 0
  rtp_ports:
    description: First and last published RTP port.
    type: dict
    required: true
    suboptions:
      first:
        description: First port.
        type: int
        required: true
      last:
        description: Last port.
        type: int
        required: true
  extensions:
    description: The phones, as mappings with C(number).
    type: list
    elements: dict
    default: []
  trunks:
    description:
      - The carriers, as mappings with C(name), C(context), C(identify_networks), and optionally C(codecs),
        C(contacts) and C(termination_host).
    type: list
    elements: dict
    default: []
  dial_checks:
    description: What dialling a number in a context must lead to.
    type: list
    elements: dict
    default: []
    suboptions:
      context:
        description: Context the number is dialled in.
        type: str
        required: true
      dialled:
        description: The number.
        type: str
        required: true
      target:
        description: First argument of the C(Dial) reached, or V(refused).
        type: str
        required: true
  trunks_must_answer:
    description:
      - Whether a trunk none of whose contacts answers OPTIONS is a failure, or a warning.
      - Of use until the carrier's side is set up.
    type: bool
    default: true
  inventory:
    description: Digests of the inventory's variables, by name, to compare with those that were deployed last.
    type: dict
    default: {}
  minimum_version:
    description: Oldest Asterisk that is safe.
    type: str
    default: 22.10.1
  answer_seconds:
    description: How long the PBX may take to answer a SIP request.
    type: float
    default: 3
  artifacts_dir:
    description: Directory on the controller for the reports; made when missing. Relative to the playbook.
    type: path
    required: true
attributes:
  action:
    description: Works on the controller and on the server.
    support: full
  check_mode:
    description: Checks the same, without failing.
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
- name: Prove that the PBX works
  callcenter.pbx.smoke:
    root_dir: /opt/callcenter
    container: callcenter-asterisk
    address: 192.0.2.10
    rtp_ports: {first: 10000, last: 10100}
    extensions:
      - {number: "100"}
    trunks:
      - {name: carrier, context: from-carrier, identify_networks: [198.51.100.0/30], codecs: [ulaw]}
    dial_checks:
      - {context: internal, dialled: "100", target: PJSIP/100}
    artifacts_dir: artifacts/pbx
"""

RETURN = r"""
msg:
  description: How it went, in one sentence.
  returned: always
  type: str
  sample: "19 smoke checks of pbx (192.0.2.10) in 0.9 s: 19 passed."
report:
  description: The table of all checks, then everything that is wrong.
  returned: when something was checked
  type: str
artifacts:
  description: The written files.
  returned: when something was checked, not in check mode
  type: list
  elements: str
  sample: [artifacts/pbx/smoke.json, artifacts/pbx/smoke.xml]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.callcenter.pbx.plugins.module_utils.smoke.probe import gather


def main() -> None:
    """Entry point on the server: the action plugin hands over what the probe needs."""
    module = AnsibleModule(
        argument_spec={
            "root_dir": {"type": "path", "required": True},
            "container": {"type": "str", "required": True},
            "sip_port": {"type": "int", "default": 5060},
            "trunks": {"type": "list", "elements": "str", "default": []},
            "dialled": {"type": "list", "elements": "dict", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
            "may_send": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, evidence=gather(**module.params))


if __name__ == "__main__":
    main()
