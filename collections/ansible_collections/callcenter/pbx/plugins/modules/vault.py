"""Documentation of the vault action, which works on the controller: plugins/action/vault.py."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: vault
short_description: Complete the site's vault, or rotate passwords in it
version_added: 0.1.0
description:
  - Edits an encrypted file of variables, C(vault.yml), on the controller. Passwords are random; comments,
    order and quoting of the file stay. It is decrypted and encrypted in memory, with the vault password
    that opened it.
  - While a rotation is under way, a journal lies beside the vault, C(vault.yml.rotation), encrypted the same
    way. Each file is replaced all or nothing, the journal first, so a run may be killed at any moment.
  - No password is ever part of the result.
options:
  path:
    description: The vault.
    type: path
    required: true
  state:
    description:
      - V(complete) makes passwords for names that have none, and the vault if there is none.
      - V(recover) looks for a rotation that was interrupted and returns the names still to be proven.
        A journal without effect is removed.
      - V(begin) writes the journal and the new passwords.
      - V(settle) ends a rotation whose passwords have been proven. Fails when the vault was edited meanwhile.
      - V(restore) puts the former passwords back, except where somebody has edited the vault since. The
        journal stays for the proof that the servers are back, until V(settle).
    type: str
    choices: [complete, recover, begin, settle, restore]
    required: true
  model:
    description: The site's C(pbx_) variables. They say which names need a password.
    type: dict
    required: true
  more_models:
    description: The same of the other servers of the site, which share its vault.
    type: list
    elements: dict
    default: []
  vault_id:
    description:
      - The vault id whose password a new vault is encrypted with. Without it, V(default) is taken, else the
        only one given that is not in ansible.cfg.
    type: str
  rotate:
    description:
      - What V(begin) rotates, V(extensions), V(all), or names, as a list or separated by commas.
      - With O(finish) it may be missing, for every overlap there is.
    type: raw
  overlap:
    description:
      - Keeps the old password of an extension valid, in C(pbx_secrets_previous), until the rotation is
        finished.
      - For a trunk, puts the new one into C(pbx_secrets_next), where nothing uses it until then.
    type: bool
    default: false
  finish:
    description: Removes the previous passwords of extensions, and begins to use the next ones of trunks.
    type: bool
    default: false
  done:
    description: What V(recover) returned. V(begin) leaves out what that has rotated in the same way.
    type: dict
attributes:
  action:
    description: Runs on the controller.
    support: full
  check_mode:
    description: Names what would change, and writes nothing.
    support: full
  diff_mode:
    description: A difference would show passwords.
    support: none
  idempotent:
    description: V(complete) is; a rotation makes new passwords each time.
    support: partial
author:
  - Call centre maintainers (@callcenter)
"""

EXAMPLES = r"""
- name: Make the passwords that are missing
  callcenter.pbx.vault:
    path: "{{ inventory_dir }}/group_vars/pbx/vault.yml"
    state: complete
    model: "{{ pbx_model }}"
  run_once: true

- name: Make new passwords for two phones, the old ones stay valid
  callcenter.pbx.vault:
    path: "{{ inventory_dir }}/group_vars/pbx/vault.yml"
    state: begin
    model: "{{ pbx_model }}"
    rotate: "100,101"
    overlap: true
  run_once: true
"""

RETURN = r"""
names:
  description: The names it was about.
  returned: success
  type: list
  elements: str
  sample: ["100", twilio-na-us]
extensions:
  description: Those of O(ignore:names) that are phones.
  returned: success, unless state is V(complete)
  type: list
  elements: str
  sample: ["100"]
trunks:
  description: Those of O(ignore:names) that are trunks.
  returned: success, unless state is V(complete)
  type: list
  elements: str
  sample: [twilio-na-us]
kind:
  description: Which rotation it is, V(rotate), V(overlap) or V(finish); empty when nothing was interrupted.
  returned: when state is V(recover) or V(begin)
  type: str
  sample: rotate
msg:
  description: What happened, and what is left for people to do.
  returned: always
  type: str
  sample: "100: the new password works and the old one is refused. Set it in the phones."
"""
