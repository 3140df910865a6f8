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
    and holds rules that match kernel sets, so a packet costs the same whatever the length of the list.
  - Makes the sets C(sip-banned-v4) and C(sip-banned-v6) for bans that others add, and never empties them.
    Bans bind SIP and audio alone. No ban binds what is in C(sip-never-v4) and C(sip-never-v6), which hold all
    that is protected, nor what is in C(sip-known-v4).
  - Makes the set C(sip-known-v4) for the addresses of phones that have given their password lately, which
    C(callcenter-known) adds. Whoever is neither in it nor in O(expected_networks) is a stranger.
  - Keeps the chain C(SIP-GUARD) behind C(SIP-BLACKLIST) in C(DOCKER-USER). It drops the audio of strangers,
    whose addresses it notes in C(sip-unheard-v4), and TCP connections of theirs beyond a number.
  - Keeps the chains C(SIP-ARRIVAL) and C(SIP-STRANGERS) in the table C(raw). They drop SIP that is forged or
    asks for answers to somebody else, and what strangers send beyond a rate, before it costs anything. Who
    sends datagrams that begin nothing is noted in C(sip-stray-v4), and not heard for ten minutes.
  - The sets C(sip-blacklist-v4) and C(sip-blacklist-v6) are filled beside the live ones and swapped, so at no
    instant a listed source gets through.
  - C(DOCKER-USER) is made when Docker has not yet made it, and is jumped to first from C(FORWARD), before
    established flows are accepted. A ban therefore cuts running flows, too.
  - The list is merged from the inventory (O(blacklist)), plain files (O(blacklist_files)) and public sources
    (O(blacklist_urls)), and goes to the host in one call, and only when it differs from what the host has.
  - Protected are loopback, the host's own addresses and default gateways, Docker's networks and gateways,
    the address Ansible comes from, private and reserved networks, and what O(never_block) and
    O(protected_networks) name. O(blacklist) is refused when it would block any of these, and nothing is
    changed then; entries of files and URLs that would are left out with a warning.
  - What runs from and to a newly listed network is cut, its tracked connections are forgotten and its calls
    in O(container) hung up.
  - Where a plain iptables C(INPUT) turns callers away, keeps the chain C(SIP-OPEN). Where ufw or firewalld
    guards the host it only reports whether they let callers in.
  - Saves what C(callcenter-firewall) restores at boot in C(/var/lib/callcenter-firewall).
