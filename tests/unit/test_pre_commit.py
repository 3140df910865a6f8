"""The hook that keeps a vault in the clear out of the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden.render import ROOT

ENCRYPTED = "$ANSIBLE_VAULT;1.1;AES256\n6162\n"
CASES = {
    "encrypted": ("inventory/production/group_vars/pbx/vault.yml", ENCRYPTED, True),
    "in-the-clear": ("inventory/production/group_vars/pbx/vault.yml", "pbx_secrets: {}\n", False),
    "inline-values-only": ("host_vars/a/vault.yml", f"a: !vault |\n{ENCRYPTED}", False),
    "empty": ("vault.yml", "", False),
    "the-other-spelling": ("vault.yaml", "a: 1\n", False),
    "another-file": ("group_vars/pbx/model.yml", "a: 1\n", True),
}


@pytest.mark.parametrize(("path", "text", "accepted"), CASES.values(), ids=CASES)
def test_vault_must_be_encrypted(tmp_path: Path, path: str, text: str, accepted: bool) -> None:
    shutil.copy(ROOT / ".pre-commit-config.yaml", tmp_path)
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["PRE_COMMIT_HOME"] = str(tmp_path / "cache")

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    run("git", "init", "--quiet")
    run("git", "add", ".pre-commit-config.yaml", path)
    hook = str(Path(sys.executable).with_name("pre-commit"))
    done = run(hook, "run", "vault-is-encrypted", "--all-files")
    assert (done.returncode == 0) is accepted, done.stdout + done.stderr
    if not accepted:
        assert path in done.stdout
        assert "ansible-vault encrypt" in done.stdout
