"""`playbooks/render.yml`: what a run would deploy, in files that nobody else can read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.golden.render import ROOT
from tests.unit.test_sites import PASSWORDS, play, words
from tests.unit.test_sites import site as site

PASSWORD = b"the vault's password"


@pytest.fixture
def rendered(site: Path, tmp_path: Path) -> Path:
    """Where the files of the site go; the vault is written and its key set up."""
    passwords = {**PASSWORDS, "101": "pL7d{{ Hs4Jf9 }}Qc6{% tVw"}
    vault = VaultLib([("default", VaultSecret(PASSWORD))]).encrypt(yaml.safe_dump({"pbx_secrets": passwords}))
    (site / "group_vars" / "pbx" / "vault.yml").write_bytes(vault)
    (tmp_path / "key").write_bytes(PASSWORD)
    return tmp_path / "artifacts"


def render(site: Path, directory: Path, *arguments: str) -> str:
    done = play(
        "playbooks/render.yml",
        f"-i{site}",
        f"-easterisk_smoke_artifacts_dir={directory}",
        f"--vault-password-file={directory.parent / 'key'}",
        *arguments,
    )
    assert done.returncode == 0, words(done)
    return words(done)


def test_files_are_for_their_owner_alone_and_follow_the_model(site: Path, rendered: Path) -> None:
    said = render(site, rendered, "-vvv", "--diff")
    files = {path.name for path in (rendered / "rendered").iterdir()}
    assert {"pjsip_wizard.conf", "pjsip_auth.conf", "extensions.conf"} <= files
    assert {path.name for path in (ROOT / "tests/golden/production").glob("*.conf")} == files
    assert stat.S_IMODE((rendered / "rendered").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (rendered / "rendered").iterdir()} == {0o600}
    assert not [password for password in (*PASSWORDS.values(), "Hs4Jf9", "tVw") if password in said]

    (rendered / "rendered" / "gone.conf").write_text("of another release")
    (rendered / "rendered" / "notes.txt").write_text("mine")
    assert "changed=1" in render(site, rendered)
    assert {path.name for path in (rendered / "rendered").iterdir()} == files | {"notes.txt"}
    assert "changed=1" not in render(site, rendered), "a second run changes nothing"


def test_files_of_the_site_are_part_of_it_and_no_inventory(site: Path, rendered: Path) -> None:
    (site / "asterisk").mkdir()
    (site / "asterisk" / "extensions.conf").write_text(
        "[site-internal]\nexten => *43,1,Answer()\n same => n,Echo()\n"
    )
    said = render(site, rendered)
    assert "Invalid characters" not in said
    assert (rendered / "rendered" / "site-extensions.conf").read_text().startswith("[site-internal]")
    ours = (rendered / "rendered" / "extensions.conf").read_text()
    assert "#include site-extensions.conf" in ours
    phones = ours.partition("[internal]\n")[2].partition("\n\n")[0]
    assert phones.splitlines() == [
        "include => extensions",
        "include => emergency",
        "include => site-internal",
        "include => as-written",
    ]


def test_check_mode_writes_nothing(site: Path, rendered: Path) -> None:
    assert "changed=1" in render(site, rendered, "--check")
    assert not rendered.exists()
