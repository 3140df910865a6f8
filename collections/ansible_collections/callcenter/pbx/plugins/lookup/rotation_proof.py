"""What the servers must accept and refuse after a rotation, read from the vault and its journal."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: rotation_proof
short_description: Read what a rotation of passwords has to prove
version_added: 0.1.0
description:
  - Reads the vault and the journal of the rotation that is under way beside it, on the controller.
  - The answer holds passwords. Hand it straight to a task that hides its arguments; never register it or
    loop over it.
options:
  _terms:
    description: Path of the vault.
    required: true
  names:
    description: The extensions and trunks to prove; others in the journal are left out.
    type: list
    elements: str
    required: true
author:
  - Call centre maintainers (@callcenter)
"""

EXAMPLES = r"""
- name: Prove that the new passwords work and the old ones do not
  callcenter.pbx.password_proof:
    address: "{{ pbx_public_address }}"
    sip_port: "{{ pbx_sip_port }}"
    accepted: "{{ proof['accepted'] }}"
    refused: "{{ proof['refused'] }}"
  vars:
    proof: "{{ lookup('callcenter.pbx.rotation_proof', vault_file, names=['100', '101']) }}"
"""

RETURN = r"""
_raw:
  description:
    - "C(accepted): passwords by extension that must register. C(refused): passwords by extension that must
      not. C(trunks): the password that calls go out with, by trunk."
  type: list
  elements: dict
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.callcenter.pbx.plugins.plugin_utils.loud_settings import (
    LoudSettingError,
    refuse_loud_settings,
)
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.document import DocumentError, read_maps
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.files import VaultFileError, VaultFiles
from ansible_collections.callcenter.pbx.plugins.plugin_utils.vault.rotation import proof


class LookupModule(LookupBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    def run(
        self, terms: list[str], variables: dict[str, Any] | None = None, **options: Any
    ) -> list[dict[str, Any]]:
        """Return one mapping for each path. Raises AnsibleLookupError, without a password in it."""
        self.set_options(var_options=variables, direct=options)
        try:
            refuse_loud_settings()
        except LoudSettingError as error:
            raise AnsibleLookupError(f"rotation_proof: {error}") from None
        return [self._proof(Path(self._loader.path_dwim(path)), self.get_option("names")) for path in terms]

    def _proof(self, path: Path, names: list[str]) -> dict[str, Any]:
        files = VaultFiles(path, self._loader._vault.secrets or [])
        try:
            journal, text = files.read_journal(), files.read()
            if journal is None or text is None:
                raise VaultFileError(f"{files.path}: no rotation is under way")
            return proof(journal, read_maps(text), [str(name) for name in names])
        except (DocumentError, VaultFileError) as error:
            raise AnsibleLookupError(f"rotation_proof: {error}") from None
