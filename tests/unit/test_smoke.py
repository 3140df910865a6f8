"""The smoke checks as a playbook meets them: through Ansible, where nothing is deployed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Check a PBX that does not exist, on this machine; nothing listens at port 9."""
    task = {
        "callcenter.pbx.smoke": {
            "root_dir": str(directory / "nowhere"),
            "container": "lab-smoke-test-no-such-container",
            "address": "127.0.0.1",
            "sip_port": 9,
            "rtp_ports": {"first": 10000, "last": 10100},
            "artifacts_dir": "artifacts/here",
        }
    }
    playbook = directory / "playbook.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            str(playbook),
            "--inventory=localhost,",
            "--connection=local",
            f"--extra-vars=ansible_python_interpreter={sys.executable}",
            *arguments,
        ],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "COLUMNS": "1000"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_before_the_first_deployment_check_mode_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing is deployed" in " ".join(done.stdout.split())
    assert not (tmp_path / "artifacts").exists()


def test_all_failures_are_shown_and_reported(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert "FAIL  compose state" in done.stdout
    assert "OPTIONS sip:127.0.0.1:9 over UDP: Connection refused" in done.stdout
    assert "changed=0" in done.stdout
    reports = tmp_path / "artifacts/here"
    assert stat.S_IMODE(reports.stat().st_mode) == 0o755
    status = {
        check["name"]: check["status"] for check in json.loads((reports / "smoke.json").read_text())["checks"]
    }
    assert (status["options-tcp"], status["dialling"]) == ("failed", "unchecked")
    suite = ElementTree.parse(reports / "smoke.xml").getroot()[0]
    assert suite.attrib["tests"] == str(len(status))
