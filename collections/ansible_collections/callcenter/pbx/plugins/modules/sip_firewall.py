#!/usr/bin/python
# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Block listed networks before any port of the PBX, and open its ports, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sip_firewall
short_description: Block listed networks in front of Docker and the host, and open the ports of a PBX
description:
  - Keeps the chain C(SIP-BLACKLIST) for IPv4 and IPv6. It is jumped to first from C(DOCKER-USER) and C(INPUT)
    and holds two rules that match a kernel set, so a packet costs the same whatever the length of the list.
  - The sets C(sip-blacklist-v4) and C(sip-blacklist-v6) are filled beside the live ones and swapped, so at no
    instant a listed source gets through.
  - C(DOCKER-USER) is made when Docker has not yet made it, and is jumped to first from C(FORWARD), before
    established flows are accepted. A ban therefore cuts running calls.
  - Refuses a list that would block what the host depends on, and changes nothing then. Protected are
    loopback, the host's own addresses and default gateways, Docker's networks and gateways, the address
    Ansible comes from, and what O(never_block) and O(protected_networks) name.
  - Where a plain iptables C(INPUT) turns callers away, keeps the chain C(SIP-OPEN). Where ufw or firewalld
    guards the host it only reports whether they let callers in.
  - Saves what C(callcenter-firewall) restores at boot in C(/var/lib/callcenter-firewall).
options:
  blacklist:
    description:
      - Networks to block, complete. Items are addresses or networks, IPv4 or IPv6, or dictionaries with
        C(address) and perhaps C(reason).
    type: list
    elements: raw
    default: []
  never_block:
    description: Networks that must not be blocked, spelled as in O(blacklist).
    type: list
    elements: raw
    default: []
  protected_networks:
    description: Networks that must not be blocked, with the name a refusal gives them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What the network is, such as the name of a trunk.
        type: str
        required: true
      network:
        description: Address or network.
        type: str
        required: true
  sip_port:
    description: Port of SIP, UDP and TCP.
    type: int
    default: 5060
  rtp_first_port:
    description: First UDP port of the audio.
    type: int
    default: 10000
  rtp_last_port:
    description: Last UDP port of the audio.
    type: int
    default: 10100
requirements:
  - iptables and ipset on the host
attributes:
  check_mode:
    description: Reports what would change; works before iptables and ipset are installed.
    support: full
  diff_mode:
    description: Shows rules as C(iptables -S) spells them and list entries as C(ipset save) does.
    support: full
  idempotent:
    description: A second call changes nothing and keeps the counters of the rules.
    support: full
author:
  - Call centre maintainers
"""

EXAMPLES = r"""
- name: Block two networks
  callcenter.pbx.sip_firewall:
    blacklist:
      - 203.0.113.7
      - {address: "2001:db8:bad::/48", reason: guessed passwords}
    never_block: [198.51.100.20]
    protected_networks:
      - {name: carrier, network: 192.0.2.0/30}
  register: firewall
"""

RETURN = r"""
guard:
  description: What guards the ports of the host, V(none), V(iptables), V(ufw) or V(firewalld).
  returned: always
  type: str
zone:
  description: The firewalld zone callers arrive in, null without firewalld.
  returned: always
  type: str
  sample: public
ports_open:
  description: Whether the guard lets callers reach the ports after this call.
  returned: always
  type: bool
ipv6:
  description: Whether the host can filter IPv6. Without, IPv6 entries stay in their set and block nothing.
  returned: always
  type: bool
entries:
  description: Networks blocked, by IP version, after merging.
  returned: always
  type: dict
  sample: {v4: 2, v6: 1}
notes:
  description: What was adjusted in the list, and what to know about this host.
  returned: always
  type: list
  elements: str
refused:
  description: Entries that are not valid, or overlap a protected network.
  returned: failure
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall_change import plan
from ansible_collections.callcenter.pbx.plugins.module_utils.firewall_server import Unable

RAW_LIST: dict[str, Any] = {"type": "list", "elements": "raw", "default": []}
PROTECTED: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "network": {"type": "str", "required": True},
}
ARGUMENTS: dict[str, Any] = {
    "blacklist": RAW_LIST,
    "never_block": RAW_LIST,
    "protected_networks": {"type": "list", "elements": "dict", "options": PROTECTED, "default": []},
    "sip_port": {"type": "int", "default": 5060},
    "rtp_first_port": {"type": "int", "default": 10000},
    "rtp_last_port": {"type": "int", "default": 10100},
}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        change = plan(module.params, may_lack_programs=module.check_mode, all_members=module._diff)
        if not module.check_mode:
            change.make()
    except Unable as error:
        module.fail_json(msg=str(error), **({"refused": list(error.refused)} if error.refused else {}))
    module.exit_json(**change.result(), **({"diff": change.diff()} if module._diff else {}))


if __name__ == "__main__":
    main()
