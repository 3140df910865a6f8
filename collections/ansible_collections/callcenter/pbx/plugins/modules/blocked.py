#!/usr/bin/python
# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Say what is blocked in front of the PBX, why, since when, and how many packets of it were dropped."""

from __future__ import annotations

DOCUMENTATION = r"""
module: blocked
short_description: Say what is blocked in front of the PBX, why, and since when
description:
  - Reads the kernel's sets and the counters of the chain C(SIP-BLACKLIST), and finds for each network the
    list or the jail of fail2ban it comes from.
  - The packets of listed networks are counted since the list was last loaded, those of a ban since it was
    made.
options:
  blacklist:
    description: The inventory's list, addresses or networks, or dictionaries with C(address) and C(reason).
    type: list
    elements: raw
    default: []
  blacklist_files:
    description: Plain lists on the controller.
    type: list
    elements: path
    default: []
  blacklist_urls:
    description: Lists from the web, with C(url) and C(sha256). Nothing is fetched, the last copy is read.
    type: list
    elements: dict
    default: []
  cache_dir:
    description: Directory on the controller that keeps the last good copy of each URL.
    type: path
    default: ~/.cache/callcenter/blacklists
  most:
    description: Of the listed networks, how many are told apart; those with the most packets.
    type: int
    default: 2000
attributes:
  action:
    description: Works on the controller and on the server.
    support: full
  check_mode:
    description: Reads only; identical in check mode.
    support: full
  diff_mode:
    description: There is nothing to change.
    support: none
  idempotent:
    description: Never changes anything.
    support: full
author:
  - Call centre maintainers
"""

EXAMPLES = r"""
- name: See what is blocked
  callcenter.pbx.blocked:
    blacklist:
      - {address: 203.0.113.7, reason: guessed passwords}
    blacklist_files: [/srv/lists/scanners.txt]
  register: seen
"""

RETURN = r"""
by_hand:
  description:
    - Rules that somebody added to the chain by hand. C(only) says what of the address is dropped.
  returned: success
  type: list
  elements: dict
banned:
  description:
    - What fail2ban, or somebody by hand, has banned, those with the most packets first.
    - C(since) is in seconds since 1970, C(seconds) is how long the ban still lasts, null for ever.
  returned: success
  type: list
  elements: dict
  sample:
    - address: 203.0.113.9
      why: guessed passwords (sip-guessing)
      since: 1795468251.0
      seconds: 3581
      packets: 12
unheard:
  description: Sources whose audio was dropped within the hour since nobody knows them, the loudest first.
  returned: success
  type: list
  elements: dict
  sample: [{address: 203.0.113.9, packets: 250}]
strays:
  description: Strangers whose SIP is dropped for ten minutes, for datagrams that begin no conversation.
  returned: success
  type: list
  elements: dict
  sample: [{address: 203.0.113.9, packets: 40}]
listed:
  description: The listed networks with the most packets, at most O(most).
  returned: success
  type: list
  elements: dict
  sample: [{address: 203.0.113.7, why: "pbx_blacklist: guessed passwords", packets: 3}]
sources:
  description: How many networks each source lists, and the packets of those in RV(listed).
  returned: success
  type: list
  elements: dict
  sample: [{name: pbx_blacklist, networks: 1, packets: 3}]
report:
  description: The same for people.
  returned: success
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.counters import read

ARGUMENTS: dict[str, Any] = {
    "blacklist": {"type": "list", "elements": "raw", "default": []},
    "blacklist_files": {"type": "list", "elements": "path", "default": []},
    "blacklist_urls": {"type": "list", "elements": "dict", "default": []},
    "cache_dir": {"type": "path", "default": "~/.cache/callcenter/blacklists"},
    "most": {"type": "int", "default": 2000},
}


def main() -> None:
    """Entry point on the server: the action plugin finds out why, and reports."""
    module = AnsibleModule(argument_spec={"most": ARGUMENTS["most"]}, supports_check_mode=True)
    module.exit_json(changed=False, found=read(module.params["most"]))


if __name__ == "__main__":
    main()
