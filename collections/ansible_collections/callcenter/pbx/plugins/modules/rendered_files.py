# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Documentation of the rendered_files action, which works on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rendered_files
short_description: Write rendered configuration files for reading
version_added: 0.1.0
description:
  - Makes the C(*.conf) files of a directory on the controller the given ones, in one task however many they
    are. Those that are not given are removed; other files stay.
  - A file has mode 0600 and its directory 0700, and each is replaced atomically.
  - Contacts no host.
options:
  directory:
    description: The directory; made when missing. Relative to the playbook.
    type: path
    required: true
  files:
    description: Texts by file name. They may hold passwords; none is in a result, difference or message.
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
    description: A second run changes nothing.
    support: full
author:
  - Call centre maintainers (@callcenter)
"""

EXAMPLES = r"""
- name: Write what would be deployed
  callcenter.pbx.rendered_files:
    directory: artifacts/pbx/rendered
    files: {rtp.conf: "[general]\n"}
"""

RETURN = r"""
msg:
  description: What came of it, in one sentence.
  returned: success
  type: str
directory:
  description: Where the files are.
  returned: success
  type: str
written:
  description: Names of the files that were new or had to change.
  returned: success
  type: list
  elements: str
removed:
  description: Names of the files that were there and not given.
  returned: success
  type: list
  elements: str
"""
