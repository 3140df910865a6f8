"""The site's passwords as they stand in the vault: data, which no template engine ever reads."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: vault_secrets
short_description: Read the site's passwords without evaluating them
version_added: 0.1.0
description:
  - Returns what the variables C(pbx_secrets), C(pbx_secrets_previous) and C(pbx_secrets_next) hold.
  - A password may contain what looks like a template, such as two braces. It stays as it is - a variable
    used in the ordinary way would be evaluated, and shown in part by the error message.
  - A variable that is a template as a whole (a lookup in another store of passwords) is evaluated once; the
    passwords that come of it are not.
  - Fails when C(ANSIBLE_DEBUG) or C(ANSIBLE_DISPLAY_ARGS_TO_STDOUT) is set, which print passwords.
options:
  _terms:
    description: Names of variables; one that is not defined is left out. By default all three.
author:
  - Call centre maintainers (@callcenter)
"""

EXAMPLES = r"""
- name: Render the configuration
  ansible.builtin.include_role:
    name: asterisk_config
  vars:
    asterisk_config_secrets: "{{ lookup('callcenter.pbx.vault_secrets').pbx_secrets }}"
"""

RETURN = r"""
_raw:
  description: One mapping, variable's name to what it holds. It holds passwords, never register it.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.callcenter.pbx.plugins.plugin_utils.loud_settings import (
    LoudSettingError,
    refuse_loud_settings,
)

NAMES = ("pbx_secrets", "pbx_secrets_previous", "pbx_secrets_next")


class LookupModule(LookupBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    def run(
        self, terms: list[str], variables: Mapping[str, Any] | None = None, **options: Any
    ) -> list[dict[str, Any]]:
        """Return one mapping of the variables that are defined. Raises AnsibleLookupError."""
        try:
            refuse_loud_settings()
        except LoudSettingError as error:
            raise AnsibleLookupError(f"vault_secrets: {error}") from None
        found = variables or {}
        return [{name: self._value(found[name]) for name in terms or NAMES if name in found}]

    def _value(self, value: Any) -> Any:
        """Return the variable's value as plain data: text that Ansible does not trust as a template."""
        if isinstance(value, str):
            value = self._templar.template(value)
        if isinstance(value, Mapping):
            return {_plain(key): _plain(entry) for key, entry in value.items()}
        return _plain(value)


def _plain(value: Any) -> Any:
    """Return text without the mark that makes Ansible evaluate it; a value encrypted by itself is opened."""
    return "".join(str(value)) if isinstance(value, str) or type(value).__name__ in _SEALED else value


_SEALED = ("EncryptedString", "AnsibleVaultEncryptedUnicode")
"""What ``!vault`` makes of a value, in ansible-core from 2.19 on and before."""
