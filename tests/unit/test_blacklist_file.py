"""The inventory's file as the playbook edits it: through Ansible, without a host."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.golden.render import ROOT

BEFORE = '---\n# Ours\npbx_blacklist:\n  - "203.0.113.7"  # scanner\n'


def edit(
    directory: Path, *arguments: str, before: str | None = BEFORE, **options: Any
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any], str | None]:
    """Run the action; return what Ansible said, the registered result, and the file afterwards."""
    path, result = directory / "blacklist.yml", directory / "result.json"
    if before is not None:
        path.write_text(before)
    wanted = {
        "path": str(path),
        "blacklist": ["203.0.113.7"] if before else [],
        "protected_networks": [{"name": "trunk one", "network": "198.51.100.0/30"}],
        **options,
    }
    tasks = [
        {"callcenter.pbx.blacklist_file": wanted, "register": "edited"},
        {
            "ansible.builtin.copy": {
                "content": "{{ edited | ansible.builtin.to_json }}",
                "dest": str(result),
            },
            "check_mode": False,
        },
    ]
    play = directory / "play.yml"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "--inventory=localhost,",
            "--connection=local",
            *arguments,
            str(play),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(result.read_text()) if result.exists() else {}
    return done, found, path.read_text() if path.exists() else None


def test_block_and_unblock_in_one_edit(tmp_path: Path) -> None:
    (tmp_path / "drop.txt").write_text("203.0.113.0/28\n")
    done, result, text = edit(
        tmp_path,
        block="198.51.100.9, 2001:db8::/32",
        unblock=["203.0.113.7"],
        reason="guessed",
        blacklist_files=[str(tmp_path / "drop.txt")],
    )
    assert done.returncode == 0, done.stdout
    assert text == (
        '---\n# Ours\npbx_blacklist:\n  - {address: "198.51.100.9", reason: "guessed"}\n'
        '  - {address: "2001:db8::/32", reason: "guessed"}\n'
    )
    assert result["blacklist"] == [
        {"address": "198.51.100.9", "reason": "guessed"},
        {"address": "2001:db8::/32", "reason": "guessed"},
    ]
    assert result["notes"] == [f"203.0.113.7 is still blocked by {tmp_path}/drop.txt"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_check_mode_shows_the_difference_and_writes_nothing(tmp_path: Path) -> None:
    done, result, text = edit(tmp_path, "--check", "--diff", block="198.51.100.9")
    assert '+  - "198.51.100.9"' in done.stdout
    assert (result["changed"], text) == (True, BEFORE)
    assert result["blacklist"] == ["203.0.113.7", "198.51.100.9"]


def test_a_missing_file_is_made_and_the_mode_of_one_that_is_there_stays(tmp_path: Path) -> None:
    _, result, text = edit(tmp_path, before=None, block="198.51.100.9")
    assert (result["changed"], text) == (
        True,
        "---\n# Sources whose packets are dropped: addresses, networks, or {address: ..., reason: ...}.\n"
        'pbx_blacklist:\n  - "198.51.100.9"\n',
    )
    (tmp_path / "blacklist.yml").chmod(0o640)
    edit(tmp_path, block="198.51.100.9")
    assert stat.S_IMODE((tmp_path / "blacklist.yml").stat().st_mode) == 0o640


REFUSALS: list[Any] = [
    pytest.param(
        {"block": "198.51.100.2"}, "198.51.100.2 overlaps 198.51.100.0/30 (trunk one)", id="protected"
    ),
    pytest.param({"block": "10.1.2.3"}, "10.1.2.3 overlaps 10.0.0.0/8 (private network)", id="private"),
    pytest.param({"block": "spam"}, "'spam' is neither an address nor a network", id="garbage"),
    pytest.param({"unblock": "spam"}, "'spam' is neither an address nor a network", id="garbage out"),
    pytest.param({"block": "9.9.9.9", "unblock": "9.9.9.9"}, "9.9.9.9 cannot be both", id="both at once"),
    pytest.param({"block": "9.9.9.9", "reason": "a\nb"}, "The reason is not one line", id="reason"),
    pytest.param({"block": "9.9.9.9", "blacklist": []}, "overrules it", id="another file decides"),
]


@pytest.mark.parametrize(("options", "message"), REFUSALS)
def test_refusals_touch_nothing(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    done, result, text = edit(tmp_path, **options)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert (result, text) == ({}, BEFORE)
