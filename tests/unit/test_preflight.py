"""The preflight as a playbook meets it: through Ansible, without a host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.golden.render import ROOT
from tests.unit.model_samples import SOUND, broken

PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {"callcenter.pbx.preflight": {"model": "{{ model }}"}},
            {
                "ansible.builtin.debug": {
                    "msg": "{{ model | callcenter.pbx.pbx_dial_checks | length }} checks"
                }
            },
        ],
    }
]


def run(
    model: dict[str, Any], directory: Path, *arguments: str, inventory: str = "localhost,"
) -> subprocess.CompletedProcess[str]:
    """Run the preflight, then a filter, on ``model``."""
    (directory / "play.yml").write_text(json.dumps(PLAY), encoding="utf-8")
    (directory / "model.json").write_text(json.dumps({"model": model}), encoding="utf-8")
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            f"--inventory={inventory}",
            f"--extra-vars=@{directory / 'model.json'}",
            *arguments,
            str(directory / "play.yml"),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_sound_model_passes_in_check_mode_too_and_changes_nothing(tmp_path: Path) -> None:
    done = run(SOUND, tmp_path, "--check", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
    assert re.search(r"\b[1-9]\d checks", done.stdout)


def test_a_broken_model_stops_the_play_with_every_fault_and_no_password(tmp_path: Path) -> None:
    model = broken("pbx_extensions.1.number", "911")
    model["pbx_sip_prot"] = model.pop("pbx_sip_port")
    model["pbx_secrets"] = {
        "100": "changeme100",
        "911": "line\nbreak-in-this-one",
        "stray": "never-to-be-seen-7",
    }
    done = run(model, tmp_path, "-vvv")
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "checks" not in done.stdout.partition("PLAY RECAP")[0].partition("TASK [ansible.builtin.debug]")[2]
    for expected in (
        "extension 911 is an emergency number",
        "pbx_sip_prot: is unknown here. Did you mean pbx_sip_port",
        "pbx_secrets[100]: is a well-known password",
        "pbx_secrets[911]: contains a line break",
        "pbx_secrets[twilio-na-us]: is missing",
        "pbx_secrets[stray]: belongs to no extension or trunk",
    ):
        assert expected in output
    for secret in ("changeme100", "break-in-this-one", "never-to-be-seen-7"):
        assert secret not in output


def test_a_block_list_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "here.txt").write_text("203.0.113.7\n")
    (tmp_path / "hosts.yml").write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")
    model = broken("pbx_blacklist_files", ["here.txt", "gone.txt"])
    done = run(model, tmp_path, inventory=str(tmp_path / "hosts.yml"))
    output = done.stdout + done.stderr
    assert f"pbx_blacklist_files: gone.txt is no file in {tmp_path}" in output
    assert "here.txt is no file" not in output
