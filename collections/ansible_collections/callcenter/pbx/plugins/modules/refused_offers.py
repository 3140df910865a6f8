#!/usr/bin/python
# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Listen for calls that the PBX refuses with 488, and name the phone and what it offers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: refused_offers
short_description: Name the phones whose calls are refused for what they offer
description:
  - Listens for some seconds to the SIP messages that pass the host over UDP, and reports each call that the
    PBX answers with 488 (Not Acceptable Here) - who called, from where, and what was offered.
  - Asterisk logs nothing of it. Nothing is kept, and no call is touched.
options:
  seconds:
    description: How long to listen. Place the call meanwhile.
    type: int
    default: 30
  sip_port:
    description: The SIP port.
    type: int
    default: 5060
  extensions:
    description: The phones, as mappings with C(number) and perhaps C(codecs).
    type: list
    elements: dict
    default: []
attributes:
  check_mode:
    description: Listens all the same.
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
- name: Hear what the phone offers
  callcenter.pbx.refused_offers:
    seconds: 60
    extensions:
      - {number: "100", codecs: [ulaw, alaw]}
"""

RETURN = r"""
refused:
  description: One sentence for each call that was refused.
  returned: success
  type: list
  elements: str
  sample:
    - "100 (192.0.2.100:5060) offers g729; here its codecs are ulaw, alaw: switch one on there."
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.callcenter.pbx.plugins.module_utils.registrations.refused_offers import (
    CODECS,
    explain,
    listen,
    refusals,
)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "seconds": {"type": "int", "default": 30},
            "sip_port": {"type": "int", "default": 5060},
            "extensions": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    takes = {str(one["number"]): one.get("codecs") or CODECS for one in wanted["extensions"]}
    try:
        packets = listen(wanted["seconds"], wanted["sip_port"])
    except OSError as error:
        module.fail_json(msg=f"The host's packets cannot be read: {error.strerror}. This needs root.")
    found = refusals(packets, wanted["sip_port"])
    module.exit_json(
        changed=False,
        refused=[explain(one, takes.get(one.caller, ())) for one in found],
    )


if __name__ == "__main__":
    main()
