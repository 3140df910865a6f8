"""Documentation of the password_proof action, which works on the controller: see plugins/action."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: password_proof
short_description: Prove which passwords of extensions a running PBX accepts, and which it refuses
version_added: 0.1.0
description:
  - Makes a real digest exchange for every given password, and fails unless the PBX accepts those of
    O(accepted) and refuses those of O(refused). Extensions it treats otherwise are named, passwords never.
  - Each exchange is a C(REGISTER) without C(Contact), which only asks who is registered. No phone is
    registered or unregistered by it.
  - Runs on the controller, over UDP, many exchanges at once. A thousand extensions take a few seconds.
  - Refused attempts appear in the PBX's security log as failed authentications from the controller's address.
options:
  address:
    description: Address or name phones reach the PBX at.
    type: str
    required: true
  sip_port:
    description: SIP port of the PBX, UDP.
    type: int
    default: 5060
  accepted:
    description: The passwords that must be accepted, as a mapping of extension numbers to lists of passwords.
    type: dict
    default: {}
  refused:
    description: The passwords that must be refused, in the same form.
    type: dict
    default: {}
  answer_seconds:
    description:
      - How long a request may remain without an answer. It is sent again after 0.5, 1.5, 3.5 s and so on.
      - When nothing at all comes for so long, the proof ends.
    type: float
    default: 5
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    description: Asks nothing, since passwords that were only announced would be refused.
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
- name: Prove that only the new passwords are accepted
  callcenter.pbx.password_proof:
    address: 192.0.2.10
    accepted:
      "100": ["{{ pbx_secrets['100'] }}"]
    refused:
      "100": ["{{ old_secrets['100'] }}"]

- name: Prove that a second password is accepted beside the first
  callcenter.pbx.password_proof:
    address: 192.0.2.10
    accepted:
      "100": ["{{ pbx_secrets['100'] }}", "{{ pbx_secrets_previous['100'] }}"]
"""

RETURN = r"""
msg:
  description: How it went.
  returned: always
  type: str
  sample: "192.0.2.10:5060 accepts 2 passwords and refuses 2, as it must: 2 extensions, 0.1 s."
unproven:
  description: The passwords that were not treated as they must be, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    number:
      description: The extension.
      type: str
      sample: "100"
    expected:
      description: What the PBX had to do, V(accepted) or V(refused).
      type: str
      sample: accepted
    came:
      description: What came instead.
      type: str
      sample: 401 Unauthorized
"""
