# Copyright: callcenter contributors
# MIT licence (see LICENSE)
"""Documentation of the servers action, which works on the controller: plugins/action/servers.py."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: servers
short_description: Look at the site's inventory before any of its variables is used
version_added: 0.1.0
description:
  - Fails when the group C(pbx) has no server. Such a run must not look like one that went well.
  - Fails with every file of variables that is no YAML, or says the same key twice, with its line.
  - Fails when C(ANSIBLE_DEBUG) or C(ANSIBLE_DISPLAY_ARGS_TO_STDOUT) is set, which print passwords.
  - Fails when a vault is not encrypted, or not with a password that was given.
  - Belongs into a play of C(localhost) at the beginning of a playbook.
  - Runs on the controller and makes no connection.
options: {}
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    description: Looks at the same; there is nothing to change.
    support: full
author:
  - Call centre maintainers (@callcenter)
"""

EXAMPLES = r"""
- name: Find the servers of the site
  callcenter.pbx.servers:
"""

RETURN = r"""#"""
