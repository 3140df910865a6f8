"""A site's own Asterisk files, as they go into a release."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: site_files
short_description: Read a site's own Asterisk files
version_added: 0.1.0
description:
  - Returns the text of each file in C(<inventory>/asterisk), by its name in a release.
  - M(callcenter.pbx.preflight) has checked them before.
options:
  _terms:
    description: The inventory's directory.
    required: true
author:
  - Call centre maintainers (@callcenter)
"""

EXAMPLES = r"""
- name: Say which files there are
  ansible.builtin.debug:
    msg: "{{ lookup('callcenter.pbx.site_files', inventory_dir).keys() }}"
"""

RETURN = r"""
_raw:
  description: One mapping for each directory, file's name to text.
  type: list
  elements: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.callcenter.pbx.plugins.plugin_utils.site.files import released


class LookupModule(LookupBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    def run(
        self, terms: list[str], variables: dict[str, Any] | None = None, **options: Any
    ) -> list[dict[str, str]]:
        """Return one mapping for each inventory."""
        self.set_options(var_options=variables, direct=options)
        return [released(str(term)) for term in terms]
