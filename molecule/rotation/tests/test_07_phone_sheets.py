"""After a rotation, the sheets of the extensions concerned are written anew, and no others."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from lab.driver.playbook import run_playbook
from lab.driver.vault import passwords
from lab.paths import ROOT

SHEETS = ROOT / "artifacts" / "lab" / "lab-pbx" / "phones"


def written() -> dict[str, tuple[int, str]]:
    """Inode and content of each sheet, by the extension's number."""
    return {path.stem: (path.stat().st_ino, path.read_text()) for path in SHEETS.glob("*.html")}


def test_only_the_rotated_extension_gets_a_new_sheet() -> None:
    assert run_playbook("playbooks/phones.yml").exit_code == 0
    before = written()
    assert set(before) == {"100", "101", "102"}
    rotated = run_playbook("playbooks/rotate_passwords.yml", "-e", "rotate=101")
    assert rotated.exit_code == 0, rotated.output
    assert run_playbook("playbooks/phones.yml").exit_code == 0
    after = written()
    assert {number for number in after if after[number] != before[number]} == {"101"}
    assert passwords()["101"] in re.sub("<[^>]*>", "", after["101"][1])


def test_nobody_else_can_read_them() -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in SHEETS.glob("*.html")}
    assert modes == {0o600}
    assert stat.S_IMODE(SHEETS.stat().st_mode) == 0o700


def test_second_run_writes_nothing() -> None:
    before = written()
    again = run_playbook("playbooks/phones.yml")
    assert again.changed == 0, again.output
    assert written() == before
    assert all(Path(SHEETS, f"{number}.html").exists() for number in before)
