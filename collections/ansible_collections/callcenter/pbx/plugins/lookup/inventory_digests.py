"""Digests of what the inventory says, by which a server remembers what was deployed to it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: inventory_digests
short_description: Digest what the inventory says, variable by variable
version_added: 0.1.0
description:
  - Returns a digest of each C(pbx_) variable of the host. A deployment leaves them on the server, and the
    smoke checks say which variables have changed since.
  - Lists that are fetched from URLs are no part of it.
options:
  _terms:
    description: Not used.
  blacklist:
    description: Whether the block list is among them, as M(callcenter.pbx.sip_firewall) digests it.
    type: bool
    default: false
author:
  - Call centre maintainers (@callcenter)
"""

EXAMPLES = r"""
- name: Say which variables there are
  ansible.builtin.debug:
    msg: "{{ lookup('callcenter.pbx.inventory_digests').keys() }}"
"""

RETURN = r"""
_raw:
  description: One mapping, variable's name to digest.
  type: list
  elements: dict
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.callcenter.pbx.plugins.action.sip_firewall import digest_of, listed
from ansible_collections.callcenter.pbx.plugins.plugin_utils.blacklist.sources import SourceError, read_files
from ansible_collections.callcenter.pbx.plugins.plugin_utils.site.files import released

PREFIX = "pbx_"
_LISTS = ("pbx_blacklist", "pbx_blacklist_files", "pbx_blacklist_urls")
_DERIVED = ("pbx_model",)


class LookupModule(LookupBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    def run(
        self, terms: list[str], variables: Mapping[str, Any] | None = None, **options: Any
    ) -> list[dict[str, str]]:
        """Return one mapping. Raises AnsibleLookupError for a block list that cannot be read."""
        self.set_options(var_options=variables, direct=options)
        found = variables or {}
        digests = {
            name: _digest(self._value(found[name]))
            for name in sorted(found)
            if name.startswith(PREFIX) and name not in (*_LISTS, *_DERIVED)
        }
        if found.get("inventory_dir"):
            own = released(str(found["inventory_dir"]))
            digests.update(
                {f"asterisk/{name.removeprefix('site-')}": _digest(text) for name, text in own.items()}
            )
        if self.get_option("blacklist") and not found.get("pbx_blacklist_urls"):
            entries, paths = (self._value(found.get(name) or []) for name in _LISTS[:2])
            files = [str(Path(str(found["inventory_dir"])) / path) for path in paths]
            try:
                digests["pbx_blacklist"] = digest_of(listed(entries), read_files(files))
            except SourceError as error:
                raise AnsibleLookupError(f"inventory_digests: {error}") from None
        return [digests]

    def _value(self, value: Any) -> Any:
        """Return the value; one that is a template as a whole is evaluated, one within is not."""
        return self._templar.template(value) if isinstance(value, str) and "{{" in value else value


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
