"""Documentation of the preflight action, which works on the controller: plugins/action/preflight.py."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: preflight
short_description: Check the site's numbering model before anything is touched
version_added: 0.1.0
description:
  - Checks all C(pbx_) variables of a site, alone and against each other, and reports every fault at once.
    Each names the variable, the value and the remedy.
  - Runs on the controller and makes no connection, so it is the first task of every playbook.
  - Passwords are judged but never shown.
options:
  model:
    description:
      - The site's C(pbx_) variables, C(pbx_secrets) among them, by name.
      - An unknown C(pbx_) name is a fault, since it is most likely a misspelled one; other names are ignored.
    type: dict
    required: true
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    description: Checks the same; there is nothing to change.
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
- name: Check the model before anything is touched
  callcenter.pbx.preflight:
    model: "{{ pbx_model }}"
"""

RETURN = r"""
msg:
  description: Everything that is wrong, one line each.
  returned: on failure
  type: str
  sample: |-
    This site's model has 1 fault; nothing was touched.
    - pbx_extensions: extension 911 is an emergency number. Choose another number.
warnings:
  description: What works but is doubtful.
  returned: always
  type: list
  elements: str
  sample:
    - "pbx_secrets[103]: belongs to no extension or trunk. Remove it, or check the spelling."
"""