options:
  blacklist:
    description:
      - Networks to block. Items are addresses or networks, IPv4 or IPv6, or dictionaries with C(address)
        and perhaps C(reason). What neither this list, a file nor a URL names is not blocked.
    type: list
    elements: raw
    default: []
  blacklist_files:
    description:
      - Plain lists on the controller, one address or network a line. Blank lines, and comments from C(#) or
        C(;) to the end of the line, are skipped.
      - Lines that mean nothing are skipped with a warning. A file with more than 5 of them, and more than a
        third, is refused as a whole, and nothing is changed. So is one with more than 10,000 of them, or with
        a network that is wider than /8 (IPv6 /16) and not reserved.
    type: list
    elements: path
    default: []
  blacklist_urls:
    description:
      - Plain lists that the controller fetches, spelled as in O(blacklist_files). When one cannot be fetched,
        or is not what it should be, its last good copy stays in use, with a warning.
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description: Address of the list, C(http) or C(https).
        type: str
        required: true
      sha256:
        description: Checksum the content must have, in hex, or V(none) for a list that changes.
        type: str
        required: true
      max_bytes:
        description: Longest content that is accepted.
        type: int
        default: 20000000
      timeout_seconds:
        description: How long a fetch may take as a whole, from the name server's answer to the last byte.
        type: int
        default: 20
  cache_dir:
    description: Directory on the controller that keeps the last good copy of each URL.
    type: path
    default: ~/.cache/callcenter/blacklists
  packed:
    description: The whole list on its way to the host. The controller's side of this module fills it in.
    type: str
    default: ""
  container:
    description: Name of the container of the PBX, whose calls from newly listed networks are hung up.
    type: str
    default: ""
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
  local_sip_port:
    description: Port of SIP, UDP, that Docker publishes and only O(local_networks) reach; V(0) for none.
    type: int
    default: 0
  local_networks:
    description: The networks, IPv4, that reach O(local_sip_port).
    type: list
    elements: str
    default: []
  rtp_first_port:
    description: First UDP port of the audio.
    type: int
    default: 10000
  rtp_last_port:
    description: Last UDP port of the audio.
    type: int
    default: 10100
  expected_networks:
    description:
      - Networks (IPv4) of the carriers, signalling and audio, and of the site. Their calls are not limited
        here, and their audio passes.
    type: list
    elements: str
    default: []
  asymmetric_routes:
    description:
      - Whether packets may arrive by another interface than answers leave by. Otherwise SIP from such a
        source is dropped as forged.
    type: bool
    default: false
  container_network:
    description:
      - Network of the container, from which nothing goes to the services of a cloud.
      - TCP connections go from there to O(tcp_ports), to name servers and to known phones alone.
    type: str
    default: 172.30.255.252/30
  tcp_ports:
    description: Ports where carriers take SIP over TCP.
    type: list
    elements: int
    default: []
  root_dir:
    description: Directory of the PBX on the host, where C(callcenter-known) reads its log and its contacts.
    type: path
    default: /opt/callcenter
requirements:
  - iptables and ipset on the host
attributes:
  check_mode:
    description: Reports what would change; works before iptables and ipset are installed.
    support: full
  diff_mode:
    description: Shows rules as C(iptables -S) spells them, and changed entries as C(ipset save) does.
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

- name: Block what two public lists name
  callcenter.pbx.sip_firewall:
    blacklist_files: [/srv/lists/scanners.txt]
    blacklist_urls:
      - {url: "https://lists.example.org/sip.txt", sha256: none}
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
cut:
  description: What was cut of newly listed networks, tracked connections and channels of the PBX.
  returned: always
  type: dict
  sample: {flows: 3, calls: 1}
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

RAW_LIST: dict[str, Any] = {"type": "list", "elements": "raw", "default": []}
PROTECTED: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "network": {"type": "str", "required": True},
}
URL: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "sha256": {"type": "str", "required": True},
    "max_bytes": {"type": "int", "default": 20_000_000},
    "timeout_seconds": {"type": "int", "default": 20},
}
ARGUMENTS: dict[str, Any] = {
    "blacklist": RAW_LIST,
    "blacklist_files": {"type": "list", "elements": "path", "default": []},
    "blacklist_urls": {"type": "list", "elements": "dict", "options": URL, "default": []},
    "cache_dir": {"type": "path", "default": "~/.cache/callcenter/blacklists"},
    # Not secret, but too long for a log.
    "packed": {"type": "str", "default": "", "no_log": True},
    "container": {"type": "str", "default": ""},
    "never_block": RAW_LIST,
    "protected_networks": {"type": "list", "elements": "dict", "options": PROTECTED, "default": []},
    "sip_port": {"type": "int", "default": 5060},
    "local_sip_port": {"type": "int", "default": 0},
    "local_networks": {"type": "list", "elements": "str", "default": []},
    "rtp_first_port": {"type": "int", "default": 10000},
    "rtp_last_port": {"type": "int", "default": 10100},
    "expected_networks": {"type": "list", "elements": "str", "default": []},
    "asymmetric_routes": {"type": "bool", "default": False},
    "container_network": {"type": "str", "default": "172.30.255.252/30"},
    "tcp_ports": {"type": "list", "elements": "int", "default": []},
    "root_dir": {"type": "path", "default": "/opt/callcenter"},
}


def main() -> None:
    """Entry point."""
    # Imported here: the controller's side reads ARGUMENTS in every run, and none of this.
    from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.change import bring_about, plan
    from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.cut import cut
    from ansible_collections.callcenter.pbx.plugins.module_utils.firewall.host import Unable

    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        change = plan(module.params, may_lack_programs=module.check_mode, for_diff=module._diff)
        result = change.result()
        if not module.check_mode:
            # What is cut and shown is the whole way, also where a part of it took a second try.
            bring_about(change, lambda: plan(module.params))
            done = cut(change.to_cut(), module.params["container"])
            result["cut"] = {"flows": done.flows, "calls": done.calls}
            result["warnings"] += done.warnings
        for warning in result.pop("warnings"):
            module.warn(warning)
    except Unable as error:
        module.fail_json(msg=str(error), **({"refused": list(error.refused)} if error.refused else {}))
    module.exit_json(**result, **({"diff": change.diff()} if module._diff else {}))


if __name__ == "__main__":
    main()
