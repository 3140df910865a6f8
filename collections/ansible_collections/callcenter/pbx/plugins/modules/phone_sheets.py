"""Documentation of the phone_sheets action, which works on the controller: plugins/action/phone_sheets.py."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: phone_sheets
short_description: Write one sheet per extension with everything a softphone asks for
version_added: 0.1.0
description:
  - Writes C(<number>.html) for each extension into a directory of the controller, to print or to show. Each
    is one self-contained page with the server, the user name, the password, also as a QR code, and the
    settings that matter.
  - Sheets whose content is still right are left alone. Sheets of extensions that are gone are deleted. Files
    that are no sheets are not touched; one that is named as a sheet is to be is an error.
  - A sheet has mode 0600 and its directory 0700 from the moment they are made, and each is replaced
    atomically.
  - Needs Jinja2 and segno on the controller. Contacts no host.
options:
  directory:
    description:
      - Directory for the sheets and nothing else; made when missing. Relative to the playbook.
    type: path
    required: true
  address:
    description: The IPv4 address phones register at.
    type: str
    required: true
  sip_port:
    description: SIP port, UDP and TCP.
    type: int
    default: 5060
  local_networks:
    description: Networks whose phones register at O(local_address) instead; a sheet then says both.
    type: list
    elements: str
    default: []
  local_address:
    description: The server's own IPv4 address in these networks.
    type: str
    default: ""
  local_sip_port:
    description: SIP port for phones of these networks, UDP.
    type: int
    default: 5062
  extensions:
    description:
      - The phones, as in C(pbx_extensions).
      - Each has C(number); C(name), C(codecs) and C(max_contacts) are optional, other keys are ignored.
    type: list
    elements: dict
    required: true
  secrets:
    description:
      - The passwords by extension number, as in C(pbx_secrets). Other names are ignored.
      - None of them is in any result, difference or message.
    type: dict
    required: true
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    description: Says which files would be written and removed.
    support: full
  diff_mode:
    description: Names the files. Never shows what is in them.
    support: partial
  idempotent:
    description: A sheet depends on nothing but its values, so a second run changes nothing.
    support: full
author:
  - Call centre maintainers (@callcenter)
"""

EXAMPLES = r"""
- name: Write the phone sheets
  callcenter.pbx.phone_sheets:
    directory: artifacts/pbx/phones
    address: 192.0.2.10
    extensions:
      - {number: "100", name: Agent 100}
    secrets: "{{ pbx_secrets }}"
"""

RETURN = r"""
msg:
  description: What came of it, in one sentence.
  returned: success
  type: str
  sample: "2 phone sheets in /srv/callcenter/artifacts/pbx/phones: 1 written, 1 unchanged, 0 removed."
directory:
  description: Where the sheets are.
  returned: success
  type: str
  sample: /srv/callcenter/artifacts/pbx/phones
written:
  description: Names of the files that were new or had to change.
  returned: success
  type: list
  elements: str
  sample: [100.html]
removed:
  description: Names of the files that belonged to no extension.
  returned: success
  type: list
  elements: str
  sample: []
unchanged:
  description: Names of the files that were right already.
  returned: success
  type: list
  elements: str
  sample: [101.html]
"""
