#!/usr/bin/python
# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Documentation of the blacklist_file action, which works on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: blacklist_file
short_description: Add and remove blocked sources in the inventory
description:
  - Edits the list C(pbx_blacklist) in a file of the inventory. Comments, order and all other lines stay as
    they are, and the file is replaced as a whole.
  - Refuses to block what must never be blocked, as far as the model of the site says. What the host depends
    on, only M(callcenter.pbx.sip_firewall) knows.
  - Runs on the controller and makes no connection.
options:
  path:
    description: The file. It is made when it is not there.
    type: path
    required: true
  block:
    description: Addresses and networks to add, a list or text with commas in between.
    type: list
    elements: str
    default: []
  unblock:
    description: Addresses and networks to remove, as they are in the list.
    type: list
    elements: str
    default: []
  reason:
    description: Why, noted with each one that is added.
    type: str
    default: ""
  blacklist:
    description:
      - The list as it is in force, C(pbx_blacklist). The file must say the same, else another file overrules
        it.
    type: list
    elements: raw
    required: true
  protected_networks:
    description: Networks that must not be blocked, with the name a refusal gives them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What the network is.
        type: str
        required: true
      network:
        description: Address or network.
        type: str
        required: true
  blacklist_files:
    description: Further lists, so that a source that stays blocked by one of them can be named.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    description: Writes nothing.
    support: full
  diff_mode:
    description: Shows the changed lines of the file.
    support: full
  idempotent:
    description: A source that is blocked already, or not in the list, changes nothing and is reported.
    support: full
author:
  - Call centre maintainers
"""

EXAMPLES = r"""
- name: Block one source and unblock another
  callcenter.pbx.blacklist_file:
    path: "{{ inventory_dir }}/group_vars/pbx/blacklist.yml"
    block: [203.0.113.7]
    unblock: [203.0.113.9]
    reason: guessed passwords
    blacklist: "{{ pbx_blacklist }}"
"""

RETURN = r"""
blacklist:
  description: The list afterwards; in check mode, as it would be.
  returned: success
  type: list
  elements: raw
notes:
  description: What of the request had no effect, and why.
  returned: success
  type: list
  elements: str
"""
