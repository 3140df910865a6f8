"""The phone sheets as a user meets them: playbooks/phones.yml, no host, and no password in sight."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.golden.render import ROOT

PASSWORDS = {"100": "canary&Tq8Wm2Zr5nBx", "101": "canary<Hs4Jf9Qc6tVw", "twilio-na-us": "canary-Hq7Lz2Xv9"}
CIPHER = VaultLib([("default", VaultSecret(b"of this test"))])


class Site:
    """A copy of inventory/production with a vault of its own, in a directory that takes the artifacts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sheets = directory / "artifacts" / "site" / "callcenter" / "phones"
        shutil.copytree(
            ROOT / "inventory/production", directory / "site", ignore=shutil.ignore_patterns("vault.yml")
        )
        (directory / "playbooks").mkdir()
        for name in ("phones.yml", "servers.yml"):
            shutil.copy(ROOT / "playbooks" / name, directory / "playbooks")
        (directory / "key").write_text("of this test")
        self.set_passwords(PASSWORDS)

    def set_passwords(self, passwords: dict[str, Any]) -> None:
        vault = self.directory / "site/group_vars/pbx/vault.yml"
        vault.write_bytes(CIPHER.encrypt(json.dumps({"pbx_secrets": passwords})))

    def play(self, *arguments: str) -> str:
        """Run the playbook and return all it printed; no password may be in it."""
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                str(self.directory / "playbooks/phones.yml"),
                f"--inventory={self.directory / 'site'}",
                *arguments,
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_VAULT_PASSWORD_FILE": str(self.directory / "key"),
                "COLUMNS": "1000",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        # Results are YAML, which breaks long lines.
        output = " ".join((done.stdout + done.stderr).split())
        assert "canary" not in output
        return output


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_from_the_first_sheet_to_a_rotated_password(site: Site) -> None:
    announced = site.play("--check", "--diff")
    assert f"+ {site.sheets}/100.html (new)" in announced
    assert not site.sheets.exists()

    first = site.play("-vvv", "--diff")
    assert "changed=1" in first
    assert f"2 phone sheets in {site.sheets}: 2 written, 0 unchanged, 0 removed." in first
    sheet = (site.sheets / "100.html").read_text(encoding="utf-8")
    assert "138.2.68.107" in sheet
    assert "Agent 100" in sheet

    assert "changed=0" in site.play("--diff")

    untouched = (site.sheets / "101.html").stat()
    shutil.copy(site.sheets / "101.html", site.sheets / "102.html")
    site.set_passwords({**PASSWORDS, "100": "canary-after-rotation"})
    rotated = site.play("-vvv", "--diff")
    assert f"! {site.sheets}/100.html (changed)" in rotated
    assert f"- {site.sheets}/102.html (removed)" in rotated
    assert (site.sheets / "101.html").stat() == untouched
    assert (site.sheets / "100.html").read_text(encoding="utf-8") != sheet
    assert sorted(path.name for path in site.sheets.iterdir()) == ["100.html", "101.html"]


def test_a_fault_in_the_model_leaves_every_sheet_as_it_was(site: Site) -> None:
    site.set_passwords({"100": "canary", "101": PASSWORDS["101"]})
    output = site.play("-vvv")
    assert "pbx_secrets[100]: is shorter than 12 characters" in output
    assert not site.sheets.exists()


def test_a_file_in_the_way_is_named(site: Site) -> None:
    site.sheets.mkdir(parents=True)
    (site.sheets / "100.html").write_text("<p>mine")
    assert f"{site.sheets}: 100.html is no phone sheet: move it elsewhere" in site.play("-vvv")


def test_passwords_of_the_wrong_shape_are_not_shown(site: Site) -> None:
    task = {
        "directory": str(site.sheets),
        "address": "192.0.2.10",
        "extensions": [],
        "secrets": "{{ wrong }}",
    }
    play = [{"hosts": "pbx", "gather_facts": False, "tasks": [{"callcenter.pbx.phone_sheets": task}]}]
    (site.directory / "playbooks/phones.yml").write_text(json.dumps(play), encoding="utf-8")
    (site.directory / "wrong.json").write_text(json.dumps({"wrong": ["canary"]}), encoding="utf-8")
    output = site.play("-vvv", f"--extra-vars=@{site.directory / 'wrong.json'}")
    assert "secrets is a mapping of extension number to password" in output
