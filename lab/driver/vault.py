"""The lab's vault as its owner uses it: looking at the passwords in it, and changing them by hand."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.driver.machine import DriverError
from lab.paths import ROOT, VAULT
from lab.secrets import plain_text


def vault_text() -> str:
    """What the owner would see in the editor."""
    return plain_text(VAULT)


def vault_content() -> dict[str, Any]:
    """The variables in the vault."""
    content: dict[str, Any] = yaml.safe_load(vault_text())
    return content


def passwords() -> dict[str, str]:
    """The passwords that phones and trunks are to use now, by name."""
    found: dict[str, str] = vault_content()["pbx_secrets"]
    return found


def edit_vault(replacements: Mapping[str, str]) -> None:
    """Replace texts with ``ansible-vault edit``, by an editor that does what a person would.

    Raises:
        DriverError: ansible-vault fails, or a text is not in the vault.
    """
    with tempfile.TemporaryDirectory() as directory:
        editor = Path(directory) / "editor"
        editor.write_text(
            f"#!{sys.executable}\n"
            "import pathlib, sys\n"
            "path = pathlib.Path(sys.argv[1])\n"
            "text = path.read_text()\n"
            f"for old, new in {dict(replacements)!r}.items():\n"
            "    assert old in text\n"
            "    text = text.replace(old, new)\n"
            "path.write_text(text)\n"
        )
        editor.chmod(stat.S_IRWXU)
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-vault")), "edit", str(VAULT)],
            cwd=ROOT,
            env={**os.environ, "EDITOR": str(editor), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise DriverError(f"ansible-vault edit failed: {done.stdout}{done.stderr}")
